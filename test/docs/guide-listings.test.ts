import { AsyncLocalStorage } from 'node:async_hooks';
import { readFileSync } from 'node:fs';
import { format } from 'node:util';
import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { fileOf, listings, outputOf, textOf } from './listings.ts';

/** Listings that need a process of their own: test/e2e/guide-listings.test.ts runs them. */
const elsewhere = ['cancellation-token', 'forgotten-guard', 'http-server', 'signal-flag', 'thread-pool'];
const here = listings().filter((name) => !elsewhere.includes(name));
const readme = readFileSync(new URL('../../docs/examples/guide/README.md', import.meta.url), 'utf8');

/** Collects the output of one listing. Late output of a listing must not count as output of the next one. */
const printing = new AsyncLocalStorage<string[]>();
// While a storage is enabled, Node 20.19 ends the process when a later test overflows the stack.
afterAll(() => printing.disable());

async function printedBy(work: () => Promise<unknown>): Promise<string[]> {
  const lines: string[] = [];
  await printing.run(lines, work);
  return [...lines];
}

beforeEach(() => {
  vi.spyOn(console, 'log').mockImplementation((...values) => {
    printing.getStore()?.push(...format(...values).split('\n'));
  });
});

afterEach(() => {
  vi.restoreAllMocks();
});

it('late output of a listing does not count as output of the next one', async () => {
  let late: () => void = () => {};
  const released = new Promise<void>((resolve) => (late = resolve));
  const first = await printedBy(async () => {
    console.log('first');
    void released.then(() => console.log('late'));
  });
  const second = await printedBy(async () => {
    late();
    await released;
    console.log('second');
  });
  expect([first, second]).toEqual([['first'], ['second']]);
});

describe('the listings of the guide', () => {
  it.each(here)('%s prints the output at its end', async (name) => {
    expect(await printedBy(() => import(fileOf(name)))).toEqual(outputOf(name));
  });

  it.each(listings())('%s begins with the chapter, and has 20 to 60 lines', (name) => {
    const text = textOf(name);
    expect(text).toMatch(/^\/\/ The guide, chapter \d+, ".+": .+/);
    const lines = text.trimEnd().split('\n').length - outputOf(name).length;
    expect(lines).toBeGreaterThanOrEqual(20);
    expect(lines).toBeLessThanOrEqual(60);
  });

  it.each(listings())('%s is in the table, with its chapter', (name) => {
    const [, chapter] = /chapter (\d+)/.exec(textOf(name)) ?? [];
    const rows = readme.split('\n').filter((line) => line.startsWith('|') && line.includes(`(${name}.ts)`));
    expect(rows.filter((row) => row.split('|')[2]?.trim() === chapter)).not.toEqual([]);
  });
});
