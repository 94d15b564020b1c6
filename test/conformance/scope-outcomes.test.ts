// Compares the guide's statements about asyncio and trio with their output: python/rows.py prints it, and rows.txt keeps it.
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const read = (file: URL): string => readFileSync(file, 'utf8');

/** Returns the cells of each row of a table. */
function rowsOf(text: string): string[][] {
  return [...text.matchAll(/^\| (.*) \|$/gm)].map((match) => (match[1] ?? '').split('|').map((cell) => cell.trim()));
}

/** Returns the guide's form of an output of Python. */
function inGuide(given: string): string {
  if (given === 'not expressible') return '–';
  if (given === 'CancelledError') return 'cancelled';
  return given
    .replace(/^\w+ of /, 'group: ')
    .replaceAll('Child', 'child')
    .replaceAll('Body', 'body');
}

const recorded = read(new URL('python/rows.txt', import.meta.url));
const guide = read(new URL('../../docs/guide/scope-outcomes.md', import.meta.url));

test('each row of the guide shows the output of asyncio and trio', () => {
  const section = guide.slice(guide.indexOf('## Default policy')).split('\n## ')[0] ?? '';
  const stated = rowsOf(section).filter(([body = '']) => body !== 'body' && !body.startsWith('--'));
  const given = rowsOf(recorded).map(([body, child, ...both]) => [body, child, ...both.map(inGuide)]);
  expect(given).toHaveLength(21);
  expect(stated.map((row) => [row[0], row[1], ...row.slice(6)])).toEqual(given);
});

test('the guide names the versions of asyncio and trio', () => {
  const [, python = '', trio = ''] = /^Python (\d+\.\d+), trio (\d+\.\d+)/.exec(recorded) ?? [];
  const text = guide.replaceAll(/\s+/g, ' ');
  expect(text).toContain(`Python ${python}'s \`asyncio.TaskGroup\``);
  expect(text).toContain(`trio's nursery (${trio}, with strict exception groups)`);
});
