// What the gates read of a page: its code, its prose, its headings. A page is a Markdown file or a source with docstrings.
import { readdirSync, readFileSync } from 'node:fs';
import GithubSlugger from 'github-slugger';

/** A file as the gates see it, so that tests can make some up. */
export interface Page {
  /** From the root: `packages/select/README.md`. */
  readonly file: string;
  readonly text: string;
}

/** A fenced piece of code. */
export interface Code {
  /** `packages/select/src/sleep.ts:93`, the line of the opening fence. */
  readonly place: string;
  /** `ts`; empty: the fence does not say. */
  readonly language: string;
  /** The HTML comment directly above, without its marks; `undefined`: there is none. */
  readonly note: string | undefined;
  /** What stands in it. */
  readonly text: string;
}

/** Something wrong, and where. */
export interface Problem {
  readonly place: string;
  readonly text: string;
}

const fence = /^([ \t]*(?:\* ?)?)(```+)([^\n`]*)\n([\s\S]*?)^[ \t]*(?:\* ?)?\2[ \t]*$/gm;
const skipped = new Set(['node_modules', 'dist', '.output', '.cache', '.git', 'tokio', 'python']);

/** All the files below a folder of the root that have one of these endings. */
export function pagesIn(root: string, folder: string, endings: readonly string[]): Page[] {
  return readdirSync(`${root}${folder}`, { withFileTypes: true }).flatMap((entry) => {
    const file = folder === '' ? entry.name : `${folder}/${entry.name}`;
    if (entry.isDirectory()) return skipped.has(entry.name) ? [] : pagesIn(root, file, endings);
    return endings.some((ending) => file.endsWith(ending)) ? [pageAt(root, file)] : [];
  });
}

export function pageAt(root: string, file: string): Page {
  return { file, text: readFileSync(`${root}${file}`, 'utf8') };
}

/** The fences of a page, also those inside of its docstrings. */
export function codeOf({ file, text }: Page): Code[] {
  return [...commentsOnly({ file, text }).matchAll(fence)].map((match) => {
    const above = text.slice(0, match.index).trimEnd().split('\n').at(-1) ?? '';
    const [, note] = /<!-- (.*?) -->\s*$/.exec(above) ?? [];
    const language = (match[3] ?? '').trim().split(/[\s{]/)[0] ?? '';
    return { place: `${file}:${lineAt(text, match.index)}`, language, note, text: match[4] ?? '' };
  });
}

/** The page without its fences and code in the line; every character stays in its place. */
export function proseOf(page: Page): string {
  const blank = (code: string): string => code.replaceAll(/[^\n]/g, ' ');
  return commentsOnly(page)
    .replaceAll(fence, blank)
    .replaceAll(/(`+)[^`\n](?:[^\n]*?[^`\n])?\1(?!`)/g, blank);
}

/** What of a page is text: all of Markdown, the comments of a source. */
function commentsOnly({ file, text }: Page): string {
  if (file.endsWith('.md')) return text;
  let last = 0;
  let kept = '';
  for (const { 0: comment, index } of text.matchAll(/\/\*\*[\s\S]*?\*\//g)) {
    kept += text.slice(last, index).replaceAll(/[^\n]/g, ' ') + comment;
    last = index + comment.length;
  }
  return kept + text.slice(last).replaceAll(/[^\n]/g, ' ');
}

/** The anchors of a page, as GitHub makes them of headings, and those that are written as HTML. */
export function anchorsOf(page: Page): Set<string> {
  const slugger = new GithubSlugger();
  const withoutFences = page.text.replaceAll(fence, '');
  const headings = [...withoutFences.matchAll(/^#{1,6} +(.*?)\s*#*$/gm)].map(([, title = '']) =>
    slugger.slug(title.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1').replaceAll(/[`*]|<!--.*?-->/g, '')),
  );
  const written = [...withoutFences.matchAll(/<a (?:id|name)="([^"]+)"/g)].map(([, id = '']) => id);
  return new Set([...headings, ...written]);
}

export function lineAt(text: string, index: number): number {
  return text.slice(0, index).split('\n').length;
}
