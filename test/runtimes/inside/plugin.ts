// The part of Vite that runs test files without Node's modules: imports get stand-ins, and globals come from host.ts.
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Plugin } from 'vitest/config';
import { nodeOnlyEntries, type Package, publicPackages, root } from '../../package/packages.ts';

const inWorker = 'in-worker';
/** The prefix of a renamed import: vitest would leave `node:` to the runtime, and workerd has some of these modules. */
const renamed = 'missing:';
const resolved = '\0missing:';
const path = (file: string): string => JSON.stringify(fileURLToPath(new URL(file, import.meta.url)));
/** Exports of files.ts. */
const files = new Set(['existsSync', 'fileURLToPath', 'join', 'readFileSync', 'readdirSync']);

const needNode = nodeOnlyEntries();
/** Packages that test files may import without Node. */
const portable = new Set(['vitest', 'fast-check', ...publicPackages().flatMap(neededPeers)]);

function neededPeers({ manifest }: Package): string[] {
  const { peerDependencies = {}, peerDependenciesMeta = {} } = manifest;
  return Object.keys(peerDependencies).filter((name) => peerDependenciesMeta[name]?.optional !== true);
}

/** Runtimes whose `node:http` is not built on `node:net`. */
const ownServers = Object.fromEntries(
  ['http-drain', 'adapters/express', 'adapters/fastify', 'adapters/hono', 'adapters/koa', 'adapters/nest'].map(
    (name) => [`@quiesce/${name}`, 'HTTP servers that are built on node:net, as @quiesce/http-drain does'],
  ),
);
/** Modules that a runtime with Node's modules lacks, with the reason. */
const lacks: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  bun: { ...ownServers, undici: 'the package undici, in place of which Bun loads a module of its own' },
  deno: {
    ...ownServers,
    '@quiesce/worker-pool/node': 'ports that deliver a message at once, as @quiesce/worker-pool/node does',
    'node:child_process': 'Node as a command, for child processes that import TypeScript',
  },
};

function isTest(file: string | undefined): file is string {
  return /^(packages\/[^/]+\/test|test\/(conformance|leak|runtimes\/fixtures))\//.test(relative(root, file ?? ''));
}

/** The part of a stand-in's reason that follows "needs", or `undefined` for a module that is there. */
function lackOf(specifier: string, importer: string, id: string): string | undefined {
  // This file tests the error of an import where Node is missing.
  if (/^[./\0]/.test(specifier) || (needNode.includes(specifier) && importer.endsWith('/node-only.test.ts'))) return;
  if (!isWeb(id)) return lacks[id]?.[specifier];
  if (needNode.includes(specifier)) return `Node, as ${specifier} does`;
  const [home = ''] = specifier.split('/');
  const isPortable = home === '@quiesce' || home === 'quiesce' || portable.has(home);
  return isPortable ? undefined : specifier;
}

/** Whether a runtime lacks Node's modules. */
export function isWeb(id: string): boolean {
  return id === 'workerd' || id === 'page' || id === 'worker';
}

/** A module with the exports that a test file imports. */
function standIn(what: string, names: readonly string[]): string {
  const lines = names.map((name) =>
    files.has(name) ? `export { ${name} } from ${path('files.ts')};` : `export const ${name} = standIn.${name};`,
  );
  return [
    `import { missing } from ${path('missing.ts')};`,
    `const standIn = missing(${JSON.stringify(what)});`,
    'export default standIn;',
    ...lines,
  ].join('\n');
}

/** The names of the values that an import clause takes from a module. */
function namesIn(clause: string): string[] {
  const [, inBraces = ''] = /\{([^}]*)\}/.exec(clause) ?? [];
  const names = inBraces.split(',').map((name) => name.trim().split(' as ')[0] ?? '');
  return names.filter((name) => name !== '' && !name.startsWith('type '));
}

/** @param id of the runtime */
export function standIns(id: string): Plugin {
  return {
    name: 'quiesce:stand-ins',
    enforce: 'pre',
    resolveId: (specifier) => (specifier.startsWith(renamed) ? `\0${specifier}` : undefined),
    load(module) {
      if (!module.startsWith(resolved)) return;
      const [specifier = '', query] = module.slice(resolved.length).split('?');
      const names = new URLSearchParams(query).get('names') ?? '';
      return standIn(lackOf(specifier, '', id) ?? specifier, names.split(',').filter(Boolean));
    },
    transform(source, module) {
      const [file = '', query] = module.split('?');
      // The texts of tests, which files.ts imports.
      if (!isTest(file) || query === 'raw') return;
      const place = relative(root, file).replaceAll('\\', '/');
      if (id === 'worker' && /\.(test|leak)\.ts$/.test(file) && query !== inWorker) {
        const url = JSON.stringify(`/${place}?${inWorker}`);
        return { code: `import { runInWorker } from ${path('mirror.ts')}; await runInWorker(${url});`, map: null };
      }
      const before: string[] = [];
      let code = source
        .replaceAll(/^import (?!type )([^';]*?) from '([^']+)'/gm, (whole, clause: string, specifier: string) => {
          // This module bundles programs that tests start as processes.
          const needed = specifier.endsWith('/test/programs.ts') ? 'node:child_process' : specifier;
          if (lackOf(needed, file, id) === undefined) return whole;
          return `import ${clause.replace('* as ', '')} from '${renamed}${needed}?names=${namesIn(clause)}'`;
        })
        .replaceAll(/\bimport\('([^']+)'\)/g, (whole, specifier: string) =>
          lackOf(specifier, file, id) === undefined
            ? whole
            : `import('${renamed}${specifier}').then((module) => module.default)`,
        );
      if (isWeb(id)) {
        code = code.replaceAll('import.meta.url', JSON.stringify(`file:///${place}`));
        if (/\bprocess[.,)]/.test(code)) before.push(`import { process } from ${path('host.ts')};`);
        if (/\bsetImmediate\(/.test(code) && !/^import [^;]*\bsetImmediate\b/m.test(source))
          before.push(`import { setImmediate } from ${path('host.ts')};`);
      }
      // On the first line, so that the numbers of all lines stay.
      return { code: before.join(' ') + code, map: null };
    },
  };
}
