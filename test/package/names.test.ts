// What is built: the bundler renames classes and functions, and errors, stacks and logs show those names.
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { describe, expect, test } from 'vitest';
import { outputName, publicPackages } from './packages.ts';

const require = createRequire(import.meta.url);

/** Exports whose function has another name: `exported is called actual`. */
function misnamed(exports: object): string[] {
  return Object.entries(exports).flatMap(([name, value]) =>
    typeof value === 'function' && value.name !== name ? [`${name} is called ${JSON.stringify(value.name)}`] : [],
  );
}

describe.each(publicPackages())('what $manifest.name exports, as built,', ({ directory, entries }) => {
  for (const subpath of entries.keys()) {
    const built = `${directory}/dist/${outputName(subpath)}`;

    test(`is called by the name that it is exported by: import of ${subpath}`, async () => {
      expect(misnamed(await import(pathToFileURL(`${built}.js`).href))).toEqual([]);
    });

    test(`is called by the name that it is exported by: require of ${subpath}`, () => {
      expect(misnamed(require(`${built}.cjs`))).toEqual([]);
    });
  }

  test('comes from classes that have the names that they have in the sources', () => {
    const dist = `${directory}/dist`;
    const renamed = readdirSync(dist)
      .filter((file) => /\.c?js$/.test(file))
      .flatMap((file) => {
        const code = readFileSync(`${dist}/${file}`, 'utf8');
        return [...code.matchAll(/\bclass (_\w+|\w+\d) (?:extends \w+ )?\{/g)].map(([, name]) => `${file}: ${name}`);
      });
    expect(renamed).toEqual([]);
  });
});
