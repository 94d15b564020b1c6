// `quiesce` costs what the small packages cost: a bundler finds the same code behind each name.
import { readFileSync } from 'node:fs';
import { build } from 'esbuild';
import { expect, test } from 'vitest';
import { publicPackages, root } from './packages.ts';

const umbrella = 'quiesce';
/** Bytes. A minifier gives names in the order of the modules, so a few of them are one letter longer. */
const TOLERANCE = 32;
const subpaths = ['', '/node', '/testing', '/web'];
const small = publicPackages().flatMap(({ manifest, entries }) =>
  manifest.name === umbrella ? [] : [...entries.keys()].map((subpath) => manifest.name + subpath.slice(1)),
);

/** The names of each module, types included, as test/types/exports.test.ts checks them. */
const listed = new Map(
  readFileSync(`${root}test/types/exports.txt`, 'utf8')
    .trimEnd()
    .split('\n\n')
    .map((block) => block.split('\n').map((line) => line.trim()))
    .map(([module = '', ...names]) => [module, names]),
);

/** Returns the size of a bundle in bytes, and what it declares at its top level. A bundler numbers names that collide. */
async function bundled(name: string, from: string): Promise<{ bytes: number; declared: string[] }> {
  const [small, readable] = await Promise.all([bundle(name, from, true), bundle(name, from, false)]);
  const declared = readable.matchAll(/^(?:var|let|(?:async )?function\*?|class) (\w+)/gm);
  return {
    bytes: small.length,
    declared: [...declared].map(([, declaration = '']) => declaration.replace(/\d+$/, '')).sort(),
  };
}

async function bundle(name: string, from: string, isSmall: boolean): Promise<string> {
  const { outputFiles } = await build({
    stdin: { contents: `export { ${name} } from '${from}';`, resolveDir: `${root}packages/${umbrella}` },
    bundle: true,
    write: false,
    ...(isSmall ? { minify: true } : { minifySyntax: true }),
    format: 'esm',
    platform: 'node',
    conditions: ['built'],
  });
  return outputFiles[0]?.text ?? '';
}

test.each(subpaths.map((subpath) => [umbrella + subpath, subpath]))(
  '%s is as small as the packages',
  async (entry, subpath) => {
    const names = Object.keys((await import(entry)) as object);
    expect(names.length).toBeGreaterThan(1);
    const homes = await Promise.all(small.map(async (from) => [from, (await import(from)) as object] as const));
    for (const name of names) {
      // A name of two subpaths is the same function, under the types of each.
      const found = homes.filter(([, home]) => name in home).map(([from]) => from);
      const from = found.find((home) => home.endsWith(subpath)) ?? found[0];
      if (from === undefined) throw new Error(`no package exports ${name}`);
      const [own, other] = await Promise.all([bundled(name, entry), bundled(name, from)]);
      expect(own.declared, name).toEqual(other.declared);
      expect(Math.abs(own.bytes - other.bytes), name).toBeLessThan(TOLERANCE);
    }
  },
);

test('every name of the packages is there, types included, except those of Effect, of the adapters and of the fleet', () => {
  const exported = new Set(subpaths.flatMap((subpath) => listed.get(umbrella + subpath) ?? []));
  expect(exported.size).toBeGreaterThan(200);
  for (const from of small.filter((name) => !/^@quiesce\/(?:adapters|effect|fleet)\b/.test(name))) {
    expect(listed.get(from)?.length, from).toBeGreaterThan(0);
    expect(
      listed.get(from)?.filter((name) => !exported.has(name)),
      from,
    ).toEqual([]);
  }
});
