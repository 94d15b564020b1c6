// Tests of the built files: the bundler renames classes and functions, and errors, stacks and logs show those names.
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { describe, expect, test } from 'vitest';
import { outputName, publicPackages } from './packages.ts';

/** Made by Effect, which also names it. */
const foreign = ['CurrentShutdown'];

/** Prints exports whose function has another name: `exported is called actual`. Runs in a process of its own, where all packages are built. */
function misnamed(load: string): unknown {
  const program = `
    import { createRequire } from 'node:module';
    const require = createRequire(${JSON.stringify(import.meta.url)});
    const wrong = Object.entries(${load}).flatMap(([name, value]) =>
      typeof value === 'function' && value.name !== name && !${JSON.stringify(foreign)}.includes(name) ? [name + ' is called ' + JSON.stringify(value.name)] : [],
    );
    console.log(JSON.stringify(wrong));`;
  const args = ['--conditions=built', '--input-type=module', '--eval', program];
  return JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' }));
}

describe.each(publicPackages())('the built exports of $manifest.name', ({ directory, entries }) => {
  for (const subpath of entries.keys()) {
    const built = `${directory}/dist/${outputName(subpath)}`;

    test(`have functions of the same names in an import of ${subpath}`, () => {
      expect(misnamed(`await import(${JSON.stringify(pathToFileURL(`${built}.js`).href)})`)).toEqual([]);
    });

    test(`have functions of the same names in a require of ${subpath}`, () => {
      expect(misnamed(`require(${JSON.stringify(`${built}.cjs`)})`)).toEqual([]);
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
