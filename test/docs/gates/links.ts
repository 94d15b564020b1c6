// Links lead somewhere: from Markdown and docstrings to files, folders, headings and lines of this project.
import { existsSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { anchorsOf, lineAt, type Page, type Problem, pageAt, proseOf } from './markdown.ts';

const ours = /^https:\/\/github\.com\/quiesce\/quiesce\/(?:blob|tree)\/main\/?/;
const link =
  /\]\(\s*<?([^\s)>]+)>?(?:\s+"[^"]*")?\s*\)|^\s*\[[^\]]+\]:\s*(\S+)|<(?:a|img|source)\s[^>]*?(?:href|src|srcset)="([^"]+)"/gm;
/** A file of ours that is only named: `test/package/size.test.ts`. */
const mention = /(?<![\w./@<-])(?:packages|docs|test)\/[\w./-]*\w\.(?:ts|mjs|md|json|py)\b/g;

/** The links of these pages that lead nowhere. */
export function deadLinks(pages: readonly Page[], root: string): Problem[] {
  return pages.flatMap((page) => {
    const prose = proseOf(page);
    const links = [...prose.matchAll(link)].map((match) => ({
      target: match[1] ?? match[2] ?? match[3] ?? '',
      index: match.index,
    }));
    const dead = links.flatMap(({ target, index }) => problem(page, index, complaint(page, target, root)));
    const named = [...comments(page).matchAll(mention)].filter(({ 0: path }) => !isThere(page.file, path, root));
    return [...dead, ...named.flatMap(({ 0: path, index }) => problem(page, index, `there is no ${path}`))];
  });
}

/** Where files are named for people: not in the strings of a program. */
function comments({ file, text }: Page): string {
  if (file.endsWith('.md')) return text;
  return text.replaceAll(
    /(\/\*[\s\S]*?\*\/|(?<=^|\s)\/\/.*$)|[^\n]/gm,
    (all, comment) => comment ?? ' '.repeat(all.length),
  );
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
  if (ours.test(target)) return leadsTo(page, target.replace(ours, ''), root);
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
  const [, line] = /^L(\d+)(?:-L\d+)?$/.exec(anchor) ?? [];
  if (line !== undefined) return Number(line) <= text.split('\n').length ? undefined : `${file} has no line ${line}`;
  return anchorsOf({ file: opened, text }).has(anchor) ? undefined : `${opened} has no heading #${anchor}`;
}
