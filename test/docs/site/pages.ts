// Lays out the pages of the site: the project's own Markdown, under shorter addresses. A link to a page of the site becomes
// one to its address; a link to a source or a test leads to the repository.
import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { publicPackages, root } from '../../package/packages.ts';
import { type Page, pageAt, pagesIn, proseOf } from '../gates/markdown.ts';

const repository = 'https://github.com/quiesce/quiesce/blob/main/';

const picture = /\.(?:svg|png|jpe?g|gif|webp)$/;

/** Addresses by file: `packages/select/README.md` is at `/packages/select`. */
export type Addresses = ReadonlyMap<string, string>;

/** Every page that is on the site, but for the reference. */
export function addresses(): Addresses {
  const guide = pagesIn(root, 'docs/guide', ['.md']).map(({ file }) => {
    return [file, file.slice('docs'.length).replace(/(?:README)?\.md$/, '')] as const;
  });
  const packages = publicPackages().map(
    ({ folder }) => [`packages/${folder}/README.md`, `/packages/${folder}`] as const,
  );
  const rest = ['design', 'benchmarks', 'contributing'].map((name) => [`docs/${name}.md`, `/${name}`] as const);
  return new Map([['README.md', '/'], ...guide, ...packages, ...rest]);
}

/** Writes all of them below a folder. */
export function writePages(folder: string): void {
  const known = addresses();
  for (const [file, address] of known) {
    const page = pageAt(root, file);
    const text = withLinks(page, known);
    write(folder, address, address === '/' ? home(text) : `${frontMatter(page)}${text}`);
  }
  write(folder, '/packages/', packageIndex());
  if (!known.has('docs/guide/README.md')) write(folder, '/guide/', guideIndex(known));
  cpSync(`${root}docs/.vitepress/public`, join(folder, 'public'), { recursive: true });
  for (const file of new Set([...known.keys()].flatMap(picturesOf))) cpSync(root + file, join(folder, 'public', file));
}

/** A page with its links as they have to be on the site. */
function withLinks(page: Page, known: Addresses): string {
  const prose = proseOf(page);
  let text = '';
  let last = 0;
  for (const match of prose.matchAll(/\]\(([^)\s]+)\)/g)) {
    const target = match[1] ?? '';
    text += `${page.text.slice(last, match.index)}](${onSite(page.file, target, known)})`;
    last = match.index + match[0].length;
  }
  return text + page.text.slice(last);
}

function onSite(file: string, target: string, known: Addresses): string {
  if (/^[a-z]+:/i.test(target) && !target.startsWith(repository)) return target;
  const [path = '', anchor] = target.replace(repository, '').split('#');
  const hash = anchor === undefined ? '' : `#${anchor}`;
  if (path === '') return hash;
  const found = (target.startsWith(repository) ? path : join(dirname(file), path)).replace(/\/$/, '');
  if (picture.test(found)) return `/${found}`;
  const address = known.get(found) ?? known.get(`${found}/README.md`);
  return address === undefined ? `${repository}${found}${hash}` : `${address}${hash}`;
}

/** The pictures that a page shows, from the root; they keep their places on the site. */
function picturesOf(file: string): string[] {
  const targets = [...proseOf(pageAt(root, file)).matchAll(/\]\(([^)\s:#]+)\)/g)].map(([, target = '']) => target);
  return targets.map((target) => join(dirname(file), target)).filter((target) => picture.test(target));
}

function write(folder: string, address: string, text: string): void {
  const file = join(folder, address.endsWith('/') ? `${address}index.md` : `${address}.md`);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}

/** The name of a page. */
export function titleOf({ text }: Page): string {
  return (/^# (.*)$/m.exec(text)?.[1] ?? '').replaceAll(/[`*]/g, '');
}

function frontMatter(page: Page): string {
  return `---\neditLink: false\ntitle: ${JSON.stringify(titleOf(page))}\n---\n\n`;
}

/** The README, whose title and first line become the head of the page. */
function home(readme: string): string {
  const [, line = '', rest = ''] = /^# Quiesce\n\n([\s\S]*?)\n\n([\s\S]*)$/.exec(readme) ?? [];
  const [, text = '', tagline = ''] = /^\*\*(.*?)\*\* ([\s\S]*)$/.exec(line.replaceAll('\n', ' ')) ?? [];
  const actions = [
    { theme: 'brand', text: 'Get started', link: '/guide/' },
    { theme: 'alt', text: 'Packages', link: '/packages/' },
    { theme: 'alt', text: 'Reference', link: '/reference/' },
  ];
  const hero = { name: 'Quiesce', text, tagline: tagline.replaceAll('`', ''), actions };
  return `---\nlayout: home\nhero: ${JSON.stringify(hero)}\n---\n\n${rest}`;
}

function packageIndex(): string {
  const rows = publicPackages().map(({ folder, manifest }) => {
    const { description = '' } = manifest as { description?: string };
    return `| [\`${manifest.name}\`](/packages/${folder}) | ${description} | [reference](/reference/${manifest.name}) |\n`;
  });
  return `# Packages\n\n| package | what it is | |\n| --- | --- | --- |\n${rows.join('')}`;
}

function guideIndex(known: Addresses): string {
  const links = [...known].filter(([file]) => file.startsWith('docs/guide/'));
  return `# Guide\n\n${links.map(([file, address]) => `- [${titleOf(pageAt(root, file))}](${address})\n`).join('')}`;
}
