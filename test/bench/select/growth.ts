// Growth of long-lived objects with each round.
import { CancellationToken } from '@quiesce/cancellation-token';
import { select } from '@quiesce/select';
import raceOfOthers from 'race-as-promised';
import { raceSignal } from 'race-signal';
import { atMost } from '../budget.ts';
import { collect, type Row, type Subject } from '../harness.ts';

const TURNS = 20_000;

/** Returns the bytes of heap by which each round grows a long-lived object, which is kept until the process ends. */
function growing(name: string, turn: () => Promise<unknown>): Subject {
  return {
    name,
    sample: async () => {
      const before = heap();
      for (let i = 0; i < TURNS; i++) await turn();
      return Math.max(0, Math.round((heap() - before) / TURNS));
    },
  };
}

function heap(): number {
  collect();
  return process.memoryUsage().heapUsed;
}

const longLived = new CancellationToken();
const { signal } = new AbortController();
// Its types describe another kind of module.
const raceAsPromised = raceOfOthers as unknown as (values: readonly Promise<unknown>[]) => Promise<unknown>;
const never = () => new Promise<never>(() => {});
const [one, two, three] = [never(), never(), never()];

function freshToken(): Promise<unknown> {
  const stopped = new CancellationToken();
  const result = select({ stopped, one });
  stopped.cancel('fresh');
  return result;
}

export const growth: readonly Row[] = [
  {
    name: 'memory kept by a long-lived token or signal, an iteration against a fresh promise',
    unit: 'B',
    subjects: () => [
      growing('quiesce', () => select({ stopped: longLived, work: Promise.resolve(1) })),
      growing('race-signal', () => raceSignal(Promise.resolve(1), signal)),
    ],
    budgets: [{ must: atMost(0) }],
  },
  {
    name: 'memory kept by a long-lived promise, an iteration against a fresh token or signal',
    unit: 'B',
    subjects: () => [
      growing('quiesce', freshToken),
      growing('Promise.race', () => Promise.race([two, Promise.resolve(1)])),
      growing('race-as-promised', () => raceAsPromised([one, Promise.resolve(1)])),
      growing('race-signal', () => raceSignal(three, AbortSignal.abort()).catch(() => {})),
    ],
    budgets: [{ must: atMost(0) }],
  },
];
