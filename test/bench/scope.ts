import { scope } from '@quiesce/scope';
import { atMost } from './budget.ts';
import { expectCount, type Row, timed } from './harness.ts';

const TASKS = 1000;
let done = 0;
const trivial = async (): Promise<void> => {
  done++;
};
const check = (): void => {
  expectCount(done, TASKS);
  done = 0;
};

export const rows: readonly Row[] = [
  {
    name: `${TASKS.toLocaleString('en')} trivial tasks, started and joined, a task`,
    unit: 'ns',
    subjects: () => [
      timed({
        name: 'quiesce',
        batch: TASKS,
        isAsync: true,
        run: () =>
          scope((s) => {
            for (let i = 0; i < TASKS; i++) s.spawn(trivial);
          }),
        check,
      }),
      timed({
        name: 'Promise.all',
        batch: TASKS,
        isAsync: true,
        run: async () => {
          await Promise.all(Array.from({ length: TASKS }, trivial));
        },
        check,
      }),
    ],
    budgets: [{ against: 'Promise.all', must: atMost(2.5) }],
  },
];
