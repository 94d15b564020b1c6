import { readFileSync } from 'node:fs';
import { format } from 'node:util';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { fileOf, listings, outputOf, textOf } from './listings.ts';

/** Those that need a process of their own: test/e2e/guide-listings.test.ts runs them. */
const elsewhere = ['cancellation-token', 'forgotten-guard', 'http-server', 'signal-flag', 'thread-pool'];
const here = listings().filter((name) => !elsewhere.includes(name));
const readme = readFileSync(new URL('../../docs/examples/guide/README.md', import.meta.url), 'utf8');

afterEach(() => {
  vi.restoreAllMocks();
});

describe('the listings of the guide', () => {
  it.each(here)('%s prints what it says at its end', async (name) => {
    const lines: string[] = [];
    vi.spyOn(console, 'log').mockImplementation((...values) => void lines.push(...format(...values).split('\n')));
    await import(fileOf(name));
    expect(lines).toEqual(outputOf(name));
  });

  it.each(listings())('%s begins with the chapter, and can be read in a minute', (name) => {
    const text = textOf(name);
    expect(text).toMatch(/^\/\/ The guide, chapter \d+, ".+": .+/);
    const lines = text.trimEnd().split('\n').length - outputOf(name).length;
    expect(lines).toBeGreaterThanOrEqual(20);
    expect(lines).toBeLessThanOrEqual(60);
  });

  it.each(listings())('%s stands in the table, with its chapter', (name) => {
    const [, chapter] = /chapter (\d+)/.exec(textOf(name)) ?? [];
    const rows = readme.split('\n').filter((line) => line.startsWith('|') && line.includes(`(${name}.ts)`));
    expect(rows.filter((row) => row.split('|')[2]?.trim() === chapter)).not.toEqual([]);
  });
});
