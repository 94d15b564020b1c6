// The site: the README, the pages of docs, the READMEs of the packages and the reference. Pages stay where they are in the repository.
import { existsSync, readFileSync } from 'node:fs';
import { dirname, relative, resolve } from 'node:path';
import { slug } from 'github-slugger';
import { type DefaultTheme, defineConfig, type MarkdownRenderer } from 'vitepress';
import { publicPackages, root } from '../../test/package/packages.ts';

const repository = 'https://github.com/quiesce/quiesce/blob/main/';
const output = `${root}test/.output/site/`;
const isOnSite = /^(?:README|docs\/(?!examples\/).+|packages\/[^/]+\/README)\.md$/;

/** `docs/guide/README.md` becomes `guide/index.md`, `packages/select/README.md` becomes `packages/select.md`. */
function address(file: string): string {
  return file
    .replace(/^docs\//, '')
    .replace(/^(packages\/[^/]+)\/README/, '$1')
    .replace(/README\.md$/, 'index.md');
}

/** Links are relative in the repository. A link to a page of the site becomes its address there; all others lead to GitHub. */
function rewriteLinks(md: MarkdownRenderer): void {
  md.core.ruler.push('rewrite-links', ({ tokens, env }) => {
    for (const token of tokens.flatMap(({ children }) => children ?? [])) {
      const href = token.attrGet('href')?.replace(repository, root);
      if (href === undefined || /^(?:[a-z]+:|#)/i.test(href)) continue;
      const [path = '', hash = ''] = href.split(/(?=#)/);
      const target = resolve(dirname(env.realPath ?? env.path), decodeURI(path));
      const file = relative(root, existsSync(`${target}/README.md`) ? `${target}/README.md` : target);
      token.attrSet('href', isOnSite.test(file) ? `/${address(file)}${hash}` : `${repository}${file}${hash}`);
    }
  });
}

function page(file: string): DefaultTheme.SidebarItem {
  const [, title = file] = /^# (.+)$/m.exec(readFileSync(root + file, 'utf8')) ?? [];
  return { text: title.replaceAll('`', ''), link: `/${address(file)}` };
}

/** The sections of the sidebar, from the lists on the first page of the guide. */
const guide = readFileSync(`${root}docs/guide/README.md`, 'utf8')
  .split(/^## /m)
  .slice(1)
  .map((section) => ({
    text: section.split('\n')[0] ?? '',
    // A row of a table links to a page that a list also has.
    items: [...section.replaceAll(/^\|.*/gm, '').matchAll(/\]\(([^)#]+\.md)\)/g)].map(([, file]) =>
      page(`docs/guide/${file}`),
    ),
  }))
  .filter(({ items }) => items.length > 0);
const packages = publicPackages();
/** The umbrella comes first: it is the package that readers install. */
const modules = packages
  .flatMap(({ manifest, entries }) => [...entries.keys()].map((subpath) => manifest.name + subpath.slice(1)))
  .sort((a, b) => Number(a.startsWith('@')) - Number(b.startsWith('@')));

/** Weighs the hits of a search. vitepress copies the text of this function into the site, so it uses no other name. */
function boostDocument(address: string): number {
  // The umbrella shows what a name does, how to import it, and where it is documented.
  if (/^\/reference\/quiesce\b.*#api-/.test(address)) return 1.5;
  // These pages are about the project, not about its use.
  return /^\/(?:benchmarks|contributing|design|runtimes)\b/.test(address) ? 0.5 : 1;
}

// With vitepress's own value of 0.2, `UntilCancelled` would be as good a hit for `runUntilCancelled` as the name itself.
const searchOptions = { boostDocument, fuzzy: 0.1 };

const hero = {
  name: 'Quiesce',
  tagline: 'Cancel, await and shut down async work in TypeScript, without leaks.',
  actions: [
    { theme: 'brand', text: 'Get started', link: '/guide/five-minutes' },
    { theme: 'alt', text: 'Packages', link: '/#packages' },
    { theme: 'alt', text: 'Reference', link: '/reference/' },
  ],
};

export default defineConfig({
  title: 'Quiesce',
  description: hero.tagline,
  lang: 'en-GB',
  srcDir: root,
  srcExclude: ['test/**', 'docs/examples/**', '**/CHANGELOG.md'],
  outDir: `${output}html`,
  cacheDir: `${output}cache`,
  rewrites: address,
  metaChunk: true,
  head: [['link', { rel: 'icon', href: '/icon.svg', type: 'image/svg+xml' }]],
  vite: {
    publicDir: `${root}docs/.vitepress/public`,
    // The search index is one large file.
    build: { chunkSizeWarningLimit: 2_000 },
  },
  markdown: {
    theme: { light: 'github-light-high-contrast', dark: 'github-dark' },
    // Headings get the anchors that GitHub gives them, so that one check of the links is enough.
    anchor: { slugify: slug },
    config: rewriteLinks,
  },
  transformPageData: ({ relativePath }) =>
    relativePath === 'index.md' ? { title: '', frontmatter: { layout: 'home', hero } } : {},
  themeConfig: {
    logo: '/icon.svg',
    search: { provider: 'local', options: { miniSearch: { searchOptions } } },
    outline: { level: [2, 3] },
    nav: [
      { text: 'Guide', link: '/guide/', activeMatch: '^/guide/' },
      { text: 'Packages', link: '/#packages', activeMatch: '^/packages/' },
      { text: 'Reference', link: '/reference/', activeMatch: '^/reference/' },
      { text: 'Design', link: '/design', activeMatch: '^/(design|benchmarks|runtimes|contributing)' },
    ],
    sidebar: {
      '/guide/': guide,
      '/packages/': [{ text: 'Packages', items: packages.map(({ folder }) => page(`packages/${folder}/README.md`)) }],
      '/reference/': [
        { text: 'Reference', items: modules.map((name) => ({ text: name, link: `/reference/${name}` })) },
      ],
      '/': [
        {
          text: 'About',
          items: ['design', 'benchmarks', 'runtimes', 'contributing'].map((name) => page(`docs/${name}.md`)),
        },
      ],
    },
    socialLinks: [{ icon: 'github', link: 'https://github.com/quiesce/quiesce' }],
    footer: { message: 'Released under the MIT licence.' },
  },
});
