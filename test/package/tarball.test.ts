import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { tarballOf } from './pack.ts';
import { type Manifest, outputName, publicPackages } from './packages.ts';

const reference = '/// <reference lib="esnext.disposable" />\n';

describe.each(publicPackages())('the tarball of $manifest.name', (found) => {
  const tarball = tarballOf(found);
  const files = tar('-tzf', tarball).trim().split('\n').map(withoutRoot);
  const folder = mkdtempSync(join(tmpdir(), 'quiesce-tarball-'));
  tar('-xzf', tarball, '-C', folder);
  const read = (file: string): string => readFileSync(join(folder, 'package', file), 'utf8');
  const packed = JSON.parse(read('package.json')) as Manifest;

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test('holds dist, package.json, README.md and LICENSE, and nothing else', () => {
    expect(files.filter((file) => !file.startsWith('dist/')).sort()).toEqual(['LICENSE', 'README.md', 'package.json']);
  });

  test('names the library that its declarations need, in the first line of each declaration file', () => {
    const declarations = files.filter((file) => /\.d\.c?ts$/.test(file));
    expect(declarations).not.toEqual([]);
    for (const file of declarations) expect(read(file).slice(0, reference.length), file).toBe(reference);
  });

  test('exports the built files, types first, for every subpath of the workspace', () => {
    expect(JSON.stringify(packed.exports, null, 2)).toBe(
      JSON.stringify(published([...found.entries.keys(), ...found.internals.keys()]), null, 2),
    );
  });

  test('depends only on published versions of published packages', () => {
    const { dependencies = {}, peerDependencies = {} } = packed;
    expect(JSON.stringify(packed)).not.toContain('workspace:');
    expect({ ...dependencies, ...peerDependencies }).not.toHaveProperty('@quiesce/internal');
    expect(packed.scripts ?? {}).toEqual({});
  });

  test('has source maps that contain their sources, under relative names', () => {
    for (const file of files.filter((name) => name.endsWith('.map'))) {
      const map = JSON.parse(read(file)) as { sources: string[]; sourcesContent?: (string | null)[] };
      for (const source of map.sources) expect(source).toMatch(/^\.\.\/(src|\.\.\/internal\/src)\//);
      // A file that only re-exports has no sources.
      expect((map.sourcesContent ?? []).filter((content) => content !== null)).toHaveLength(map.sources.length);
    }
  });

  test('keeps private fields and static blocks native', () => {
    for (const file of files.filter((name) => /\.c?js$/.test(name))) {
      expect(read(file), file).not.toMatch(
        /__privateGet|__privateAdd|__publicField|__init\b|new WeakMap\(\); \/\/ private/,
      );
    }
  });
});

/** Returns the expected `publishConfig.exports`. */
function published(subpaths: string[]): object {
  const of = (output: string) => ({
    import: { types: `./dist/${output}.d.ts`, default: `./dist/${output}.js` },
    require: { types: `./dist/${output}.d.cts`, default: `./dist/${output}.cjs` },
  });
  const entries = subpaths.map((subpath) => [subpath, of(outputName(subpath))]);
  return { ...Object.fromEntries(entries), './package.json': './package.json' };
}

function withoutRoot(path: string): string {
  return path.replace(/^(\.|package)\//, '');
}

function tar(...args: string[]): string {
  return execFileSync('tar', args, { encoding: 'utf8' });
}
