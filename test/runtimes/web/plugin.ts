// Vite's part of running test files where Node's modules are missing: imports get stand-ins, and globals come from host.ts.
import { relative } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { Plugin } from 'vitest/config';
import { nodeOnlyEntries, publicPackages, root } from '../../package/packages.ts';

/** Exports of files.ts, which are there. */
const files = new Set(['existsSync', 'fileURLToPath', 'join', 'readFileSync', 'readdirSync']);
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

export function webTests(): Plugin {
  return {
    name: 'quiesce:web-tests',
    enforce: 'pre',
    async resolveId(specifier, importer) {
      if (!isTest(importer) || !isMissing(specifier, importer)) return;
      const found = specifier.startsWith('node:') ? null : await this.resolve(specifier, importer, { skipSelf: true });
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
    transform(code, id) {
      if (!isTest(id)) return;
      const before: string[] = [];
      if (/\bprocess[.,)]/.test(code)) before.push(`import { process } from ${path('host.ts')};`);
      if (/\bsetImmediate\(/.test(code)) before.push(`import { setImmediate } from ${path('host.ts')};`);
      const place = JSON.stringify(`file:///${relative(root, id)}`);
      return { code: before.join(' ') + code.replaceAll('import.meta.url', place), map: null };
    },
  };
}
