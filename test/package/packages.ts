import { existsSync, readdirSync, readFileSync } from 'node:fs';
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
  engines?: { node?: string };
  scripts?: Record<string, string>;
  publishConfig?: Record<string, unknown>;
  /** What is ours in there: the subpaths that run on Node alone, and Node's modules that the others use if they are there. */
  quiesce?: { nodeOnly?: string[]; nodeIfThere?: string[] };
}

export interface Package {
  /** The folder below `packages/`. */
  folder: string;
  directory: string;
  manifest: Manifest;
  /** Subpath to source: `.` to `./src/index.ts`, `./testing` to `./src/testing.ts`. */
  entries: Map<string, string>;
}

export const root: string = fileURLToPath(new URL('../..', import.meta.url));

/** Every package under `packages/` that is published, in the order of the folders' names. */
export function publicPackages(): Package[] {
  return readdirSync(`${root}packages`, { withFileTypes: true })
    .filter((entry) => existsSync(`${root}packages/${entry.name}/package.json`))
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

/** The subpaths of a package that run on Node only, and are compiled against its types. */
export function nodeOnly({ manifest }: Package): readonly string[] {
  return manifest.quiesce?.nodeOnly ?? [];
}

/** What of ours runs on Node only, as one imports it: `@quiesce/shutdown`. */
export function nodeOnlyEntries(): string[] {
  return publicPackages().flatMap((found) => nodeOnly(found).map((subpath) => found.manifest.name + subpath.slice(1)));
}

/** The name under which an entry is built: `index` for `.`, else the subpath. */
export function outputName(subpath: string): string {
  return subpath === '.' ? 'index' : subpath.slice(2);
}
