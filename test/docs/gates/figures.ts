// A figure is confirmed by a test or not written. It stands behind a mark, `<!-- fact:name -->5,000`, under whose name
// facts.ts computes it, or reads it off the test that asserts it.
import { lineAt, type Page, type Problem, proseOf } from './markdown.ts';

/** What each mark has to be followed by: `fact:operations` to `55,809`. */
export type Facts = ReadonlyMap<string, string>;

/** Which figures need a mark: all of them, or those that measure something. */
export type Scope = 'all' | 'measured';

const figure =
  /(?:<!-- ((?:fact|size):[\w./-]+) -->)?(?<![\p{L}\p{N}_/.^-])(\.?\d[\d,_]*(?:\.\d+)?)(?!\d|(?:st|nd|rd|th)\b)/gu;
const mark = /<!-- ((?:fact|size):[\w./-]+) -->/g;
const unit = String.raw`k?B\b|[MG]B\b|bytes?\b|[nµ]s\b|%|percent\b|x\b|×|times\b|fold\b|recorded\b|operations\b`;
const measure = new RegExp(String.raw`^(?:[-–/][\d.,]+)?(?:\s|&nbsp;|[*_]|-|<[^>]*>)*(?:${unit})`);
/** The figure is code by its clothes only: `5 kB`. */
const dressed = new RegExp(String.raw`${'`'}([^\w${'`'}]*\d[\d,.]*\s*(?:m?s\b|${unit}))${'`'}`, 'g');
const counted =
  'zero|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|twenty|thirty|fifty|hundreds?|thousands?|millions?|billions?|dozens?';
/** A figure in words, or in a sign that is no digit. */
const worded = new RegExp(
  String.raw`\b(?:${counted})\s+(?:of\s+)?(?:kilo)?(?:${unit})|\b(?:(?:${counted})-?fold|(?:twice|half) (?:as|the)|orders? of magnitude)\b|[½¼¾⅓⅔]|(?!\d)\p{Nd}+`,
  'giu',
);
/** The same where every figure counts. */
const large = /\b(?:hundreds?|thousands?|millions?|billions?|dozens?|(?:milli)?seconds)\b/gi;

/** Figures that nothing confirms, and marks that confirm nothing. */
export function unconfirmedFigures(page: Page, facts: Facts, scope: Scope): Problem[] {
  const text = withoutTargets(proseOf({ ...page, text: undressed(page.text, scope) }));
  const at = (index: number, text: string): Problem => ({ place: `${page.file}:${lineAt(page.text, index)}`, text });
  const unconfirmed = (index: number, said: string): Problem =>
    at(index, `no test confirms "${said}": put a mark in front, and compute it in facts.ts`);
  const columns = measuringColumns(text);
  const seen = new Set<number>();
  const wrong = [...text.matchAll(figure)].flatMap((match) => {
    const [all, name, said = ''] = match;
    const behind = text.slice(match.index + all.length);
    if (name === undefined) {
      // It is said wherever there is something to install, and needs no mark.
      if (text.slice(0, match.index).endsWith('Node ') && said === facts.get('fact:node-least')) return [];
      const isMeasured = measure.test(behind) || columns.some(([from, to]) => match.index > from && match.index < to);
      const counts = scope === 'all' ? !isNumbering(text, match.index) : isMeasured;
      return counts ? [unconfirmed(match.index, said)] : [];
    }
    seen.add(match.index);
    const fact = facts.get(name);
    if (fact === undefined) return [at(match.index, `facts.ts does not know "${name}"`)];
    if (fact !== said) return [at(match.index, `${name} is ${fact}, not ${said}`)];
    return name.startsWith('size:') && !/^\s+kB\b/.test(behind) ? [at(match.index, `${name} is in kB`)] : [];
  });
  const inWords = [worded, ...(scope === 'all' ? [large] : [])].flatMap((words) =>
    [...text.matchAll(words)].map(({ 0: said, index }) => unconfirmed(index, said)),
  );
  const idle = [...text.matchAll(mark)].filter(({ index }) => !seen.has(index));
  const idleMarks = idle.map(({ 1: name, index }) => at(index, `no figure stands behind the mark "${name}"`));
  return [...wrong, ...inWords, ...idleMarks];
}

/** Figures in the clothes of code, out of them; where all figures count, plain text in a fence as well. */
function undressed(text: string, scope: Scope): string {
  const bare = text.replaceAll(dressed, ' $1 ');
  if (scope !== 'all') return bare;
  return bare.replaceAll(/^```text\n([\s\S]*?)^```$/gm, (_, plain: string) => `       \n${plain}   `);
}

/** From where to where the cells stand whose column is headed by a measure, as in `| ns |`. */
function measuringColumns(text: string): [from: number, to: number][] {
  return [...text.matchAll(/^\|(.*)\|\n\|[-: |]+\|\n((?:\|.*\n?)*)/gm)].flatMap((table) => {
    const heads = (table[1] ?? '').split('|').map((head) => new RegExp(String.raw`(?<!\w)(?:${unit})`).test(head));
    const start = table.index + table[0].length - (table[2] ?? '').length;
    return [...(table[2] ?? '').matchAll(/^\|.*$/gm)].flatMap((row) => {
      const cells = [...row[0].matchAll(/\|([^|]*)(?=\|)/g)];
      return cells.flatMap(({ 0: cell, index }, column): [number, number][] => {
        const from = start + row.index + index;
        return heads[column] ? [[from, from + cell.length]] : [];
      });
    });
  });
}

/** `1.` at the beginning of a line. */
function isNumbering(text: string, index: number): boolean {
  const before = text.slice(text.lastIndexOf('\n', index) + 1, index);
  return before.trim() === '' && /^\d+\. /.test(text.slice(index));
}

/** Where a link leads is no prose. */
function withoutTargets(prose: string): string {
  return prose.replaceAll(/\]\(\s*[^)\s]*|https?:\S+/g, (target) => ' '.repeat(target.length));
}
