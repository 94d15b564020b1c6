// Compares the figures of README.md with docs/benchmarks.md and the sources. Checks that the record is complete and recent.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { packages, programs } from '../../.size-limit.js';
import { blocksOf, dayOf, files, newestChange, nodes } from '../bench/record.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const read = (file: string): string => readFileSync(root + file, 'utf8');
const page = read('docs/benchmarks.md');
const readme = read('README.md');
const blocks = blocksOf(page);
const newest = newestChange();

const OLDEST_DAYS = 30;
const DAY = 24 * 60 * 60 * 1000;

describe('docs/benchmarks.md', () => {
  it('has a table of sizes, and a table for each file of benchmarks on each Node', () => {
    const wanted = ['sizes', ...files.flatMap((file) => nodes.map((node) => `${file}, Node ${node}`))];
    expect(blocks.map(({ key }) => key)).toEqual(wanted);
  });

  it.each(blocks)('names a past day, and a commit before the measurement: $key', ({ measured, committed }) => {
    // The day of a commit is the day of its author, which may be a day ahead.
    expect(Date.parse(committed) - DAY).toBeLessThanOrEqual(Date.parse(measured));
    // The clock of this machine may be behind the history.
    const now = Math.max(Date.now(), Date.parse(dayOf('HEAD') ?? measured));
    expect(Date.parse(measured)).toBeLessThanOrEqual(now);
  });

  // Without git, the date of the newest change is unknown.
  it.runIf(newest !== undefined).each(blocks)(
    `was recorded at most ${OLDEST_DAYS} days before the newest change of the sources: $key`,
    ({ commit, committed }) => {
      // When the commit was rebased, or a shallow clone lacks it, only the day on the page is known.
      expect(committed).toBe(dayOf(commit) ?? committed);
      const { date = '', isExact = false } = newest ?? {};
      const age = (Date.parse(date.slice(0, 10)) - Date.parse(committed)) / DAY;
      const advice = isExact
        ? 'The record is too old. Run `npm run bench -- --record` on a quiet machine.'
        : 'This shallow clone does not contain the newest change of the sources. Run `git fetch --unshallow`.';
      expect(age, advice).toBeLessThanOrEqual(OLDEST_DAYS);
    },
  );

  it('has sizes at or below the limits, and no `now` where the budget is met', () => {
    const [head = [], , ...rows] = blocks.find(({ key }) => key === 'sizes')?.table ?? [];
    expect(head.slice(0, 2)).toEqual(['package or program', 'min + gzip']);
    const recorded = new Map(rows.map(([name, size]) => [name, 1000 * Number.parseFloat(size ?? '')]));
    for (const [name, { budget, now }] of [...Object.entries(packages), ...Object.entries(programs)]) {
      expect(recorded.get(name), name).toBeLessThanOrEqual(now ?? budget);
      if (now !== undefined)
        expect(recorded.get(name), `${name} meets its budget: delete \`now\``).toBeGreaterThan(budget);
    }
  });
});

describe('the README', () => {
  it('quotes the sizes of docs/benchmarks.md', () => {
    const rows = blocks.find(({ key }) => key === 'sizes')?.table ?? [];
    for (const folder of Object.keys(packages)) {
      const size = rows.find(([name]) => name === folder)?.[1];
      expect(readme).toMatch(new RegExp(`^\\| \\[\`(?:@quiesce/)?${folder}\`\\].*\\| ${size} +\\|$`, 'm'));
    }
  });

  it('names the oldest Node that package.json allows', () => {
    const [, oldest] = /"node": ">=([\d.]+)"/.exec(read('package.json')) ?? [];
    expect(readme).toContain(`Node ${oldest} and later`);
  });

  it('names the depth of the tree that the test of deep trees cancels', () => {
    const [, depth = ''] = /= ([\d_]+);/.exec(read('packages/cancellation-token/test/deep.slow.test.ts')) ?? [];
    expect(read('docs/guide/guarantees.md')).toContain(`a chain of ${depth.replaceAll('_', ',')} tokens`);
  });
});
