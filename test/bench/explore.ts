import { everyday } from '../../packages/testing/test/corpus/everyday.ts';
import { runProgram } from '../../packages/testing/test/corpus/program.ts';
import {
  audited,
  bare,
  bytesOfWaiting,
  counted,
  explored,
  fastCheck,
  plain,
  watched,
} from '../../packages/testing/test/workloads.ts';
import { atMost } from './budget.ts';
import type { Row, Subject } from './harness.ts';

const RUNS = 300;

/** Measures the processor time of runs that are made by one call. The figure is for one run. */
function subject(name: string, work: (runs: number) => Promise<void>, runs = RUNS): Subject {
  return {
    name,
    sample: async () => {
      const start = process.cpuUsage();
      await work(runs);
      const { user, system } = process.cpuUsage(start);
      return ((user + system) * 1e3) / runs;
    },
  };
}

/** Replays a failure, which is audited and told. */
async function replays(count: number): Promise<void> {
  const [program] = everyday;
  if (program === undefined) throw new Error('the corpus is empty');
  const failureOf = (options: object) => runProgram(program, false, options).catch((error: unknown) => error);
  const { schedule } = (await failureOf({})) as { schedule: string };
  for (let i = 0; i < count; i++) await failureOf({ replay: schedule });
}

export const rows: readonly Row[] = [
  {
    name: 'a run of 15 operations',
    unit: 'ns',
    subjects: () => [
      subject('quiesce', explored),
      subject('bare tasks of a MessageChannel', bare),
      subject('fast-check', fastCheck),
    ],
    budgets: [
      { against: 'bare tasks of a MessageChannel', must: atMost(7) },
      { against: 'fast-check', must: atMost(2.5) },
    ],
  },
  {
    name: 'the same with rounds counted',
    unit: 'ns',
    subjects: () => [
      subject('quiesce', (runs) => watched(runs, 0, counted)),
      subject('without', (runs) => watched(runs, 0, plain)),
    ],
    budgets: [{ against: 'without', must: atMost(2) }],
  },
  {
    name: 'the same audited, with 20 bare awaits an operation',
    unit: 'ns',
    subjects: () => [
      subject('quiesce', (runs) => watched(runs, 20, audited), 100),
      subject('without', (runs) => watched(runs, 20, plain), 100),
    ],
    budgets: [{ against: 'without', must: atMost(5) }],
  },
  {
    name: 'a schedule that waits',
    unit: 'B',
    subjects: () => [{ name: 'quiesce', sample: bytesOfWaiting }],
    budgets: [{ must: atMost(200) }],
  },
  {
    name: 'a replay of one failure',
    unit: 'ns',
    subjects: () => [subject('quiesce', replays, 200)],
    budgets: [{ must: atMost(2_000_000) }],
  },
];
