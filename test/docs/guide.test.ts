import { dirname } from 'node:path';
import { format } from 'node:util';
import { build } from 'esbuild';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { publicPackages } from '../package/packages.ts';
import { withDocument } from './browser.ts';
import { allFences, type Fence, pageFences as fences, pages, textOf } from './fences.ts';
import { fileOf, outputFolder, writeModules } from './modules.ts';
import { play } from './transcript.ts';

const output = outputFolder('guide');
const pieces = fences.filter((fence) => fence.language !== 'console' && fence.file === undefined);
const programs = fences.filter((fence) => fence.file !== undefined);
const transcripts = fences.filter((fence) => fence.language === 'console');
const guide = pages.filter((page) => page.startsWith('docs/guide/'));

/** Modules that programs find installed. Packages of this workspace are bundled, because Node cannot load their sources. */
const foreign = Object.keys((JSON.parse(textOf('package.json')) as { devDependencies: object }).devDependencies).filter(
  (name) => !/^(@quiesce\/|quiesce$)/.test(name),
);

/** Examples of child processes unreference the channel to the parent, which is the test runner's own channel here. */
afterEach(() => {
  process.channel?.ref();
});

describe('the examples of the guide', () => {
  beforeAll(async () => {
    writeModules(output, fences);
    await build({
      entryPoints: programs.map((fence) => fileOf(output, fence)),
      ...{ outdir: output, outbase: output, bundle: true, platform: 'node', format: 'esm', logLevel: 'warning' },
      external: foreign,
      conditions: process.env['QUIESCE_BUILT'] === '1' ? ['built'] : [],
      outExtension: { '.js': '.js' },
      // The decorators of Nest.
      tsconfigRaw: { compilerOptions: { experimentalDecorators: true } },
    });
  }, 60_000);

  it.each(pieces)(
    '$place prints the promised output',
    async (fence) => {
      const run = async (): Promise<void> => {
        const { printed } = (await import(fileOf(output, fence))) as { printed: unknown[][] };
        expect(printed.map((values) => format(...values))).toEqual(fence.promised);
      };
      await (fence.language === 'tsx' ? withDocument(run) : run());
    },
    30_000,
  );

  it.for(transcripts)('$place shows the output on a terminal', { timeout: 30_000 }, async (fence, { signal }) => {
    const { got, expected } = await play(fence.code, dirname(fileOf(output, { ...fence, file: '_' })), signal);
    expect(got).toEqual(expected);
  });

  it('close what requests use in hooks, which run after draining', () => {
    const services = allFences.filter(({ code }) => code.includes('runMain(') && /Drain\b|drainable/.test(code));
    expect(services.length).toBeGreaterThan(10);
    const closing = services.filter(({ code }) => /\b(?:scope|s)\.(?:use|defer)\(/.test(code));
    expect(closing.map(({ place }) => place)).toEqual([]);
  });

  it('all promise an output', () => {
    expect(pieces.filter(({ promised }) => promised.length === 0).map(({ place }) => place)).toEqual([]);
  });

  it('are all run: each program has a transcript, or a program with a transcript loads it', () => {
    const isUsed = (program: Fence): boolean => {
      const names = [program.file ?? '', program.file?.replace('.ts', '.js') ?? ''];
      const others = fences.filter((other) => other !== program && other.page === program.page);
      return others.some(({ code }) => names.some((name) => code.includes(name)));
    };
    expect(programs.filter((program) => !isUsed(program)).map(({ place }) => place)).toEqual([]);
  });
});

describe('the cookbook', () => {
  const recipes = guide
    .filter((page) => page.startsWith('docs/guide/cookbook/') && !page.endsWith('README.md'))
    .flatMap((page) =>
      textOf(page)
        .split(/^## /m)
        .slice(1)
        .map((text) => ({ page: page.slice('docs/guide/cookbook/'.length), title: text.split('\n')[0] ?? '', text })),
    );

  it('has at least twenty recipes', () => {
    expect(recipes.length).toBeGreaterThanOrEqual(20);
  });

  it.each(recipes)('$page: $title: has a program, or links to one, and is in the index', ({ page, title, text }) => {
    expect(text).toMatch(/^```tsx?$|\]\(\.\.\//m);
    expect(textOf('docs/guide/cookbook/README.md')).toContain(`- [${title}](${page}#`);
  });
});

describe('a page with commands to install packages', () => {
  const readmes = ['README.md', ...publicPackages().map(({ folder }) => `packages/${folder}/README.md`)];
  const installing = [...guide, ...readmes]
    .map((page) => ({ page, blocks: allFences.filter((fence) => fence.page === page) }))
    .filter(({ blocks }) => blocks.flatMap(installedBy).length > 0);

  it('is the README of each package', () => {
    expect(installing.map(({ page }) => page)).toEqual(expect.arrayContaining(readmes));
  });

  it.each(installing)('$page: installs every package above the first program that imports it', ({ blocks }) => {
    const missing = blocks.flatMap((block, index) => {
      const installed = blocks.slice(0, index).flatMap(installedBy);
      return importedBy(block).flatMap((name) => (installed.includes(name) ? [] : [`${block.place}: ${name}`]));
    });
    expect(missing).toEqual([]);
  });

  /** Returns the packages of `npm install`, without their versions. */
  function installedBy({ language, code }: Fence): string[] {
    const commands = language === 'sh' ? code.matchAll(/npm install (.+)/g) : [];
    return [...commands].flatMap(([, names = '']) => names.split(' ').map((name) => name.replace(/(?<=.)@.*/, '')));
  }

  function importedBy({ language, code }: Fence): string[] {
    const specifiers = /^[jt]sx?$/.test(language) ? code.matchAll(/^(?:import|.* from) '(?!node:|\.)(.+)';/gm) : [];
    return [...specifiers].map(([, name = '']) => /^(?:@[^/]+\/)?[^/]+/.exec(name)?.[0] ?? '');
  }
});

it('the first page of the guide lists all other pages', () => {
  const index = textOf('docs/guide/README.md');
  const missing = guide.filter((page) => !index.includes(`](${page.replace('docs/guide/', '')})`));
  expect(missing).toEqual(['docs/guide/README.md']);
});
