import { CancellationToken } from '@quiesce/cancellation-token';
import { select } from '@quiesce/select';
import type { Row } from './harness.ts';

const BATCH = 200;
const longLived = new CancellationToken();
const neverSettles = new Promise<never>(() => {});
const cancelled = new CancellationToken();
cancelled.cancel('ready');

/** A promise, and the function that settles it. */
function fresh(): [promise: Promise<number>, resolve: (value: number) => void] {
  let settle: (value: number) => void = () => {};
  const promise = new Promise<number>((resolve) => {
    settle = resolve;
  });
  return [promise, settle];
}

async function raceOfTwoFresh(): Promise<void> {
  for (let i = 0; i < BATCH; i++) {
    const [first, resolve] = fresh();
    const [second, other] = fresh();
    const result = Promise.race([first, second]);
    resolve(i);
    await result;
    other(i);
  }
}

export const rows: readonly Row[] = [
  {
    name: 'a long-lived token against a fresh promise',
    batch: BATCH,
    subjects: [
      {
        name: 'quiesce select',
        run: async () => {
          for (let i = 0; i < BATCH; i++) {
            const [work, resolve] = fresh();
            const result = select({ stopped: longLived, work });
            resolve(i);
            await result;
          }
        },
      },
      { name: 'Promise.race of two fresh promises', run: raceOfTwoFresh },
      {
        name: 'Promise.race against a long-lived promise (leaks)',
        run: async () => {
          for (let i = 0; i < BATCH; i++) {
            const [work, resolve] = fresh();
            const result = Promise.race([neverSettles, work]);
            resolve(i);
            await result;
          }
        },
      },
    ],
  },
  {
    name: 'a branch that is ready',
    batch: BATCH,
    subjects: [
      {
        name: 'quiesce select',
        run: async () => {
          for (let i = 0; i < BATCH; i++) await select({ stopped: longLived, ready: cancelled });
        },
      },
      {
        name: 'its literal and Promise.resolve(outcome)',
        run: async () => {
          for (let i = 0; i < BATCH; i++) {
            const branches = { stopped: longLived, ready: cancelled };
            await Promise.resolve({ branch: 'ready', value: branches.ready.reason });
          }
        },
      },
    ],
  },
];
