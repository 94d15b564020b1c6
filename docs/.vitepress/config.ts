// The site: the guide, the READMEs of the packages and the reference, as pages that test/docs/site lays out.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type DefaultTheme, defineConfig } from 'vitepress';

const output = fileURLToPath(new URL('../../test/.output/site/', import.meta.url));
/** Written with the pages, which it lists. */
const navigation = JSON.parse(readFileSync(`${output}navigation.json`, 'utf8')) as DefaultTheme.SidebarMulti;

export default defineConfig({
  title: 'Quiesce',
  description: 'Cancellation, channels, scopes and graceful shutdown for TypeScript, on top of AbortSignal',
  lang: 'en-GB',
  srcDir: `${output}pages`,
  outDir: `${output}html`,
  cacheDir: `${output}cache`,
  cleanUrls: false,
  metaChunk: true,
  head: [['link', { rel: 'icon', href: '/icon.svg', type: 'image/svg+xml' }]],
  // The index of the search is one file.
  vite: { build: { chunkSizeWarningLimit: 2_000 } },
  markdown: { theme: { light: 'github-light-high-contrast', dark: 'github-dark' } },
  themeConfig: {
    logo: '/icon.svg',
    search: { provider: 'local' },
    outline: { level: [2, 3] },
    nav: [
      { text: 'Guide', link: '/guide/', activeMatch: '^/guide/' },
      { text: 'Packages', link: '/packages/', activeMatch: '^/packages/' },
      { text: 'Reference', link: '/reference/', activeMatch: '^/reference/' },
      { text: 'Design', link: '/design', activeMatch: '^/(design|benchmarks|contributing)' },
    ],
    sidebar: navigation,
    socialLinks: [{ icon: 'github', link: 'https://github.com/quiesce/quiesce' }],
    footer: { message: 'Released under the MIT licence.' },
  },
});
