// Links lead somewhere: from Markdown and docstrings to files, folders, headings and lines of this project.
import { existsSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { anchorsOf, lineAt, type Page, type Problem, pageAt, proseOf } from './markdown.ts';

/** This project where it is published, also as a bare address. */
const ours =
  /https?:\/\/(?:www\.)?(?:github\.com\/quiesce\/quiesce\/(?:blob|tree|raw)|raw\.githubusercontent\.com\/quiesce\/quiesce)\/(?:main|HEAD)\b\/?([^\s)>"'\]]*)/gi;
const link =
  /\]\(\s*(?:<([^>\n]*)>|([^\s)<]+))(?:\s+(?:"[^"]*"|'[^']*'|\([^)]*\)))?\s*\)|^[ \t>*]*\[[^\]]+\]:\s*(?:<([^>\n]*)>|(\S+))|(?<=<[a-z][^>]*\s)(?:href|src|srcset|poster)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))/gim;
/** A link by name: `[text][name]`, `[name][]`. */
const byName = /(?<!\])\[([^\][\n]+)\]\[([^\][\n]*)\]/g;
const naming = /^[ \t>*]*\[([^\]]+)\]:\s/gm;
/** A file of ours that is only named: `test/package/size.test.ts`. */
const mention = /(?<![\w./@<-])(?:packages|docs|test)\/[\w./-]*\w\.(?:ts|mjs|md|json|py)\b/g;

/** The links of these pages that lead nowhere. */
export function deadLinks(pages: readonly Page[], root: string): Problem[] {
  return pages.flatMap((page) => {
    const prose = proseOf(page);
    const links = [...prose.matchAll(link)].flatMap((match) => {
      const target = match.slice(1).find((found) => found !== undefined) ?? '';
      return problem(page, match.index, target.match(ours) === null ? complaint(page, target, root) : undefined);
    });
    const addresses = [...prose.matchAll(ours)].flatMap(({ index, 1: target = '' }) =>
      problem(page, index, leadsTo(page, target, root)),
    );
    // A type in a comment, `@type {[A, B][]}`, is no link.
    const untyped = page.file.endsWith('.md') ? prose : prose.replaceAll(/@\w+ \{.*\}/g, blank);
    const names = new Set([...prose.matchAll(naming)].map(({ 1: name = '' }) => name.toLowerCase()));
    const unnamed = [...untyped.matchAll(byName)].flatMap(({ index, 1: text = '', 2: name }) =>
      problem(page, index, names.has((name || text).toLowerCase()) ? undefined : `nothing is named [${name || text}]`),
    );
    const files = [...comments(page).matchAll(mention)].flatMap(({ 0: path, index }) =>
      problem(page, index, isThere(page.file, path, root) ? undefined : `there is no ${path}`),
    );
    return [...links, ...addresses, ...unnamed, ...files];
  });
}

function blank(text: string): string {
  return ' '.repeat(text.length);
}

/** Where files are named for people: not in the strings of a program. */
function comments({ file, text }: Page): string {
  if (file.endsWith('.md')) return text;
  return text.replaceAll(/(\/\*[\s\S]*?\*\/|(?<=^|\s)\/\/.*$)|[^\n]/gm, (all, comment) => comment ?? blank(all));
}

function problem({ file, text }: Page, index: number, complaint: string | undefined): Problem[] {
  return complaint === undefined ? [] : [{ place: `${file}:${lineAt(text, index)}`, text: complaint }];
}

/** Inside of a package its own files are named from its folder. */
function isThere(file: string, path: string, root: string): boolean {
  const [folder = '', name = ''] = file.split('/');
  return existsSync(`${root}${path}`) || existsSync(`${root}${folder}/${name}/${path}`);
}

function complaint(page: Page, target: string, root: string): string | undefined {
  if (/^[a-z][a-z+.-]*:/i.test(target)) return URL.canParse(target) ? undefined : `${target} is no address`;
  const [path = '', anchor] = target.split('#');
  const from = path === '' ? page.file : join(dirname(page.file), path);
  return leadsTo(page, anchor === undefined ? from : `${from}#${anchor}`, root);
}

/** @param target from the root, with its anchor */
function leadsTo(page: Page, target: string, root: string): string | undefined {
  const [path = '', anchor] = target.split('#');
  const file = decodeURIComponent(path);
  if (file.startsWith('..')) return `${target} leads out of the project`;
  if (file !== page.file && !existsSync(`${root}${file}`)) return `there is no ${file}`;
  if (anchor === undefined) return undefined;
  const isFolder = file !== page.file && statSync(`${root}${file}`).isDirectory();
  const opened = isFolder ? join(file, 'README.md') : file;
  if (isFolder && !existsSync(`${root}${opened}`)) return `${file} has no README.md with a heading #${anchor}`;
  const { text } = opened === page.file ? page : pageAt(root, opened);
  const [, first, line = first] = /^L(\d+)(?:-L(\d+))?$/.exec(anchor) ?? [];
  if (line !== undefined) return Number(line) <= text.split('\n').length ? undefined : `${file} has no line ${line}`;
  return anchorsOf({ file: opened, text }).has(anchor) ? undefined : `${opened} has no heading #${anchor}`;
}
