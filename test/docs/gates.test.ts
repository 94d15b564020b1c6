// Each gate of `npm run check` closes on what it is there for. That the documentation passes is what `check` itself says.
import { mkdirSync, writeFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { root } from '../package/packages.ts';
import { unexecutedCode } from './gates/code.ts';
import { undocumented } from './gates/exports.ts';
import { type Scope, unconfirmedFigures } from './gates/figures.ts';
import { misshapen } from './gates/headings.ts';
import { deadLinks } from './gates/links.ts';
import type { Page, Problem } from './gates/markdown.ts';
import { deadEnds } from './site/dead-ends.ts';

const page = (text: string, file = 'docs/made-up.md'): Page => ({ file, text });
const texts = (problems: readonly Problem[]): string[] => problems.map(({ place, text }) => `${place} ${text}`);
const fenced = (language: string, note = ''): string => `# Title\n\n${note}\n\n\`\`\`${language}\nstop();\n\`\`\`\n`;

describe('the gate for code', () => {
  const check = (text: string, file?: string, executed: string[] = []): string[] =>
    texts(unexecutedCode([page(text, file)], new Set(executed), root));

  it.each([
    ...['ts', 'tsx', 'js', 'jsx', 'typescript', 'javascript', 'mjs', 'TS', 'TypeScript', 'js {1,3}', 'ts twoslash'],
    ...['deno', 'bun', 'vue', 'javascript-node', 'console'],
  ])('closes on %s that nobody runs', (language) => {
    expect(check(fenced(language))).toEqual([expect.stringContaining('docs/made-up.md:5 nothing runs this')]);
  });

  it.each([
    ['with tildes', '~~~ts\nstop();\n~~~'],
    ['in a quotation', '> ```ts\n> stop();\n> ```'],
    ['in a quotation in a list', '- > ```ts\n  > stop();\n  > ```'],
    ['behind the mark of a list', '- ```ts\n  stop();\n  ```'],
    ['behind a number', '1. ```ts\n   stop();\n   ```'],
    ['that is never closed', '```ts\nstop();'],
    ['in HTML', '<pre><code class="language-ts">stop();</code></pre>'],
  ])('closes on code %s, which nobody reads', (_, text) => {
    expect(check(`# Title\n\n${text}\n`)[0]).toContain('docs/made-up.md:3 nobody reads this as code');
  });

  it('closes on an indented fence, as in a list', () => {
    expect(check('1. First:\n\n   ```js\n   stop();\n   ```\n')).toEqual([
      expect.stringContaining('docs/made-up.md:3 nothing runs this'),
    ]);
  });

  it.each(['//=> 5', '//  => 5', '// -> 5', '// → 5', '// =>'])(
    'closes on %s, which looks like a promise',
    (promise) => {
      const text = fenced('ts').replace('stop();', `stop(); ${promise}`);
      expect(check(text, undefined, ['docs/made-up.md:5'])).toEqual([expect.stringContaining('nothing compares')]);
      expect(check(text.replace(promise, '// => 5'), undefined, ['docs/made-up.md:5'])).toEqual([]);
    },
  );

  it('closes on a fence without a language', () => {
    expect(check(fenced(''))).toEqual([expect.stringContaining('does not say its language')]);
  });

  it('closes on a docstring that is not executed', () => {
    const source = '/**\n * @example\n * ```js\n * stop();\n * ```\n */\nexport function stop(): void {}\n';
    expect(check(source, 'packages/made-up/src/stop.ts')).toEqual([
      expect.stringContaining('packages/made-up/src/stop.ts:3 nothing runs this'),
    ]);
  });

  it('closes on a runner that is not there, and on a reason that is none', () => {
    expect(check(fenced('js', '<!-- run by test/e2e/none.test.ts -->'))).toEqual([
      expect.stringContaining('there is no'),
    ]);
    expect(check(fenced('js', '<!-- not run: no -->'))).toEqual([expect.stringContaining('nothing runs this')]);
  });

  it('opens for what is executed, has another runner, has a reason, or is no program', () => {
    expect(check(fenced('ts'), undefined, ['docs/made-up.md:5'])).toEqual([]);
    expect(check(fenced('js', '<!-- run by test/docs/gates.test.ts -->'))).toEqual([]);
    expect(check(fenced('js', '<!-- not run: it deletes the hard disk -->'))).toEqual([]);
    expect(check(fenced('sh') + fenced('text') + fenced('yaml') + fenced('rust'))).toEqual([]);
    expect(check('# Title\n\nThree backticks, ` ``` `, are named, and so is ~~what~~ was struck.\n')).toEqual([]);
  });
});

describe('the gate for links', () => {
  const check = (text: string, file?: string): string[] => texts(deadLinks([page(text, file)], root));

  it.each([
    ['a file that is not there', '[x](../READMEE.md)', 'there is no READMEE.md'],
    ['a folder that is not there', '[x](../packages/selekt)', 'there is no packages/selekt'],
    ['a heading that is not there', '[x](../README.md#nothing)', 'README.md has no heading #nothing'],
    ['a heading that is not on the page itself', '# Here\n\n[x](#there)', 'docs/made-up.md has no heading #there'],
    ['a line that is not there', '[x](../package.json#L999999)', 'package.json has no line 999999'],
    ['our own repository', '[x](https://github.com/quiesce/quiesce/blob/main/none.md)', 'there is no none.md'],
    ['a link of the other kind', '[x]: ./none.md', 'there is no docs/none.md'],
    ['a picture', '<img src="none.svg">', 'there is no docs/none.svg'],
    ['a file that is only named', 'as `test/docs/none.test.ts` says', 'there is no test/docs/none.test.ts'],
    ['what is outside of the project', '[x](../../elsewhere.md)', 'leads out of the project'],
    ['a title in other quotes', "[x](none.md 'title')", 'there is no docs/none.md'],
    ['a title in parentheses', '[x](none.md (title))', 'there is no docs/none.md'],
    ['a path with spaces', '[x](<no such page.md>)', 'there is no docs/no such page.md'],
    ['a picture of Markdown', '![x](none.svg)', 'there is no docs/none.svg'],
    ['a picture in a link', '[![x](none.svg)](../README.md)', 'there is no docs/none.svg'],
    ['HTML with single quotes', "<a href='none.md'>x</a>", 'there is no docs/none.md'],
    ['HTML without quotes', '<a href=none.md>x</a>', 'there is no docs/none.md'],
    ['HTML in capitals', '<A HREF="none.md">x</A>', 'there is no docs/none.md'],
    ['another element of HTML', '<video src="none.mp4"></video>', 'there is no docs/none.mp4'],
    ['the second attribute', '<img src="../README.md" srcset="none.svg">', 'there is no docs/none.svg'],
    ['a name that nothing has', '[x][nobody]', 'nothing is named [nobody]'],
    ['a name that nothing has, in short', '[nobody][]', 'nothing is named [nobody]'],
    ['a named link in brackets', '[x]: <none.md>', 'there is no docs/none.md'],
    ['a named link in a quotation', '> [x]: none.md', 'there is no docs/none.md'],
    ['a bare address of ours', '<https://github.com/quiesce/quiesce/tree/main/none>', 'there is no none'],
    ['our own raw files', '![x](https://raw.githubusercontent.com/quiesce/quiesce/main/n.svg)', 'there is no n.svg'],
    ['lines that end behind the last', '[x](../package.json#L1-L999999)', 'package.json has no line 999999'],
    ['a link over two lines', '[x\ny](none.md)', 'there is no docs/none.md'],
    ['a link in a table', '| a |\n| - |\n| [x](none.md) |', 'there is no docs/none.md'],
  ])('closes on %s', (_, text, complaint) => {
    expect(check(text)).toEqual([expect.stringContaining(complaint)]);
  });

  it('closes on a dead link in a docstring, and on a file that a comment names', () => {
    const source = '/** See [x](./none.md). */\nconst a = "test/none.ts"; // as in test/also-none.ts\n';
    expect(check(source, 'packages/select/src/made-up.ts')).toEqual([
      expect.stringContaining(':1 there is no packages/select/src/none.md'),
      expect.stringContaining(':2 there is no test/also-none.ts'),
    ]);
  });

  it('opens for what is there, and for code that only looks like a link', () => {
    const text = '# A `b` c\n\n[x](#a-b-c) [y](../README.md#packages) `[z](none.md)`\n\n```text\n[z](none.md)\n```\n';
    expect(check(`${text}[w](https://example.org) [v](../packages/select) <a id="own"></a>[u](#own)`)).toEqual([]);
    expect(check('/** @type {[string, Buffer][]} */', 'test/run/made-up.mjs')).toEqual([]);
    expect(check('[a][Named] [named][]\n\n[named]: ../README.md\n')).toEqual([]);
    expect(check('https://github.com/quiesce/quiesce/tree/main/packages/select#readme-less')).toHaveLength(1);
    expect(check('https://github.com/quiesce/quiesce/tree/main/packages/select')).toEqual([]);
  });
});

describe('the gate for figures', () => {
  const facts = new Map([
    ['fact:answers', '55,809'],
    ['size:select', '12.6'],
    ['fact:node-least', '20.19'],
  ]);
  const check = (text: string, scope: Scope = 'all'): string[] =>
    texts(unconfirmedFigures(page(text, 'README.md'), facts, scope));

  it.each([
    ...['It takes 5 ms.', 'Only 3.1 kB.', '- 1,000,000 tokens', '| 12 |', 'Node 18.2 or later'],
    ...['It takes 5ms.', '10x', '2MB', '.5 kB', '1_000 tokens', '`5 ms`', '`< 3 kB`', '½ of it', '٣ kB'],
    ...['**5** ms', '<b>5</b> ms', '[x](y.md "5 times")', '![5 times](x.svg)', '```text\n5 ms\n```'],
    ...['ten times faster', 'tenfold', 'twice as fast', 'half the memory', 'orders of magnitude', 'millions of tokens'],
  ])('closes on %s', (text) => {
    expect(check(text)).toEqual([expect.stringContaining('no test confirms')]);
  });

  it('closes on a size in another unit', () => {
    expect(check('<!-- size:select -->12.6 B')).toEqual(['README.md:1 size:select is in kB']);
  });

  it('closes on a figure that is not what is computed, on an unknown mark, and on one without a figure', () => {
    expect(check('<!-- fact:answers -->55,810 answers')).toEqual(['README.md:1 fact:answers is 55,809, not 55,810']);
    expect(check('<!-- fact:questions -->7 questions')).toEqual([
      expect.stringContaining('does not know "fact:questions"'),
    ]);
    expect(check('<!-- fact:answers -->many answers')).toEqual([expect.stringContaining('no figure stands behind')]);
  });

  it('closes in packages on what is measured alone: defaults and examples are code', () => {
    expect(check('Default 1,000 ms; 2 of them', 'measured')).toEqual([]);
    expect(check('17,547 recorded answers and 0.1 µs', 'measured')).toHaveLength(2);
    expect(check('zero bytes, 2MB, **3** times, 10-20 bytes, `0.1 µs`', 'measured')).toHaveLength(5);
    expect(check('| work | ns | ms |\n| - | -: | -: |\n| 1 | 2 | 3 |\n', 'measured')).toEqual([
      expect.stringContaining('README.md:3 no test confirms "2"'),
    ]);
  });

  it('opens for figures that are confirmed, for code, links, names and numbered lists', () => {
    const text =
      '1. <!-- fact:answers -->55,809, and <!-- size:select -->12.6 kB\n2. `sleep(3)` HTTP/2 ES2022 [x](y-4.md) 5th Node 20.19';
    expect(check(text)).toEqual([]);
    expect(check('Two of them, twice, in half a head; one at a time.')).toEqual([]);
  });
});

describe('the gate for exports', () => {
  const folder = `${root}test/.output/gates/`;
  const silent = '/** Says so.\n * @example\n * ```ts\n * silent();\n * ```\n */\nexport function silent(): void {}\n';
  const bad = `export function bare(): void {}\n/** One line. */\nexport function brief(): void {}\n${silent}
    /** A record. */\nexport interface Options { readonly ms: number }
    /** A class. */\nexport class Handle { close(): void {} private hidden(): void { this.hidden(); } }
    export type Word = string;
    /** An arrow. */\nexport const arrow: () => void = () => {};
    /** A factory. */\nexport const Made: new () => object = Object;
    /** A record. */\nexport type Result = { readonly value: number };
    /** @internal Hidden. */\nexport function hidden(): void {}
    /** With a part.\n * @example\n * \`\`\`ts\n * part(); // => 1\n * \`\`\`\n */
    export const part: typeof bare & { biased: () => void } = Object.assign(bare, { biased: bare });
    /** Beside a comment. */\n/* @example\n * \`\`\`ts\n * beside(); // => 1\n * \`\`\`\n */\nexport function beside(): void {}
    /** Promises behind the fence.\n * @example\n * \`\`\`ts\n * behind();\n * \`\`\`\n * // => 1\n */\nexport function behind(): void {}`;
  const example =
    '/** Says hello.\n * @example\n * ```ts\n * hello(); // => hello\n * ```\n */\nexport function hello(): void {}';
  const good = `${example}\n/** A word. */\nexport type Word = string;\n`;

  let found: string[];
  beforeAll(() => {
    mkdirSync(folder, { recursive: true });
    writeFileSync(`${folder}bad.ts`, bad);
    writeFileSync(`${folder}good.ts`, good);
    const entries = ['bad', 'good'].map((name) => ({ name, file: `${folder}${name}.ts` }));
    found = undocumented(entries, root).map(({ name, lacks }) => `${name} lacks ${lacks}`);
  }, 60_000);

  it('closes on what has no docstring, no example, or one that promises nothing', () => {
    expect(found.filter((text) => text.startsWith('bad'))).toEqual([
      'bad: bare lacks a docstring',
      'bad: bare lacks an executed example',
      'bad: brief lacks an executed example',
      'bad: silent lacks an executed example',
      'bad: Options.ms lacks a docstring',
      'bad: Handle lacks an executed example',
      'bad: Handle.close lacks a docstring',
      'bad: Word lacks a docstring',
      'bad: arrow lacks an executed example',
      'bad: Made lacks an executed example',
      'bad: Result.value lacks a docstring',
      'bad: hidden lacks a docstring',
      'bad: hidden lacks an executed example',
      'bad: part.biased lacks a docstring',
      'bad: beside lacks an executed example',
      'bad: behind lacks an executed example',
    ]);
  });

  it('opens for what says what it is and shows it', () => {
    expect(found.filter((text) => text.startsWith('good'))).toEqual([]);
  });
});

describe('the gate for the READMEs of packages', () => {
  const good = [
    '# @quiesce/made-up\n\nWhat it is.\n\n```sh\nnpm install @quiesce/made-up\n```\n\n```ts\nmadeUp();\n```\n',
    ...['What there is', 'Errors', 'Guarantees', 'Not this but that', 'Coming from Tokio'].map(
      (title) => `## ${title}\n\nText.\n`,
    ),
  ];
  const check = (parts: readonly string[]): string[] =>
    texts(misshapen(page(parts.join('\n'), 'packages/made-up/README.md')));

  it('opens for the form', () => {
    expect(check(good)).toEqual([]);
  });

  it.each([0, 1, 2, 3, 4, 5])('closes when part %i is missing', (index) => {
    expect(check(good.filter((_, other) => other !== index)).length).toBeGreaterThan(0);
  });

  it('closes when the order is another', () => {
    const [head = '', what = '', errors = '', ...rest] = good;
    expect(check([head, errors, what, ...rest])).toEqual([expect.stringContaining('further down')]);
  });
});

describe('the gate for the built site', () => {
  const files = new Set(['/index.html', '/guide/tokens.html', '/assets/app.js']);
  const check = (html: string): string[] =>
    deadEnds(
      new Map([
        ['/index.html', html],
        ['/guide/tokens.html', '<h2 id="a-b">A &amp; b</h2>'],
      ]),
      files,
    );

  it.each([
    ['a page', '<a href="/guide/none.html">x</a>', 'there is no /guide/none.html'],
    ['an anchor', '<a href="./guide/tokens.html#none">x</a>', 'has no #none'],
    ['an anchor of its own', '<a class="y" href="#none">x</a>', 'has no #none'],
    ['a script', '<script src="/assets/none.js"></script>', 'there is no /assets/none.js'],
  ])('closes on %s that is not there', (_, html, complaint) => {
    expect(check(html)).toEqual([expect.stringContaining(complaint)]);
  });

  it('opens for what is there, with or without its ending, and for other sites', () => {
    const links = [
      '/',
      '/guide/tokens',
      'guide/tokens.html#a-b',
      '/assets/app.js',
      'https://example.org/none',
      'mailto:a@b.c',
    ];
    expect(check(links.map((link) => `<a href="${link}">x</a>`).join(''))).toEqual([]);
  });
});
