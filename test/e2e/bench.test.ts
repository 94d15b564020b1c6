// What `npm run bench` makes of its arguments and of what was measured. The measuring itself takes minutes.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { atLeast, atMost, isWithin, show } from '../bench/budget.ts';
import { figuresOf, linesOf } from '../bench/table.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

test('a file that is not there is refused, and those that are there are named', () => {
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

test('a row has name, subject, runtime, value, unit, ratio, budget and met: medians over all processes', () => {
  const figures = figuresOf(linesOf([measured([10, 20], [30, 40]), measured([30], [90])]));
  const row = { name: 'work', runtime: 'node 20', unit: 'ns' };
  expect(figures).toEqual([
    { ...row, subject: 'quiesce', value: 20, ratio: null, budget: null, met: null },
    { ...row, subject: 'rival', value: 40, ratio: 3, budget: '≥ 2 better', met: true },
    { ...row, subject: 'other', value: 40, ratio: 3, budget: null, met: null },
  ]);
});

test('a budget that is missed says so', () => {
  const [, rival] = figuresOf(linesOf([measured([30], [40])]));
  expect(rival).toMatchObject({ met: false, budget: '≥ 2 better' });
  expect([isWithin(3, atMost(3)), isWithin(3.01, atMost(3)), show(atMost(3))]).toEqual([true, false, '≤ 3']);
});
