// Vite's part of running test files where Node's modules are missing: imports get stand-ins, and globals come from host.ts.
import { relative } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { Plugin } from 'vitest/config';
import { nodeOnlyEntries, publicPackages, root } from '../../package/packages.ts';

/** Exports of files.ts, which are there. */
const files = new Set(['existsSync', 'fileURLToPath', 'join', 'readFileSync', 'readdirSync']);
const inWorker = 'in-worker';
/** Modules of Node are renamed: vitest leaves `node:` to the runtime, and workerd has some of them. */
const toMissing = 'missing:';
const prefix = '\0missing:';
const path = (file: string): string => JSON.stringify(fileURLToPath(new URL(file, import.meta.url)));
/** Packages that test files may import where there is no Node: ours, their peers, and the test runner's. */
const portable = [
  ...['vitest', 'fast-check'],
  ...publicPackages().flatMap(({ manifest }) => [manifest.name, ...Object.keys(manifest.peerDependencies ?? {})]),
].filter((name) => !name.startsWith('@types/'));
const needNode = nodeOnlyEntries();

function isTest(file: string | undefined): file is string {
  return /^(packages\/[^/]+\/test|test\/(conformance|leak))\//.test(relative(root, file ?? ''));
}

function isMissing(specifier: string, importer: string): boolean {
  if (/^[./\0]/.test(specifier)) return false;
  // This file tests the error of an import where Node is missing.
  if (needNode.includes(specifier)) return !importer.endsWith('/node-only.test.ts');
  return !portable.some((name) => specifier === name || specifier.startsWith(`${name}/`));
}

/** @param where whether a test file runs in the page or in a Web Worker of it */
export function webTests(where: 'page' | 'worker' = 'page'): Plugin {
  return {
    name: 'quiesce:web-tests',
    enforce: 'pre',
    async resolveId(specifier, importer) {
      if (specifier.startsWith(toMissing)) {
        const name = specifier.slice(toMissing.length);
        return `${prefix}${name}?${name}`;
      }
      if (!isTest(importer?.split('?')[0]) || !isMissing(specifier, String(importer))) return;
      const found = await this.resolve(specifier, importer, { skipSelf: true });
      return `${prefix}${specifier}?${found?.id ?? specifier}`;
    },
    async load(id) {
      if (!id.startsWith(prefix)) return;
      const [specifier = '', found = ''] = id.slice(prefix.length).split('?');
      const exported = Object.keys(await import(found.startsWith('/') ? pathToFileURL(found).href : found));
      const what = needNode.includes(specifier) ? `Node, as ${specifier} does` : specifier;
      const names = exported.filter((name) => /^\w+$/.test(name) && name !== 'default');
      return [
        `import { missing } from ${path('missing.ts')};`,
        `import * as files from ${path('files.ts')};`,
        `const standIn = missing(${JSON.stringify(what)});`,
        'export default standIn;',
        ...names.map((name) =>
          files.has(name) ? `export const ${name} = files.${name};` : `const ${name}_ = standIn.${name}; export { ${name}_ as ${name} };`,
        ),
      ].join('\n');
    },
    transform(source, id) {
      const [file = '', query] = id.split('?');
      if (!isTest(file)) return;
      if (where === 'worker' && /\.(test|leak)\.ts$/.test(file) && query !== inWorker) {
        const url = JSON.stringify(`/${relative(root, file)}?${inWorker}`);
        return { code: `import { runInWorker } from ${path('mirror.ts')}; await runInWorker(${url});`, map: null };
      }
      const code = source.replaceAll(/ from '(node:[\w/]+)'/g, (_, name) => ` from ${JSON.stringify(toMissing + name)}`);
      const before: string[] = [];
      if (/\bprocess[.,)]/.test(code)) before.push(`import { process } from ${path('host.ts')};`);
      if (/\bsetImmediate\(/.test(code)) before.push(`import { setImmediate } from ${path('host.ts')};`);
      const place = JSON.stringify(`file:///${relative(root, file)}`);
      return { code: before.join(' ') + code.replaceAll('import.meta.url', place), map: null };
    },
  };
}
