import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { adapters } from '../conformance/replay/adapters.ts';
import { isOwn, readSuite } from '../conformance/replay/recordings.ts';
import { nodeOnlyEntries, publicPackages } from '../package/packages.ts';
import { filesIn, textOf } from './fences.ts';

const readme = textOf('README.md');
const manifests = publicPackages().map(({ manifest }) => manifest);

it('docs/design.md lists the packages that each package imports', () => {
  const design = textOf('docs/design.md');
  for (const { name, dependencies = {} } of manifests) {
    const needed = Object.keys(dependencies).map((name) => `\`${name.replace('@quiesce/', '')}\``);
    expect(design).toContain(`- \`${name.replace('@quiesce/', '')}\` → ${needed.sort().join(', ') || 'nothing'}\n`);
  }
});

it('docs/design.md links to every file with numbered invariants, and to no other file', () => {
  const [, invariants = ''] = /## The laws and the invariants\n([\s\S]*?)\n## /.exec(textOf('docs/design.md')) ?? [];
  const linked = [...invariants.matchAll(/\]\(\.\.\/(packages\/[^)]+\.ts)\)/g)].map(([, file]) => file);
  const sources = filesIn('packages/').filter((file) => /^packages\/[^/]+\/src\/.*\.ts$/.test(file));
  const numbered = sources.filter((file) => /^ \* Invariants\n \* {2}1\. /m.test(textOf(file)));
  expect(linked.sort()).toEqual(numbered.sort());
});

it.each(publicPackages())(
  'the README of $folder names everything that can be imported from the package',
  async (found) => {
    const text = textOf(`packages/${found.folder}/README.md`);
    for (const subpath of found.entries.keys()) {
      const names = Object.keys((await import(found.manifest.name + subpath.slice(1))) as object);
      expect(names.filter((name) => !new RegExp(`\\b${name}\\b`).test(text))).toEqual([]);
    }
  },
);

it('docs/guide/guarantees.md names every entry that imports modules of Node, except those of the adapters and of the umbrella', () => {
  const [row = ''] = /^\| Only `quiesce\/node`.*$/m.exec(textOf('docs/guide/guarantees.md')) ?? [];
  const entries = nodeOnlyEntries().filter((entry) => !/^(?:@quiesce\/adapters|quiesce)\b/.test(entry));
  expect(entries.length).toBeGreaterThan(3);
  expect(entries.filter((entry) => !row.includes(`\`${entry}\``))).toEqual([]);
});

describe('the README', () => {
  it('is right that the packages depend only on each other, and the one for tests on fake timers', () => {
    const needed = manifests.flatMap(({ dependencies = {} }) => Object.keys(dependencies));
    expect(needed.filter((name) => !name.startsWith('@quiesce/'))).toEqual(['@sinonjs/fake-timers']);
    expect(readme).toContain('**No dependencies**, except fake timers for `quiesce/testing`.');
  });

  it.runIf(isOwn)('counts the recorded operations that are replayed', () => {
    const folder = fileURLToPath(new URL('../conformance/tokio', import.meta.url));
    const replayed = adapters.flatMap(({ suite, notYet }) => {
      const operations = readSuite(folder, suite).cases.flatMap(({ ops }) => ops);
      return operations.filter(({ op }) => !Object.hasOwn(notYet, op));
    });
    expect(readme).toContain(`${replayed.length.toLocaleString('en')} recorded operations`);
  });

  it('has fewer than 900 words', () => {
    expect(readme.split(/\s+/).filter(Boolean).length).toBeLessThan(900);
  });

  it('has no task under "Choosing an API" that the table of the guide lacks', () => {
    const [own, complete] = [readme, textOf('docs/guide/README.md')].map(namesToChoose);
    expect(own?.length).toBeGreaterThan(10);
    expect(own?.filter((name) => !complete?.includes(name))).toEqual([]);
  });

  it('names every public package', () => {
    for (const { name } of manifests) expect(readme).toContain(`\`${name}\``);
  });
});

/** Returns the names in the second column of the table "Choosing an API". */
function namesToChoose(page: string): string[] {
  const [, section = ''] = /^## Choosing an API\n([\s\S]*?)\n## /m.exec(page) ?? [];
  const cells = section.split('\n').map((row) => row.split('|')[2] ?? '');
  return cells.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name));
}
