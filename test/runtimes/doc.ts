// Writes results into docs/runtimes.md: the rows of the runtimes that ran, and the reasons for skipped tests.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../package/packages.ts';
import type { Row } from './rows.ts';
import { runtimes } from './runtimes.ts';
import { aligned, cellsOf, head, reasonsOf } from './table.ts';

const page = join(root, 'docs/runtimes.md');

/** Returns the text of the page between two marks, which are comments: `<!-- id -->` and `<!-- /id -->`. */
function between(id: string): RegExp {
  return new RegExp(`(<!-- ${id} -->\n\n)([\\s\\S]*?)(\n\n<!-- /${id} -->)`);
}

function read(text: string, id: string): string {
  const [, , found] = between(id).exec(text) ?? [];
  if (found === undefined)
    throw new Error(`docs/runtimes.md has no place for ${id}: <!-- ${id} --> and <!-- /${id} -->`);
  return found;
}

/** Returns the rows of the table without its head, as cells. */
export function rowsOnPage(text: string = readFileSync(page, 'utf8')): string[][] {
  const lines = read(text, 'table').split('\n').slice(2);
  return lines.map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

/** Returns the reasons for skipped tests of a runtime, with their numbers, in the form of the page. */
export function reasonsOnPage(id: string, text: string = readFileSync(page, 'utf8')): { count: number; why: string }[] {
  return read(text, `skipped ${id}`)
    .split('\n')
    .map((line) => /^- (\d+): (.+)$/.exec(line))
    .map((match) => ({ count: Number(match?.[1] ?? 0), why: match?.[2] ?? '' }));
}

/** Replaces the rows of the runtimes that ran. The other rows stay. */
export function writePage(rows: readonly Row[], date: string): void {
  let text = readFileSync(page, 'utf8');
  const cells = rowsOnPage(text);
  for (const row of rows) {
    const at = cells.findIndex(([name]) => name === row.name);
    cells.splice(at < 0 ? cells.length : at, at < 0 ? 0 : 1, [...cellsOf(row), date]);
    const reasons = [...reasonsOf(row)].map(([why, count]) => `- ${count}: ${why}`);
    text = text.replace(
      between(`skipped ${row.id}`),
      (_, open, __, close) => open + (reasons.join('\n') || '- 0: nothing') + close,
    );
  }
  const order = runtimes.map(({ name }) => name);
  cells.sort(([a = ''], [b = '']) => order.indexOf(a) - order.indexOf(b));
  const table = aligned([...head, 'date'], cells);
  writeFileSync(
    page,
    text.replace(between('table'), (_, open, __, close) => open + table + close),
  );
}
