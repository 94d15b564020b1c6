// Tests the arguments and figures of `npm run bench`. No test measures, because a measurement takes minutes.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { atLeast, atMost, isWithin, show } from '../bench/budget.ts';
import { blocksOf, withBlock, withSizes } from '../bench/record.ts';
import { figuresOf, linesOf, tableOf } from '../bench/table.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

test('an unknown file is rejected, and the error names the known files', () => {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--import', 'tsx', 'test/bench/run.ts', 'nosuch'], {
    cwd: root,
    encoding: 'utf8',
  });
  expect(status).toBe(2);
  expect(stdout + stderr).toContain('there is no nosuch; there are token, select');
});

const measured = (ours: number[], theirs: number[]) => ({
  name: 'work',
  unit: 'ns' as const,
  runtime: 'node 20',
  budgets: [{ aim: atMost(40) }, { against: 'rival', must: atLeast(2) }],
  subjects: [
    { name: 'quiesce', samples: ours },
    { name: 'rival', samples: theirs },
    { name: 'other', samples: theirs },
  ],
});

test('a figure has name, subject, runtime, value, unit, ratio, budget and met, and is the median over all processes', () => {
  const figures = figuresOf(linesOf([measured([10, 20], [30, 40]), measured([30], [90])]));
  const row = { name: 'work', runtime: 'node 20', unit: 'ns' };
  expect(figures).toEqual([
    { ...row, subject: 'quiesce', value: 20, ratio: null, budget: null, met: null },
    { ...row, subject: 'rival', value: 40, ratio: 3, budget: '≥ 2 better', met: true },
    { ...row, subject: 'other', value: 40, ratio: 3, budget: null, met: null },
  ]);
});

test('a missed budget has `met: false`', () => {
  const [, rival] = figuresOf(linesOf([measured([30], [40])]));
  expect(rival).toMatchObject({ met: false, budget: '≥ 2 better' });
  expect([isWithin(3, atMost(3)), isWithin(3.01, atMost(3)), show(atMost(3))]).toEqual([true, false, '≤ 3']);
});

const page = `# Benchmarks
${['token, Node 20', 'token, Node 24', 'select, Node 20', 'broadcast, Node 20']
  .map((key) => `\n<!-- recorded: ${key} -->\n\nNot recorded yet.\n\n<!-- /recorded -->\n`)
  .join('')}`;
const readme = [
  '| package | budget | size |',
  '| [`quiesce`](packages/quiesce) | all    | 1.0 kB     |',
  '| [`@quiesce/select`](packages/select) | 5.0 kB | 1.0 kB     |',
  '',
].join('\n');

/** Returns a page on which the given rows are recorded. */
function recorded(rows: Record<string, [work: string, rival: string][]>): string {
  return Object.entries(rows).reduce((text, [key, works]) => {
    const lines = works.flatMap(([name, against]) =>
      linesOf([
        {
          ...measured([10], [25]),
          name,
          budgets: [{ against, must: atLeast(2) }],
          subjects: [
            { name: 'quiesce', samples: [10] },
            { name: 'before', samples: [5] },
            { name: against, samples: [25] },
          ],
        },
      ]),
    );
    return withBlock(text, key, 'Node 20', '`abc1234` of 2026-01-31', tableOf(lines));
  }, page);
}

test('a record replaces one block of the page, and names its commit', () => {
  const text = recorded({ 'token, Node 24': [['work', 'rival']] });
  expect(text.match(/Not recorded yet/g)).toHaveLength(3);
  expect(blocksOf(text)).toEqual([
    {
      key: 'token, Node 24',
      measured: expect.stringMatching(/^\d{4}-\d{2}-\d{2}$/),
      commit: 'abc1234',
      committed: '2026-01-31',
      table: [
        ['work', 'ours', 'against', 'its figure', 'ratio', 'must', 'aim', 'met'],
        expect.anything(),
        ['work', '10 ns', 'rival', '25 ns', '2.5 better', '≥ 2 better', '', 'yes'],
        ['', '10 ns', 'before', '5 ns', '0.5 better', '', '', ''],
      ],
    },
  ]);
  expect(() => withBlock(page, 'token, Node 22', 'Node 22', '`abc1234` of 2026-01-31', '')).toThrow('there is no');
});

test('the README quotes sizes in its table', () => {
  const written = withSizes(readme, [
    { name: 'select', size: 12_345, sizeLimit: 13_000, passed: true },
    { name: 'quiesce', size: 40_000, sizeLimit: 50_000, passed: true },
  ]);
  expect(written).toContain('| 5.0 kB | 12.4 kB    |\n');
  expect(written).toContain('| all    | 40.0 kB    |\n');
});
