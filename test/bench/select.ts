import { CancellationToken } from '@quiesce/cancellation-token';
import { select } from '@quiesce/select';
import { atMost } from './budget.ts';
import { expectCount, type Row, type Subject, timed } from './harness.ts';

const BATCH = 200;
const longLived = new CancellationToken();
const neverSettles = new Promise<never>(() => {});
const cancelled = new CancellationToken();
cancelled.cancel('ready');

let turns = 0;

/** A promise, and the function that settles it. */
function fresh(): [promise: Promise<number>, resolve: (value: number) => void] {
  let settle: (value: number) => void = () => {};
  const promise = new Promise<number>((resolve) => {
    settle = resolve;
  });
  return [promise, settle];
}

/** Takes `turn` many times, one after the other; each must resolve to what `wanted` accepts. */
function turning(
  name: string,
  turn: (index: number) => Promise<unknown>,
  wanted: (value: unknown) => boolean,
): Subject {
  return timed({
    name,
    batch: BATCH,
    isAsync: true,
    run: async () => {
      for (let i = 0; i < BATCH; i++) if (wanted(await turn(i))) turns++;
    },
    check: () => {
      expectCount(turns, BATCH);
      turns = 0;
    },
  });
}

const isNumber = (value: unknown): boolean => typeof value === 'number';
const isReady = (value: unknown): boolean => (value as { branch?: unknown }).branch === 'ready';

function raceOfTwoFresh(index: number): Promise<number> {
  const [first, resolve] = fresh();
  const [second, other] = fresh();
  const result = Promise.race([first, second]);
  resolve(index);
  other(index);
  return result;
}

function raceAgainstLongLived(index: number): Promise<number> {
  const [work, resolve] = fresh();
  const result = Promise.race([neverSettles, work]);
  resolve(index);
  return result;
}

function selectFresh(index: number): Promise<unknown> {
  const [work, resolve] = fresh();
  const result = select({ stopped: longLived, work });
  resolve(index);
  return result;
}

const twoFresh = 'Promise.race of two fresh promises';
const literal = 'its literal and Promise.resolve(outcome)';

export const rows: readonly Row[] = [
  {
    name: 'select over a long-lived token and a fresh promise, a turn',
    unit: 'ns',
    subjects: () => [
      turning('quiesce', selectFresh, (value) => (value as { branch?: unknown }).branch === 'work'),
      turning(twoFresh, raceOfTwoFresh, isNumber),
      turning('Promise.race against a long-lived promise (leaks)', raceAgainstLongLived, isNumber),
    ],
    budgets: [{ against: twoFresh, must: atMost(0.65) }],
  },
  {
    name: 'select with a branch that is ready, a turn',
    unit: 'ns',
    subjects: () => [
      turning('quiesce', () => select({ stopped: longLived, ready: cancelled }), isReady),
      turning(
        literal,
        () => {
          const branches = { stopped: longLived, ready: cancelled };
          return Promise.resolve({ branch: 'ready', value: branches.ready.reason });
        },
        isReady,
      ),
    ],
    budgets: [{ against: literal, must: atMost(5) }],
  },
];
