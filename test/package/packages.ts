import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The parts of a package.json that the tools here read. */
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
  /** Read by the tools here: subpaths for Node only, modules of Node that are used if present, subpaths for packages of this project. */
  quiesce?: { nodeOnly?: string[]; nodeIfThere?: string[]; internal?: string[] };
}

export interface Package {
  /** The folder below `packages/`. */
  folder: string;
  directory: string;
  manifest: Manifest;
  /** Source of each subpath: `.` to `./src/index.ts`, `./testing` to `./src/testing.ts`. */
  entries: Map<string, string>;
  /** The same for subpaths that only packages of this project import. */
  internals: Map<string, string>;
}

/** Never published: the package of the token contains it, and passes it on to the other packages. */
export const internal = '@quiesce/internal';
export const home = '@quiesce/cancellation-token';

export const root: string = fileURLToPath(new URL('../..', import.meta.url));

/** Returns every published package below `packages/`, in the order of the folder names. */
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

/** Returns the subpaths of a package that run on Node only, and are compiled against its types. */
export function nodeOnly({ manifest }: Package): readonly string[] {
  return manifest.quiesce?.nodeOnly ?? [];
}

/** Returns the entries that run on Node only, as users import them: `@quiesce/shutdown`. */
export function nodeOnlyEntries(): string[] {
  return publicPackages().flatMap((found) => nodeOnly(found).map((subpath) => found.manifest.name + subpath.slice(1)));
}

/** Returns the name under which an entry is built: `index` for `.`, or the subpath. */
export function outputName(subpath: string): string {
  return subpath === '.' ? 'index' : subpath.slice(2);
}
