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
  /** Read by the tools here: subpaths that run on Node only, modules of Node that are used if present, subpaths for our packages only. */
  quiesce?: { nodeOnly?: string[]; nodeIfThere?: string[]; internal?: string[] };
}

export interface Package {
  /** The folder below `packages/`. */
  folder: string;
  directory: string;
  manifest: Manifest;
  /** Subpath to source: `.` to `./src/index.ts`, `./testing` to `./src/testing.ts`. */
  entries: Map<string, string>;
  /** The same for subpaths that only our packages import. */
  internals: Map<string, string>;
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
  const internals = new Map<string, string>();
  for (const [subpath, target] of Object.entries(manifest.exports)) {
    if (typeof target === 'string') continue;
    const isInternal = manifest.quiesce?.internal?.includes(subpath) === true;
    (isInternal ? internals : entries).set(subpath, String(target['default']));
  }
  return { folder, directory, manifest, entries, internals };
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
