// Packs every public package once, as `pnpm publish` would. The package tests and `npm run check` read the tarballs.
import { execFileSync, spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fingerprintOf, pnpm } from '../run/install.mjs';
import { type Manifest, type Package, publicPackages, root } from './packages.ts';

const windows = process.platform === 'win32';
const folder = join(root, 'test/.output/tarballs');
/** Contains the hash of what was packed. */
const stamp = join(folder, 'packed');
/** A project in which the tarballs are installed. */
const installed = join(folder, 'installed');

/** The path of the tarball of a package after packing. */
export function tarballOf({ manifest }: Pick<Package, 'manifest'>): string {
  return join(folder, `${manifest.name.replace('@', '').replace('/', '-')}-${manifest.version}.tgz`);
}

/** The packages of others that ours depend on, and their dependencies, as the workspace has installed them. */
export function foreignPackages(): Pick<Package, 'directory' | 'manifest'>[] {
  const found = new Map<string, Pick<Package, 'directory' | 'manifest'>>();
  const visit = (names: readonly string[], modules: string): void => {
    for (const name of names) {
      if (isOurs(name) || found.has(name)) continue;
      const directory = realpathSync(join(modules, name));
      const manifest = JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8')) as Manifest;
      found.set(name, { directory, manifest });
      // pnpm puts the dependencies of a package beside it.
      visit(Object.keys(manifest.dependencies ?? {}), directory.slice(0, -name.length));
    }
  };
  for (const { directory, manifest } of publicPackages())
    visit(Object.keys(manifest.dependencies ?? {}), join(directory, 'node_modules'));
  return [...found.values()];
}

function isOurs(name: string): boolean {
  return name === 'quiesce' || name.startsWith('@quiesce/');
}

/** vitest runs it before the package tests. */
export default function setup(): void {
  packAll();
  // npm writes this file at the end.
  if (!existsSync(join(installed, 'node_modules/.package-lock.json'))) install();
}

/** Packs the built packages, and those of others that they need, unless the tarballs of the same files are there. */
export function packAll(): void {
  const packages = publicPackages();
  for (const { directory, manifest } of packages) {
    if (!existsSync(join(directory, 'dist'))) throw new Error(`${manifest.name} is not built: npm run build`);
  }
  const wanted = fingerprint(packages);
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return;
  rmSync(folder, { recursive: true, force: true });
  const filters = packages.map(({ manifest }) => `--filter=${manifest.name}`);
  const { status, stdout, stderr } = spawnSync(
    'npm',
    pnpm('--recursive', ...filters, 'pack', '--pack-destination', folder),
    { cwd: root, encoding: 'utf8', shell: windows },
  );
  const missing = packages.filter((found) => !existsSync(tarballOf(found)));
  if (status !== 0 || missing.length > 0) throw new Error(`pnpm pack failed:\n${stdout}\n${stderr}`);
  for (const found of foreignPackages()) {
    const copy = join(folder, 'package');
    cpSync(found.directory, copy, { recursive: true });
    execFileSync('tar', ['-czf', tarballOf(found), '-C', folder, 'package']);
    rmSync(copy, { recursive: true });
  }
  writeFileSync(stamp, wanted);
}

/** Returns a hash of every file that decides what is packed. */
function fingerprint(packages: readonly Package[]): string {
  const packed = packages.flatMap(({ directory }) => {
    const dist = readdirSync(join(directory, 'dist'), { recursive: true, encoding: 'utf8' }).sort();
    const files = [...dist.map((file) => join('dist', file)), 'package.json', 'README.md', 'LICENSE'];
    return files.map((file) => relative(root, join(directory, file)));
  });
  return fingerprintOf(['pnpm-lock.yaml', 'pnpm-workspace.yaml', 'LICENSE', 'test/package/pack.ts', ...packed]);
}

/** Installs all tarballs, without a registry. */
function install(): void {
  rmSync(installed, { recursive: true, force: true });
  mkdirSync(installed, { recursive: true });
  writeFileSync(join(installed, 'package.json'), JSON.stringify({ name: 'installed', private: true }));
  const quiet = ['--offline', '--ignore-scripts', '--no-audit', '--no-fund', '--no-package-lock', '--loglevel=error'];
  // Without `--legacy-peer-deps`, npm looks for `effect` in the registry.
  const args = [
    'install',
    ...quiet,
    '--legacy-peer-deps',
    ...[...publicPackages(), ...foreignPackages()].map(tarballOf),
  ];
  execFileSync('npm', args, { cwd: installed, shell: windows });
}

/** Copies the installed packages into a project. One installation serves all tests: npm takes seconds for each. */
export function copyInstalled(cwd: string): void {
  cpSync(join(installed, 'node_modules'), join(cwd, 'node_modules'), { recursive: true, verbatimSymlinks: true });
}

/** Links the peers of the packages into a folder, with their types: users install peers themselves. */
export function linkPeers(cwd: string, packages: readonly Package[]): void {
  for (const found of packages) {
    const peers = Object.keys(found.manifest.peerDependencies ?? {}).filter((name) => !name.startsWith('@types/'));
    link(
      cwd,
      found,
      peers.flatMap((peer) => [peer, `@types/${peer}`]),
    );
  }
}

/** Links packages that the workspace has installed for one of its packages. */
function link(cwd: string, { directory }: Package, names: readonly string[]): void {
  for (const name of names) {
    const [from, to] = [join(directory, 'node_modules', name), join(cwd, 'node_modules', name)];
    if (!existsSync(from) || existsSync(to)) continue;
    mkdirSync(dirname(to), { recursive: true });
    // A junction needs no privilege on Windows.
    symlinkSync(from, to, 'junction');
  }
}
