// A figure is confirmed by a test or not written. It stands behind a mark, `<!-- fact:name -->5,000`, under whose name
// facts.ts computes it, or reads it off the test that asserts it.
import { lineAt, type Page, type Problem, proseOf } from './markdown.ts';

/** What each mark has to be followed by: `fact:operations` to `55,809`. */
export type Facts = ReadonlyMap<string, string>;

/** Which figures need a mark: all of them, or those that measure something. */
export type Scope = 'all' | 'measured';

const figure = /(?:<!-- ((?:fact|size):[\w./-]+) -->)?(?<![\w/.^-])(\d[\d,]*(?:\.\d+)?)(?![\w/])/g;
const mark = /<!-- ((?:fact|size):[\w./-]+) -->/g;
const measure = /^(?:\s|&nbsp;)*(?:k?B\b|MB\b|bytes?\b|[nµ]s\b|%|×|times\b|recorded\b|operations\b)/;

/** Figures that nothing confirms, and marks that confirm nothing. */
export function unconfirmedFigures(page: Page, facts: Facts, scope: Scope): Problem[] {
  const text = withoutTargets(proseOf(page));
  const at = (index: number, text: string): Problem => ({ place: `${page.file}:${lineAt(page.text, index)}`, text });
  const seen = new Set<number>();
  const wrong = [...text.matchAll(figure)].flatMap((match) => {
    const [all, name, said = ''] = match;
    if (name === undefined) {
      // It is said wherever there is something to install, and needs no mark.
      if (text.slice(0, match.index).endsWith('Node ') && said === facts.get('fact:node-least')) return [];
      const counts =
        scope === 'all' ? !isNumbering(text, match.index) : measure.test(text.slice(match.index + all.length));
      return counts
        ? [at(match.index, `no test confirms "${said}": put a mark in front, and compute it in facts.ts`)]
        : [];
    }
    seen.add(match.index);
    const fact = facts.get(name);
    if (fact === undefined) return [at(match.index, `facts.ts does not know "${name}"`)];
    return fact === said ? [] : [at(match.index, `${name} is ${fact}, not ${said}`)];
  });
  const idle = [...text.matchAll(mark)].filter(({ index }) => !seen.has(index));
  return [...wrong, ...idle.map(({ 1: name, index }) => at(index, `no figure stands behind the mark "${name}"`))];
}

/** `1.` at the beginning of a line. */
function isNumbering(text: string, index: number): boolean {
  const before = text.slice(text.lastIndexOf('\n', index) + 1, index);
  return before.trim() === '' && /^\d+\. /.test(text.slice(index));
}

/** Where a link leads is no prose. */
function withoutTargets(prose: string): string {
  return prose.replaceAll(/\]\([^)\n]*\)|https?:\S+/g, (target) => ' '.repeat(target.length));
}
