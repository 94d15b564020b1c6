// The last word on links is the site as it was built: every address and every anchor in it is there.
import { readdirSync, readFileSync } from 'node:fs';
import { posix } from 'node:path';

/** Pages as they were built, by address: `/guide/tokens.html`. */
export type Built = ReadonlyMap<string, string>;

/** Reads the HTML below a folder, and names everything else that lies there. */
export function readSite(folder: string): { pages: Built; files: ReadonlySet<string> } {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => `${entry.parentPath}/${entry.name}`.slice(folder.length).replace(/^\/?/, '/'));
  const pages = files.filter((file) => file.endsWith('.html') && file !== '/404.html');
  return { pages: new Map(pages.map((file) => [file, readFileSync(folder + file, 'utf8')])), files: new Set(files) };
}

/** The links of the site's pages that lead nowhere on it. */
export function deadEnds(pages: Built, files: ReadonlySet<string>): string[] {
  const anchors = new Map([...pages].map(([page, html]) => [page, idsOf(html)]));
  const dead = [...pages].flatMap(([page, html]) =>
    targetsOf(html).flatMap((target) => {
      const { pathname, hash } = new URL(target, `http://site${page}`);
      const file = fileAt(decodeURIComponent(pathname), files);
      if (file === undefined) return [`${page}: there is no ${target}`];
      const anchor = decodeURIComponent(hash.slice(1));
      const isThere = anchor === '' || anchors.get(file)?.has(anchor) === true;
      return isThere ? [] : [`${page}: ${file} has no #${anchor}`];
    }),
  );
  return [...new Set(dead)];
}

function idsOf(html: string): Set<string> {
  return new Set([...html.matchAll(/\sid="([^"]+)"/g)].map(([, id = '']) => unescaped(id)));
}

function targetsOf(html: string): string[] {
  const all = [...html.matchAll(/<(?:a|link|script|img)\s[^>]*?(?:href|src)="([^"]*)"/g)];
  return all.map(([, target = '']) => unescaped(target)).filter((target) => !/^(?:[a-z]+:|\/\/)/i.test(target));
}

function fileAt(path: string, files: ReadonlySet<string>): string | undefined {
  const candidates = [path, `${path}.html`, posix.join(path, 'index.html')];
  return candidates.find((candidate) => files.has(candidate));
}

function unescaped(text: string): string {
  return text.replaceAll('&amp;', '&').replaceAll('&quot;', '"').replaceAll('&#39;', "'").replaceAll('&lt;', '<');
}
