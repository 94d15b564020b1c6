// Packs every public package once, as `pnpm publish` would. The package tests and `npm run check` read the tarballs.
import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { pnpm } from '../run/install.mjs';
import { type Manifest, type Package, publicPackages, root } from './packages.ts';

const windows = process.platform === 'win32';
const folder = join(root, 'test/.output/tarballs');

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

/** Packs the built packages, and those of others that they need. vitest runs it before the package tests. */
export default function packAll(): void {
  const packages = publicPackages();
  for (const { directory, manifest } of packages) {
    if (!existsSync(join(directory, 'dist'))) throw new Error(`${manifest.name} is not built: npm run build`);
  }
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
}

/** Installs tarballs in a folder, without a registry. */
export async function installIn(cwd: string, packages: readonly Package[], ...more: string[]): Promise<void> {
  const quiet = ['--offline', '--ignore-scripts', '--no-audit', '--no-fund', '--no-package-lock', '--loglevel=error'];
  const tarballs = [...packages, ...foreignPackages()].map(tarballOf);
  await promisify(execFile)('npm', ['install', ...quiet, ...more, ...tarballs], { cwd, shell: windows });
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
