// Lists every name that users can import in one file. A change of the vocabulary is visible in its diff.
import ts from 'typescript';
import { expect, test } from 'vitest';
import { publicPackages, root } from '../package/packages.ts';

const entries = publicPackages().flatMap(({ manifest, directory, entries }) =>
  [...entries].map(([subpath, source]) => ({
    name: manifest.name + subpath.slice(1),
    file: directory + source.slice(1),
  })),
);
const program = ts.createProgram(
  entries.map(({ file }) => file),
  { module: ts.ModuleKind.NodeNext, target: ts.ScriptTarget.ES2022, allowImportingTsExtensions: true, noEmit: true },
);

/** The names of types, which do not exist at run time. */
function typesOf(file: string, values: readonly string[]): string[] {
  const checker = program.getTypeChecker();
  const source = program.getSourceFile(file);
  const module = source && checker.getSymbolAtLocation(source);
  if (module === undefined) throw new Error(`${file} is no module`);
  return checker
    .getExportsOfModule(module)
    .map(({ name }) => name)
    .filter((name) => !values.includes(name));
}

test('exactly these names are exported', async () => {
  let listed = '';
  for (const { name, file } of entries) {
    const values = Object.keys((await import(name)) as object);
    const types = typesOf(file, values).map((type) => `type ${type}`);
    const lines = [...values.sort(), ...types.sort()].map((line) => `  ${line}\n`);
    listed += `${name}\n${lines.join('')}\n`;
  }
  await expect(listed).toMatchFileSnapshot(`${root}test/types/exports.txt`);
});
