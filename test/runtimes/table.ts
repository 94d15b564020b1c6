// Makes the table in Markdown, for the terminal and for docs/runtimes.md.
import type { Result } from './reporter.ts';
import type { Row } from './rows.ts';

export const head: readonly string[] = ['runtime', 'version', '`using`', 'passed', 'failed', 'skipped'];

/** The first columns hold words, the others numbers or dates. */
const words = 3;

/** One row for each runtime. */
export function tableOf(rows: readonly Row[]): string {
  return aligned(head, rows.map(cellsOf));
}

export function cellsOf({ name, version, using, tests, broken }: Row): string[] {
  if (broken !== undefined) return [name, '-', '-', '0', `did not run: ${broken}`, '0'];
  const count = (state: Result['state']): string => String(tests.filter((test) => test.state === state).length);
  return [name, version, using, count('passed'), count('failed'), count('skipped')];
}

export function aligned(titles: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = titles.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => (row[column] ?? '').length)),
  );
  const line = (row: readonly string[]): string => {
    const cells = widths.map((width, column) => {
      const cell = row[column] ?? '';
      return column < words ? cell.padEnd(width) : cell.padStart(width);
    });
    return `| ${cells.join(' | ')} |`;
  };
  const rule = widths.map((width, column) => (column < words ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`));
  return [line(titles), line(rule), ...rows.map(line)].join('\n');
}

/** Returns the reasons for skipped tests, with their numbers, the most frequent one first. */
export function reasonsOf({ tests }: Row): Map<string, number> {
  const reasons = new Map<string, number>();
  for (const { state, why } of tests) {
    if (state === 'skipped') reasons.set(String(why), (reasons.get(String(why)) ?? 0) + 1);
  }
  return new Map([...reasons].sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1)));
}
