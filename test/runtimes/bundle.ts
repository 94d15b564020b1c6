// Bundles test files with the built packages that they test, one bundle for each, for runtimes with and without Node's modules.
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build, type OnLoadResult, type Plugin } from 'esbuild';
import { nodeOnlyEntries, type Package, publicPackages, root } from '../package/packages.ts';
import type { TestFile } from './files.ts';

/** What a bundle may count on. */
export interface Kind {
  name: string;
  /** Whether there are Node's modules, files and processes. */
  hasNode: boolean;
  /** What its tests cannot import all the same, with what the runtime lacks: by that the tests that use it are skipped. */
  without?: Readonly<Record<string, string>>;
  /** `es2022` turns `using` into try and finally; `esnext` leaves it to the runtime. */
  target: 'es2022' | 'esnext';
}

/** What of ours runs on Node only, as one imports it. */
const needNode: readonly string[] = nodeOnlyEntries();
const libraries = ['fast-check', ...publicPackages().flatMap(peersOf)];
const inside = fileURLToPath(new URL('inside', import.meta.url));
const output = join(root, 'test/.output/runtimes');

const requireOfNode =
  "import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url);";

/** Where the bundle of a test file lies. */
export function bundleOf(kind: Kind, file: TestFile): string {
  return join(output, kind.name, outputName(file));
}

function outputName({ path }: TestFile): string {
  return `${path.replace(/\.ts$/, '').replaceAll('/', '.')}.mjs`;
}

/** Each bundle exports one function by default, which runs its tests: `run` of inside/main.ts without its first arguments. */
export async function bundle(kind: Kind, files: readonly TestFile[]): Promise<void> {
  await build({
    entryPoints: files.map((file) => ({ in: `entry:${file.path}`, out: outputName(file).replace(/\.mjs$/, '') })),
    outdir: join(output, kind.name),
    outExtension: { '.js': '.mjs' },
    bundle: true,
    format: 'esm',
    platform: kind.hasNode ? 'node' : 'browser',
    target: kind.target,
    conditions: ['built'],
    // CommonJS inside of the libraries for tests asks for some of Node's modules.
    ...(kind.hasNode ? { banner: { js: requireOfNode } } : { external: ['timers'] }),
    plugins: [testsIn(kind)],
    logLevel: 'error',
  });
}

function testsIn(kind: Kind): Plugin {
  return {
    name: 'tests',
    setup(builder) {
      builder.onResolve({ filter: /^entry:/ }, ({ path }) => ({
        path: path.slice('entry:'.length),
        namespace: 'entry',
      }));
      builder.onLoad({ filter: /.*/, namespace: 'entry' }, ({ path }) => entryOf(path));
      if (!kind.hasNode) builder.onResolve({ filter: /^util$/ }, () => ({ path: 'util', namespace: 'stand-in' }));
      builder.onResolve({ filter: /^vitest$/ }, () => ({ path: join(inside, 'vitest.ts') }));
      // Libraries may have parts for Node that no test uses. Of our packages none has: for them this would be an error.
      if (!kind.hasNode) {
        builder.onResolve({ filter: /^node:/ }, ({ path, importer }) =>
          importer.includes('/node_modules/') ? { path, namespace: 'stand-in' } : undefined,
        );
      }
      builder.onResolve({ filter: /^[^./]/ }, async (args) => {
        if (args.pluginData === 'resolved' || !isTest(args.importer)) return;
        if (isStandIn(args.path, args.importer, kind)) return { path: args.path, namespace: 'stand-in' };
        if (!kind.hasNode) return;
        if (isOurs(args.path) || args.path.startsWith('node:')) return;
        // Left where it is, so that it finds what it needs there.
        const { resolveDir, kind: how } = args;
        const { path } = await builder.resolve(args.path, { resolveDir, kind: how, pluginData: 'resolved' });
        return { path: pathToFileURL(path).href, external: true };
      });
      builder.onLoad({ filter: /.*/, namespace: 'stand-in' }, ({ path }) => standIn(path, kind));
      builder.onLoad({ filter: /\.ts$/ }, ({ path }) => (isTest(path) ? testSource(path, kind) : undefined));
    },
  };
}

function isTest(path: string): boolean {
  return /^(packages\/[^/]+\/test|test\/(conformance|leak|runtimes\/fixtures))\//.test(
    relative(root, path).replaceAll('\\', '/'),
  );
}

