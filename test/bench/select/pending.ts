// No branch is ready when the select starts: it parks, and a value arrives.
import { CancellationToken } from '@quiesce/cancellation-token';
import { select } from '@quiesce/select';
import { race as abortableRace } from 'abort-controller-x';
import { Effect } from 'effect';
import raceOfOthers from 'race-as-promised';
import { raceSignal } from 'race-signal';
import { firstValueFrom, from, race as rxRace } from 'rxjs';
import { atMost } from '../budget.ts';
import type { Row } from '../harness.ts';
import { fresh, idle, isBranch, isNumber, raceOfTwoFresh, turning, twoFresh } from './turns.ts';

const longLived = idle();
const [a, b, c, d, e, f] = [idle(), idle(), idle(), idle(), idle(), idle()];
const neverSettles = new Promise<never>(() => {});
const { signal } = new AbortController();
// Its types describe another kind of module.
const raceAsPromised = raceOfOthers as unknown as (values: readonly Promise<unknown>[]) => Promise<unknown>;

/** A fresh promise that `start` races, and that settles afterwards. */
function settling(start: (work: Promise<number>) => Promise<unknown>): (index: number) => Promise<unknown> {
  return (index) => {
    const [work, resolve] = fresh();
    const result = start(work);
    resolve(index);
    return result;
  };
}

function freshToken(): Promise<unknown> {
  const stopped = new CancellationToken();
  const result = select({ stopped, work: neverSettles });
  stopped.cancel('fresh');
  return result;
}

const never = Effect.promise(() => neverSettles);

export const pending: readonly Row[] = [
  {
    name: 'select over a long-lived token and a fresh promise, an iteration',
    unit: 'ns',
    subjects: () => [
      turning(
        'quiesce',
        settling((work) => select({ stopped: longLived, work })),
        isBranch('work'),
      ),
      turning(twoFresh, raceOfTwoFresh, isNumber),
    ],
    budgets: [{ against: twoFresh, must: atMost(0.65) }],
  },
  {
    name: 'select over a fresh token and a long-lived promise, an iteration',
    unit: 'ns',
    subjects: () => [turning('quiesce', freshToken, isBranch('stopped')), turning(twoFresh, raceOfTwoFresh, isNumber)],
    budgets: [{ against: twoFresh, must: atMost(0.65) }],
  },
  {
    name: 'the first of these in one process with libraries, an iteration',
    unit: 'ns',
    subjects: () => [
      turning(
        'quiesce',
        settling((work) => select({ stopped: longLived, work })),
        isBranch('work'),
      ),
      turning(
        'Promise.race (leaks)',
        settling((work) => Promise.race([neverSettles, work])),
        isNumber,
      ),
      turning(
        'race-signal',
        settling((work) => raceSignal(work, signal)),
        isNumber,
      ),
      turning(
        'race-as-promised',
        settling((work) => raceAsPromised([neverSettles, work])),
        isNumber,
      ),
      turning(
        'abort-controller-x race',
        settling((work) => abortableRace(signal, () => [work])),
        isNumber,
      ),
      turning(
        'Effect race',
        settling((work) =>
          Effect.runPromise(
            Effect.race(
              never,
              Effect.promise(() => work),
            ),
          ),
        ),
        isNumber,
      ),
      turning(
        'rxjs race',
        settling((work) => firstValueFrom(rxRace(from(neverSettles), from(work)))),
        isNumber,
      ),
    ],
    budgets: [],
  },
  {
    name: 'select over 3 branches, one of them a fresh promise, an iteration',
    unit: 'ns',
    subjects: () => [
      turning(
        'quiesce',
        settling((work) => select({ stopped: longLived, a, work })),
        isBranch('work'),
      ),
      turning(
        'Promise.race (leaks)',
        settling((work) => Promise.race([neverSettles, neverSettles, work])),
        isNumber,
      ),
    ],
    budgets: [],
  },
  {
    name: 'select over 8 branches, one of them a fresh promise, an iteration',
    unit: 'ns',
    subjects: () => [
      turning(
        'quiesce',
        settling((work) => select({ stopped: longLived, a, b, c, d, e, f, work })),
        isBranch('work'),
      ),
      turning(
        'Promise.race (leaks)',
        settling((work) => Promise.race([...Array.from({ length: 7 }, () => neverSettles), work])),
        isNumber,
      ),
    ],
    budgets: [],
  },
];
