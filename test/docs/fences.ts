// Finds the code blocks of the documentation, in Markdown files and in docstrings.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import MarkdownIt, { type Token } from 'markdown-it';
import { root } from '../package/packages.ts';

/** One code block. */
export interface Fence {
  /** The file and the line of its first backticks: `packages/select/src/sleep.ts:93`. */
  readonly place: string;
  /** The file, as a path from the root. */
  readonly page: string;
  /** `ts`; empty when the block does not name a language. */
  readonly language: string;
  /** The HTML comment directly above it; empty when there is none. */
  readonly note: string;
  /** The name in its first line (`// copy.ts`), when the block is a whole program; `undefined` for a part of one. */
  readonly file: string | undefined;
  readonly code: string;
  /** The outputs that its `// =>` comments promise, in order. */
  readonly promised: readonly string[];
}

const markdown = new MarkdownIt('commonmark').disable('inline');
/** Indented text in a comment is a drawing or a list of states. */
const docstrings = new MarkdownIt('commonmark').disable(['inline', 'code']);

/** The width of code in Markdown. Biome formats to the same width, but breaks no comment and no string. */
const COLUMNS = 100;
const executed = /^(?:ts|tsx|console)$/;
/** Languages that need no note: commands, output, data, and languages that this project has no compiler for. */
const notOurs = /^(?:sh|text|json|yaml|html|css|diff|go|kotlin|python|rust)$/;
const note = /^<!-- (?:run by (?<runner>\S+)|not run: \S.{15,}) -->$/;
/** A comment that looks like a promise, but that no test compares. */
const idlePromise = /\/\/(?! => \S)[ \t]*(?:[-=]>|→|⇒).*/;

/** Every Markdown file, and every source file of a package. */
const files = filesIn('').filter((file) => /\.md$|^packages\/[^/]+\/src\/.*\.ts$/.test(file));
export const allFences: readonly Fence[] = files.flatMap((file) => fencesOf(file, textOf(file)));
/** Blocks below `docs`. Programs on one page are neighbours, and may import each other. */
export const pageFences: readonly Fence[] = allFences.filter((fence) => isExecuted(fence) && isPage(fence.page));
/** Blocks in docstrings and READMEs. Each stands alone. */
export const packageFences: readonly Fence[] = allFences.filter((fence) => isExecuted(fence) && !isPage(fence.page));
/** The Markdown files below `docs`. */
export const pages: readonly string[] = files.filter(isPage);

/** Returns the text of a file, by its path from the root. */
export function textOf(file: string): string {
  return readFileSync(`${root}${file}`, 'utf8');
}

/** Returns the files below a folder, as sorted paths from the root. */
export function filesIn(folder: string): string[] {
  const entries = readdirSync(`${root}${folder}`, { withFileTypes: true });
  return entries
    .filter(({ name }) => !/^(?:node_modules|dist|reference|\.(?!changeset$|github$).*)$/.test(name))
    .flatMap((entry) => (entry.isDirectory() ? filesIn(`${folder}${entry.name}/`) : [`${folder}${entry.name}`]))
    .sort();
}

/** Returns the code blocks of a Markdown file or a source file. */
export function fencesOf(page: string, text: string): Fence[] {
  if (page.endsWith('.md')) return codeIn(markdown.parse(text, {}), page, 0);
  return [...text.matchAll(/\/\*\*([\s\S]*?)\*\//g)].flatMap(({ 1: docstring = '', index }) => {
    if (!/`{3}|~{3}|<pre/.test(docstring)) return [];
    const lines = text.slice(0, index).split('\n').length - 1;
    return codeIn(docstrings.parse(docstring.replaceAll(/^[ \t]*\* ?/gm, ''), {}), page, lines);
  });
}

/** Returns the rule that a code block breaks; `undefined` when it breaks none. */
export function complaintAbout(fence: Fence): string | undefined {
  const runner = note.exec(fence.note)?.groups?.['runner'];
  if (fence.language === '') return 'does not name its language: write ```text for plain text';
  if (runner !== undefined && !existsSync(`${root}${runner}`))
    return `is run by ${runner}, which does not exist: correct the path`;
  if (isExecuted(fence)) {
    const long = fence.page.endsWith('.md') && fence.code.split('\n').find((line) => line.length > COLUMNS);
    if (long) return `has a line of ${long.length} columns: break it after at most ${COLUMNS}`;
    const [idle] = idlePromise.exec(fence.code) ?? [];
    return idle && `has the comment "${idle}", which no test compares: write "// => …"`;
  }
  if (notOurs.test(fence.language) || note.test(fence.note)) return undefined;
  return 'is not executed: make it `ts`, or write "<!-- run by FILE -->" or "<!-- not run: REASON -->" above it';
}

/** Returns whether the tests run a code block themselves: no note above it names another test, or the reason why none does. */
export function isExecuted(fence: Fence): boolean {
  return executed.test(fence.language) && !note.test(fence.note);
}

function isPage(file: string): boolean {
  return file.startsWith('docs/') && file.endsWith('.md');
}

function codeIn(tokens: readonly Token[], page: string, linesAbove: number): Fence[] {
  return tokens.flatMap(({ type, info, content: code, map }, index): Fence[] => {
    const isCode = type === 'fence' || type === 'code_block' || (type === 'html_block' && /<pre\b/i.test(code));
    if (!isCode) return [];
    const above = tokens[index - 1];
    return [
      {
        place: `${page}:${linesAbove + (map?.[0] ?? 0) + 1}`,
        page,
        language: info.trim().split(/[\s{]/)[0] ?? '',
        note: above?.type === 'html_block' ? above.content.trim() : '',
        file: /^\/\/ ([\w-]+\.ts)\n/.exec(code)?.[1],
        code,
        promised: [...code.matchAll(/\/\/ => (.*)$/gm)].map(([, promise = '']) => promise.trim()),
      },
    ];
  });
}
