import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { adapters } from '../conformance/replay/adapters.ts';
import { isOwn, readSuite } from '../conformance/replay/recordings.ts';
import { publicPackages } from '../package/packages.ts';
import { pagesIn } from './gates/markdown.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const readme = readFileSync(`${root}README.md`, 'utf8');
const manifests = readdirSync(`${root}packages`).map(
  (folder) => JSON.parse(readFileSync(`${root}packages/${folder}/package.json`, 'utf8')) as Record<string, unknown>,
);

it('shows in docs/design.md what each package really imports', () => {
  const design = readFileSync(`${root}docs/design.md`, 'utf8');
  for (const { name, dependencies = {}, ...manifest } of manifests) {
    if (manifest['private'] === true) continue;
    const ours = Object.keys(dependencies as object).map((needed) => `\`${needed.replace('@quiesce/', '')}\``);
    const line = `- \`${String(name).replace('@quiesce/', '')}\` → ${ours.sort().join(', ') || 'nothing'}\n`;
    expect(design).toContain(line);
  }
});

it('leads from docs/design.md to every file with numbered invariants, and to no other', () => {
  const [, invariants = ''] =
    /## The laws and the invariants\n([\s\S]*?)\n## /.exec(readFileSync(`${root}docs/design.md`, 'utf8')) ?? [];
  const linked = [...invariants.matchAll(/\]\(\.\.\/(packages\/[^)]+\.ts)\)/g)].map(([, file]) => file);
  const numbered = readdirSync(`${root}packages`)
    .flatMap((folder) => pagesIn(root, `packages/${folder}/src`, ['.ts']))
    .filter(({ text }) => /^ \* Invariants\n \* {2}1\. /m.test(text));
  expect(linked.sort()).toEqual(numbered.map(({ file }) => file).sort());
});

it.each(publicPackages())('the README of $folder names everything that can be imported from it', async (found) => {
  const text = readFileSync(`${found.directory}/README.md`, 'utf8');
  for (const subpath of found.entries.keys()) {
    const names = Object.keys((await import(found.manifest.name + subpath.slice(1))) as object);
    expect(names.filter((name) => !new RegExp(`\\b${name}\\b`).test(text))).toEqual([]);
  }
});

describe('the README', () => {
  it('has five facts, each with a link to the test that keeps it true', () => {
    const [, facts = ''] = /Five facts[^\n]*\n\n([\s\S]*?)\n\n#/.exec(readme) ?? [];
    const each = facts.split(/^- /m).slice(1);
    expect(each).toHaveLength(5);
    for (const fact of each) expect(fact).toMatch(/\[test\]\(/);
  });

  it('begins with one program of 15 lines at the most, which examples.test.ts executes', () => {
    const [, program = ''] = /```ts\n([\s\S]*?)```/.exec(readme) ?? [];
    const lines = program.split('\n').filter((line) => line.trim() !== '');
    expect(lines.length).toBeGreaterThan(5);
    expect(lines.length).toBeLessThanOrEqual(15);
  });

  it('links to nothing that is not there', () => {
    const links = [...readme.matchAll(/\]\(([^)#]+)\)/g)].map((match) => match[1] ?? '');
    expect(links.length).toBeGreaterThan(5);
    expect(links.filter((link) => !/^https?:/.test(link) && !existsSync(`${root}${link}`))).toEqual([]);
  });

  it('says rightly that no package has a dependency that is not ours', () => {
    const foreign = manifests.flatMap((manifest) =>
      Object.keys((manifest['dependencies'] ?? {}) as object).filter((name) => !name.startsWith('@quiesce/')),
    );
    expect(foreign).toEqual([]);
    expect(readme).toContain('**No dependencies**');
  });

  it.runIf(isOwn)('counts the recorded operations that are replayed', () => {
    let replayed = 0;
    for (const adapter of adapters) {
      for (const { ops } of readSuite(fileURLToPath(new URL('../conformance/tokio', import.meta.url)), adapter.suite)
        .cases) {
        replayed += ops.filter(({ op }) => !Object.hasOwn(adapter.notYet, op)).length;
      }
    }
    expect(readme).toContain(`${replayed.toLocaleString('en')} recorded operations`);
  });

  it('names every public package', () => {
    const published = manifests.filter((manifest) => manifest['private'] !== true);
    for (const { name } of published) expect(readme).toContain(`\`${String(name)}\``);
  });
});
