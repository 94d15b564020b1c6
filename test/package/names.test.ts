// Tests of the built files: the bundler renames classes and functions, and errors, stacks and logs show those names.
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';
import { outputName, publicPackages } from './packages.ts';

/** Made by Effect, which also names it. */
const foreign = ['CurrentShutdown'];

const builtFiles = publicPackages().flatMap(({ directory, entries }) =>
  [...entries.keys()].flatMap((subpath) => ['js', 'cjs'].map((type) => builtFile(directory, subpath, type))),
);

function builtFile(directory: string, subpath: string, type: string): string {
  return `${directory}/dist/${outputName(subpath)}.${type}`;
}

/** The exports of each file whose function has another name: `exported is called actual`. */
let misnamed: Record<string, unknown>;

// Loads the files in a process of their own, where all packages are built.
beforeAll(() => {
  const program = `
    import { createRequire } from 'node:module';
    import { pathToFileURL } from 'node:url';
    const require = createRequire(${JSON.stringify(import.meta.url)});
    const misnamed = {};
    for (const file of ${JSON.stringify(builtFiles)}) {
      const exported = file.endsWith('.cjs') ? require(file) : await import(pathToFileURL(file).href);
      misnamed[file] = Object.entries(exported).flatMap(([name, value]) =>
        typeof value === 'function' && value.name !== name && !${JSON.stringify(foreign)}.includes(name) ? [name + ' is called ' + JSON.stringify(value.name)] : [],
      );
    }
    console.log(JSON.stringify(misnamed));
    process.exit();`;
  const args = ['--conditions=built', '--input-type=module', '--eval', program];
  misnamed = JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' }));
});

describe.each(publicPackages())('the built exports of $manifest.name', ({ directory, entries }) => {
  for (const subpath of entries.keys()) {
    test.each([
      ['an import', 'js'],
      ['a require', 'cjs'],
    ])(`have functions of the same names in %s of ${subpath}`, (_, type) => {
      expect(misnamed[builtFile(directory, subpath, type)]).toEqual([]);
    });
  }

  test('come from classes and functions that keep their names of the sources', () => {
    const dist = `${directory}/dist`;
    const renamed = readdirSync(dist)
      .filter((file) => /\.c?js$/.test(file))
      .flatMap((file) => {
        const code = readFileSync(`${dist}/${file}`, 'utf8');
        const classes = code.matchAll(/\bclass (_\w+|\w+\d) (?:extends \w+ )?\{/g);
        // esbuild numbers functions of the same name, across modules: rename one of them.
        const functions = code.matchAll(/\bfunction\*? (\w+\d)\(/g);
        const arrows = code.matchAll(/\b(?:const|let|var) (\w+\d) = (?:async )?(?:\([^()]*\) =>|\w+ =>|function\b)/g);
        return [...classes, ...functions, ...arrows].map(([, name]) => `${file}: ${name}`);
      });
    expect(renamed).toEqual([]);
  });
});
