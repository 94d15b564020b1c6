// A package runs everywhere unless its package.json lists subpaths under `"quiesce": { "nodeOnly": ["."] }`. In all other sources
// the compiler (`types: []`) and the linter (`noNodejsModules`) refuse Node's globals and modules. A package may use some modules
// where they exist, and lists them under `nodeIfThere`. These tests compare the lists with the sources.
import { readFileSync } from 'node:fs';
import { join, normalize, relative } from 'node:path';
import ts from 'typescript';
import { describe, expect, it, test } from 'vitest';
import { nodeOnly, nodeOnlyEntries, publicPackages, root } from '../package/packages.ts';

const host = { ...ts.sys, onUnRecoverableConfigFileDiagnostic: () => {} };
/** The sources that are compiled without Node's types. */
const everywhere =
  ts
    .getParsedCommandLineOfConfigFile(join(root, 'test/tsconfig.everywhere.json'), undefined, host)
    ?.fileNames.map(normalize) ?? [];

describe.each(publicPackages())('$manifest.name', (found) => {
  const { manifest, directory, entries } = found;
  const sources = everywhere.filter((file) => file.startsWith(join(directory, 'src')));

  it("lists as `nodeOnly` the subpaths whose sources are compiled with Node's types, and no others", () => {
    const compiledForNode = [...entries].filter(([, source]) => !everywhere.includes(join(directory, source)));
    expect(nodeOnly(found)).toEqual(compiledForNode.map(([subpath]) => subpath));
    if (compiledForNode.length > 0) expect(manifest.engines?.node).toBeDefined();
  });

  it('gets the modules in `nodeIfThere` with `getBuiltinModule?.`, and no others', () => {
    const loaded = sources.flatMap((file) =>
      [...readFileSync(file, 'utf8').matchAll(/getBuiltinModule(?!\?: )(?:\?\.\('([\w:/]+)'\))?/g)].map(
        ([, module]) => module ?? `something in ${relative(root, file)}`,
      ),
    );
    expect(loaded).toEqual(manifest.quiesce?.nodeIfThere ?? []);
  });

  it('imports no module whose name is known only at run time', () => {
    const computed = sources.filter((file) =>
      /^(?!\s*(?:\*|\/\/)).*\bimport\((?!['"])/m.test(readFileSync(file, 'utf8')),
    );
    expect(computed).toEqual([]);
  });
});

test('test/conformance/node-only.test.ts has a case for every subpath that runs on Node only', () => {
  const cases = readFileSync(join(root, 'test/conformance/node-only.test.ts'), 'utf8');
  for (const entry of nodeOnlyEntries()) expect(cases).toContain(`import('${entry}')`);
});
