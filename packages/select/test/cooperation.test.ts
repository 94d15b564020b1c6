// A loop over ready branches runs in microtasks alone, and still lets the event loop run. These tests count, and measure no time.
import { broadcast } from '@quiesce/broadcast-channel';
import { CancellationToken } from '@quiesce/cancellation-token';
import { interval, match, repeat, select, selectEach, settle, sleep, timeout } from '@quiesce/select';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { cancelled } from './vocabulary.ts';

/** Completions between two rounds of the event loop, as documented. */
const BUDGET = 1024;

/** Repeats `act` until `over` is true; gives up after far too many repetitions. */
async function repeatUntil(over: () => boolean, act: () => Promise<unknown>, limit = 100 * BUDGET): Promise<number> {
  let i = 0;
  while (!over() && i < limit) {
    await act();
    i++;
  }
  return i;
}

/** Counts the rounds of the event loop until there are `turns`. */
function countTurns(turns: number): () => boolean {
  let turned = 0;
  const count = (): void => {
    if (++turned < turns) setImmediate(count);
  };
  setImmediate(count);
  return () => turned >= turns;
}

const ready = cancelled('ready');
const fails = Promise.reject(new Error('again and again'));
fails.catch(() => {});

it.each([
  ['a ready source', () => select({ ready })],
  ['a promise', () => select({ promise: Promise.resolve(1) })],
  ['a function', () => select({ work: async () => 1 })],
  ['a function with a timeout', () => timeout(60_000, async () => 1)],
  ['a promise with a timeout', () => timeout(60_000, Promise.resolve(1))],
  ['a function that loses', () => select({ work: async () => 1, promise: Promise.resolve(1) })],
  ['a promise that is known to have rejected', () => select({ fails }).catch(() => {})],
  ['a select that is already cancelled', () => select({ ready }, { signal: ready }).catch(() => {})],
  ['a sleep of 0 ms', () => select({ nothing: sleep(0) })],
  ['an interval that has fallen behind', () => select({ tick: interval(1e-6) })],
  ['a branch in settle', () => select({ fails: settle(fails) })],
  ['a pattern that does not fit, and else', () => select({ odd: match(ready, () => false), else: () => 1 })],
])('a loop over %s lets the event loop run every 1,024 times', async (_, act) => {
  expect(await repeatUntil(countTurns(4), act)).toBeLessThanOrEqual(4 * BUDGET);
});

it('a timer fires during such a loop, too', async () => {
  let fired = false;
  setTimeout(() => {
    fired = true;
  }, 1);
  // Loops until a millisecond has passed, and then until one round of the event loop.
  await repeatUntil(
    () => fired,
    () => select({ ready }),
    1e9,
  );
  expect(fired).toBe(true);
});

it('a real SIGTERM arrives, and ends the loop', async () => {
  const stop = new CancellationToken();
  const handler = () => stop.cancel('SIGTERM');
  process.once('SIGTERM', handler);
  process.kill(process.pid, 'SIGTERM');
  await repeatUntil(
    () => stop.isCancelled,
    () => select.biased({ stop, ready }),
    1e9,
  );
  process.off('SIGTERM', handler);
  expect(stop.reason).toBe('SIGTERM');
});

/** A loop over a receiver that always has a value: each taken value sends the next. */
async function endlessReceives(isOver: () => boolean, extra: { stop?: CancellationToken } = {}): Promise<void> {
  const [tx, rx] = broadcast<number>(4);
  tx.send(0);
  let turns = 0;
  for await (const { branch, value } of selectEach.biased({ ...extra, rx })) {
    if (branch !== 'rx' || isOver() || turns++ > 1e9) break;
    tx.send(value + 1);
  }
}

it('a timer of 5 ms fires during an endless selectEach', async () => {
  let fired = false;
  setTimeout(() => {
    fired = true;
  }, 5);
  await endlessReceives(() => fired);
  expect(fired).toBe(true);
});

it('a real SIGTERM arrives during an endless selectEach, and ends it', async () => {
  const stop = new CancellationToken();
  const handler = () => stop.cancel('SIGTERM');
  process.once('SIGTERM', handler);
  process.kill(process.pid, 'SIGTERM');
  await endlessReceives(() => false, { stop });
  process.off('SIGTERM', handler);
  expect(stop.reason).toBe('SIGTERM');
});

async function fail(compute: () => void): Promise<never> {
  compute();
  throw new Error('it computed in vain');
}

describe('a loop that computes for 5 ms in each round lets the event loop run after 10 ms', () => {
  afterEach(() => vi.restoreAllMocks());

  it.each<[string, () => (compute: () => void) => Promise<unknown>]>([
    ['over a function with a timeout', () => (compute) => timeout(60_000, async () => compute())],
    ['over a function', () => (compute) => select({ work: async () => compute() })],
    ['over a function that fails', () => (compute) => select({ work: () => fail(compute) }).catch(() => {})],
    ['over a function in match', () => (compute) => select({ work: match(async () => compute()) })],
    ['over a function in settle', () => (compute) => select({ work: settle(async () => compute()) })],
    [
      'over a promise',
      () => (compute) => {
        compute();
        return select({ promise: Promise.resolve() });
      },
    ],
    [
      'over a function in repeat, in selectEach',
      () => {
        let compute = (): void => {};
        const turns = selectEach({ work: repeat(async () => compute()) });
        return (given) => {
          compute = given;
          return turns.next();
        };
      },
    ],
    [
      'over a promise with a timeout',
      () => (compute) => {
        compute();
        return timeout(60_000, Promise.resolve());
      },
    ],
    [
      'over a promise in runUntilCancelled',
      () => (compute) => {
        compute();
        return new CancellationToken().runUntilCancelled(Promise.resolve());
      },
    ],
    [
      'over the ticks of an interval whose period has passed by then',
      () => {
        const ticks = interval(1);
        return async (compute) => {
          await ticks.tick();
          compute();
        };
      },
    ],
    [
      'over an interval in selectEach',
      () => {
        const ticks = selectEach({ tick: interval(1) });
        return async (compute) => {
          await ticks.next();
          compute();
        };
      },
    ],
    [
      'over sleeps that have ended',
      () => async (compute) => {
        await sleep(0);
        compute();
      },
    ],
  ])('%s', async (_, make) => {
    let now = 1e9;
    vi.spyOn(performance, 'now').mockImplementation(() => now);
    const turn = make();
    const compute = (): void => {
      now += 5;
    };
    expect(await repeatUntil(countTurns(2), () => turn(compute), BUDGET)).toBeLessThan(20);
  });
});
