import { scope } from '@quiesce/scope';
import type { Row } from './harness.ts';

const TASKS = 1000;
const trivial = async (): Promise<number> => 1;

export const rows: readonly Row[] = [
  {
    name: `${TASKS} trivial tasks, started and joined, a task`,
    batch: TASKS,
    subjects: [
      {
        name: 'quiesce scope',
        run: () =>
          scope((s) => {
            for (let i = 0; i < TASKS; i++) s.spawn(trivial);
          }),
      },
      {
        name: 'Promise.all',
        run: async () => {
          await Promise.all(Array.from({ length: TASKS }, trivial));
        },
      },
    ],
  },
];