/** What goes into the bundle: our packages with the peers that they cannot do without, and what makes up random cases. */
function isOurs(specifier: string): boolean {
  return (
    specifier.startsWith('@quiesce/') ||
    libraries.some((name) => specifier === name || specifier.startsWith(`${name}/`))
  );
}

function peersOf({ manifest }: Package): string[] {
  const { peerDependencies = {}, peerDependenciesMeta = {} } = manifest;
  return Object.keys(peerDependencies).filter((name) => peerDependenciesMeta[name]?.optional !== true);
}

function entryOf(path: string): OnLoadResult {
  // Nothing runs before it is called: workerd allows no timers and no chance outside of a request.
  const contents = `export default async (options) => {
    const { run } = await import(${JSON.stringify(join(inside, 'main.ts'))});
    return run(${JSON.stringify(path)}, () => import(${JSON.stringify(join(root, path))}), options);
  };`;
  return { contents, resolveDir: root };
}

/** Whether what a test imports is not there, and gets a stand-in by which the tests that use it are skipped. */
function isStandIn(specifier: string, importer: string, kind: Kind): boolean {
  if (specifier === 'vitest' || specifier.startsWith('.')) return false;
  // These tests are about what happens when one does import it.
  if (isOurs(specifier) && importer.endsWith('/node-only.test.ts')) return false;
  if (Object.hasOwn(kind.without ?? {}, specifier)) return true;
  return !kind.hasNode && (!isOurs(specifier) || needNode.includes(specifier));
}

/** Modules that a bundle without Node has a part of, by their names in inside/files.ts. */
const parts: Readonly<Record<string, string>> = { 'node:fs': 'fs', 'node:path': 'path', 'node:url': 'url' };

function standIn(specifier: string, kind: Kind): OnLoadResult {
  // fake-timers asks for it wherever there is a `process`, and does without what is not in it.
  if (specifier === 'util') return { contents: 'module.exports = {};' };
  const what = kind.without?.[specifier] ?? (needNode.includes(specifier) ? `Node, as ${specifier} does` : specifier);
  const part = parts[specifier];
  const some = part === undefined ? '{}' : `require(${JSON.stringify(join(inside, 'files.ts'))}).${part}`;
  const contents = `module.exports = require(${JSON.stringify(join(inside, 'missing.ts'))}).partial(${JSON.stringify(what)}, ${some});`;
  return { contents, resolveDir: root };
}

/** A test as it was written, with its own place in the clone, and with `process` and `setImmediate` where there are none. */
async function testSource(path: string, kind: Kind): Promise<OnLoadResult> {
  const source = await readFile(path, 'utf8');
  const before: string[] = [];
  const from = (file: string): string => JSON.stringify(join(inside, file));
  if (!kind.hasNode) {
    if (/\bprocess[.,)]/.test(source)) before.push(`import { host as process } from ${from('host.ts')};`);
    if (/\bsetImmediate\(/.test(source)) before.push(`import { setImmediate } from ${from('turn.ts')};`);
    const files = filesNamedIn(source, path);
    if (Object.keys(files).length > 0) {
      before.push(`import { inline } from ${from('files.ts')};`, `inline(${JSON.stringify(files)});`);
    }
  }
  const placed = source
    .replaceAll(/import (?:\* as )?(\w+)(?:, (\{[^}]*\}))? from '([^']+)'/g, (whole, name, named, specifier) => {
      if (!isStandIn(specifier, path, kind)) return whole;
      const all = `import { standIn as ${name} } from '${specifier}'`;
      return named === undefined ? all : `${all}; import ${named} from '${specifier}'`;
    })
    .replaceAll('import.meta.url', JSON.stringify(pathToFileURL(path).href));
  // On the first line, so that the numbers of all others stay.
  return { contents: before.join(' ') + placed, loader: 'ts' };
}

/** The files that a test names by `new URL('…', import.meta.url)`, and those of a folder that it names, with what is in them. */
function filesNamedIn(source: string, importer: string): Record<string, string> {
  const named = [...source.matchAll(/new URL\('([^']+)', import\.meta\.url\)/g)].map(([, name]) =>
    join(dirname(importer), String(name)),
  );
  const traces = process.env['TOKIO_TRACES'];
  if (traces && source.includes('TOKIO_TRACES')) named.push(traces);
  const paths = named.filter((path) => existsSync(path) && !path.endsWith('.ts')).flatMap(filesAt);
  return Object.fromEntries(paths.map((path) => [path, readFileSync(path, 'utf8')]));
}

function filesAt(path: string): string[] {
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path).map((name) => join(path, name));
}
