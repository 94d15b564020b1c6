// Packs every public package once, as `pnpm publish` would. The package tests and `npm run check` read the tarballs.
import { execFile, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { pnpm } from '../run/install.mjs';
import { type Package, publicPackages, root } from './packages.ts';

const windows = process.platform === 'win32';
const folder = join(root, 'test/.output/tarballs');

/** The path of the tarball of a package after packing. */
export function tarballOf({ manifest }: Package): string {
  return join(folder, `${manifest.name.replace('@', '').replace('/', '-')}-${manifest.version}.tgz`);
}

/** Packs the built packages. vitest runs it before the package tests. */
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
}

/** Installs tarballs in a folder, without a registry. Dependencies that are not ours are linked. */
export async function installIn(cwd: string, packages: readonly Package[], ...more: string[]): Promise<void> {
  const quiet = ['--offline', '--ignore-scripts', '--no-audit', '--no-fund', '--no-package-lock', '--loglevel=error'];
  const alone = packages.filter((found) => foreign(found).length === 0);
  await promisify(execFile)('npm', ['install', ...quiet, ...more, ...alone.map(tarballOf)], { cwd, shell: windows });
  // npm would look for their dependencies in the registry.
  for (const found of packages.filter((one) => !alone.includes(one))) {
    const target = join(cwd, 'node_modules', found.manifest.name);
    mkdirSync(target, { recursive: true });
    await promisify(execFile)('tar', ['-xzf', tarballOf(found), '--strip-components=1', '-C', target]);
    link(cwd, found, foreign(found));
  }
}

function foreign({ manifest }: Package): string[] {
  return Object.keys(manifest.dependencies ?? {}).filter((name) => !name.startsWith('@quiesce/'));
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
