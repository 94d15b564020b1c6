import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** What a package.json of ours says, as far as the tools here read it. */
export interface Manifest {
  name: string;
  version: string;
  private?: boolean;
  dependencies?: Record<string, string>;
  devDependencies?: Record<string, string>;
  peerDependencies?: Record<string, string>;
  peerDependenciesMeta?: Record<string, { optional?: boolean }>;
  exports: Record<string, string | Record<string, unknown>>;
  publishConfig?: Record<string, unknown>;
}

export interface Package {
  /** The folder below `packages/`. */
  folder: string;
  directory: string;
  manifest: Manifest;
  /** Subpath to source: `.` to `./src/index.ts`, `./testing` to `./src/testing.ts`. */
  entries: Map<string, string>;
}

/** Packages of which some runs on Node alone, and is compiled against its types; their declarations name none of them. */
export const nodeOnly: readonly string[] = ['shutdown', 'effect'];

export const root: string = fileURLToPath(new URL('../..', import.meta.url));

/** Every package under `packages/` that is published, in the order of the folders' names. */
export function publicPackages(): Package[] {
  return readdirSync(`${root}packages`, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => readPackage(entry.name))
    .filter((found) => found.manifest.private !== true);
}

export function readPackage(folder: string): Package {
  const directory = `${root}packages/${folder}`;
  const manifest = JSON.parse(readFileSync(`${directory}/package.json`, 'utf8')) as Manifest;
  const entries = new Map<string, string>();
  for (const [subpath, target] of Object.entries(manifest.exports)) {
    if (typeof target !== 'string') entries.set(subpath, String(target['default']));
  }
  return { folder, directory, manifest, entries };
}

/** Whether some of a package runs on Node only: whoever compiles against that needs Node's types. */
export function needsNode({ manifest }: Package): boolean {
  return manifest.peerDependencies?.['@types/node'] !== undefined;
}

/** The name under which an entry is built: `index` for `.`, else the subpath. */
export function outputName(subpath: string): string {
  return subpath === '.' ? 'index' : subpath.slice(2);
}
