// The tables of docs/guide/scope-outcomes.md, row by row: each row is the expected result here.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { bodies, children, run } from './outcomes.ts';
import { unhandledIn } from './vocabulary.ts';

const page = readFileSync(new URL('../../../docs/guide/scope-outcomes.md', import.meta.url), 'utf8');

/** The rows below a heading: body, child, reason of the scope, end of the child, cleanups, result. */
function rowsUnder(heading: string): string[][] {
  const section = page.slice(page.indexOf(heading)).split('\n## ')[0] ?? '';
  return [...section.matchAll(/^\| (.*) \|$/gm)]
    .map((match) => (match[1] ?? '').split('|').map((cell) => cell.trim()))
    .filter(([body = '']) => body !== 'body' && !body.startsWith('--'));
}

const tables = [
  { onFailure: 'cancel', rows: rowsUnder('## Default policy') },
  { onFailure: 'isolate', rows: rowsUnder('## Isolated children') },
] as const;

describe.each(tables)('with onFailure $onFailure', ({ onFailure, rows }) => {
  it('every body is combined with every child', () => {
    const pairs = bodies.flatMap((body) => children.map((child) => [body, child]));
    expect(rows.map(([body, child]) => [body, child])).toEqual(pairs);
  });

  it.each(rows)('a body that %s and a child that %s', async (body, child, cancelled, end, cleanups, gives) => {
    const [bodyKind, childKind] = [bodies.find((kind) => kind === body), children.find((kind) => kind === child)];
    if (bodyKind === undefined || childKind === undefined) throw new Error(`no such row: ${body}, ${child}`);
    const unhandled = await unhandledIn(async () => {
      expect(await run(bodyKind, childKind, onFailure)).toEqual({ cancelled, child: end, cleanups, gives });
    });
    expect(unhandled).toEqual([]);
  });
});
