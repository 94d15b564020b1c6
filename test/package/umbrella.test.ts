// `quiesce` costs what the small packages cost: a bundler finds the same code behind each name.
import { build } from 'esbuild';
import { expect, test } from 'vitest';
import { publicPackages, root } from './packages.ts';

const umbrella = 'quiesce';
const subpaths = ['', '/node', '/testing', '/web'];
const small = publicPackages().flatMap(({ manifest, entries }) =>
  manifest.name === umbrella ? [] : [...entries.keys()].map((subpath) => manifest.name + subpath.slice(1)),
);

/** What a bundle declares at its top level. A bundler numbers names that collide. */
async function bundled(name: string, from: string): Promise<string[]> {
  const { outputFiles } = await build({
    stdin: { contents: `export { ${name} } from '${from}';`, resolveDir: `${root}packages/${umbrella}` },
    bundle: true,
    write: false,
    minifySyntax: true,
    format: 'esm',
    platform: 'node',
    conditions: ['built'],
  });
  const declared = (outputFiles[0]?.text ?? '').matchAll(/^(?:var|let|(?:async )?function\*?|class) (\w+)/gm);
  return [...declared].map(([, declaration = '']) => declaration.replace(/\d+$/, '')).sort();
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
      expect(await bundled(name, entry), name).toEqual(await bundled(name, from));
    }
  },
);

test('every name of the packages is there, but for those of Effect, of the adapters and of the fleet', async () => {
  const exported = new Set<string>();
  for (const subpath of subpaths) {
    for (const name of Object.keys((await import(umbrella + subpath)) as object)) exported.add(name);
  }
  for (const from of small.filter((name) => !/^@quiesce\/(?:adapters|effect|fleet)\b/.test(name))) {
    expect(Object.keys((await import(from)) as object).filter((name) => !exported.has(name))).toEqual([]);
  }
});
