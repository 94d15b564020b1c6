// What stands at the side of a page: the guide in the order in which its first page lists it, packages, the reference.
import type { DefaultTheme } from 'vitepress';
import { publicPackages, root } from '../../package/packages.ts';
import { entries } from '../gates/entries.ts';
import { type Page, pageAt } from '../gates/markdown.ts';
import { type Addresses, titleOf } from './pages.ts';

type Item = DefaultTheme.SidebarItem;

export function navigation(known: Addresses): DefaultTheme.SidebarMulti {
  const packages = publicPackages().map(({ folder, manifest }) => item(manifest.name, `/packages/${folder}`));
  const reference = entries().map(({ name }) => item(name, `/reference/${name}`));
  const about = ['design', 'benchmarks', 'contributing'].map((name) =>
    item(titleOf(pageAt(root, `docs/${name}.md`)), `/${name}`),
  );
  return {
    '/guide/': guide(known),
    '/packages/': [
      { text: 'Packages', items: packages },
      { text: 'More', items: [item('Guide', '/guide/'), item('Reference', '/reference/')] },
    ],
    '/reference/': [{ text: 'Reference', items: reference }],
    '/': [{ text: 'About', items: about }],
  };
}

function item(text: string, link: string): Item {
  return { text, link };
}

/** Under the headings of the guide's first page; what that does not name comes last, so that nothing is out of reach. */
function guide(known: Addresses): Item[] {
  const pages = [...known].filter(([file]) => file.startsWith('docs/guide/') && file !== 'docs/guide/README.md');
  const groups = known.has('docs/guide/README.md') ? groupsOf(pageAt(root, 'docs/guide/README.md'), known) : [];
  const named = new Set(groups.flatMap(({ items = [] }) => items.map(({ link }) => link)));
  const others = pages
    .filter(([, address]) => !named.has(address))
    .map(([file, address]) => item(titleOf(pageAt(root, file)), address));
  return [...groups, ...(others.length > 0 ? [{ text: groups.length > 0 ? 'More' : 'Guide', items: others }] : [])];
}

function groupsOf({ text, file }: Page, known: Addresses): Item[] {
  const seen = new Set<string>();
  const sections = text.split(/^## /m).map((section, index) => {
    const title = index === 0 ? 'Guide' : (section.split('\n')[0] ?? '');
    const links = [...section.matchAll(/\]\(([^)#\s]+\.md)[^)]*\)/g)].map(
      ([, path = '']) => `${file.replace(/[^/]+$/, '')}${path}`,
    );
    const items = links.flatMap((target) => {
      const address = known.get(target);
      if (address === undefined || seen.has(address)) return [];
      seen.add(address);
      return [item(titleOf(pageAt(root, target)), address)];
    });
    return { text: title, items };
  });
  return sections.filter(({ items }) => items.length > 0);
}
