// Corner cases that a review found.
import { broadcast } from '@quiesce/broadcast-channel';
import { CancellationToken, PENDING, type Source, source } from '@quiesce/cancellation-token';
import { VirtualClock } from '@quiesce/cancellation-token/testing';
import { JoinSet } from '@quiesce/scope';
import { branchOf, match, repeat, select, selectEach, settle, sleep, timeout, timeoutAt } from '@quiesce/select';
import { describe, expect, test } from 'vitest';

const never = new Promise<never>(() => {});

/** The unhandled rejections that the process reports. */
async function unhandledIn(act: () => unknown): Promise<unknown[]> {
  const seen: unknown[] = [];
  const listen = (error: unknown): void => void seen.push(error);
  const before = process.listeners('unhandledRejection');
  process.removeAllListeners('unhandledRejection');
  process.on('unhandledRejection', listen);
  try {
    await act();
    for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
  } finally {
    process.off('unhandledRejection', listen);
    for (const listener of before) process.on('unhandledRejection', listener);
  }
  return seen;
}

describe('a signal that is cancelled while the branches are first polled', () => {
  const cancelling: Record<string, (signal: CancellationToken) => object> = {
    'by a guard that returns false': (signal) => {
      const [tx, rx] = broadcast<number>(4);
      tx.send(1);
      return match(rx, () => signal.cancel('why') && false);
    },
    'by a poll that returns PENDING': (signal): Source<never> => ({
      [source]: {
        poll: () => {
          signal.cancel('why');
          return PENDING;
        },
        park: () => {},
        unpark: () => {},
      },
    }),
  };

  test.each(Object.keys(cancelling))('%s rejects the select and the loop', async (how) => {
    const branches = (signal: CancellationToken) => ({ a: cancelling[how]?.(signal) as Source<number>, b: never });
    const [one, two] = [new CancellationToken(), new CancellationToken()];
    await expect(select(branches(one), { signal: one })).rejects.toBe('why');
    await expect(selectEach(branches(two), { signal: two }).next()).rejects.toBe('why');
  });
});

describe('selectEach', () => {
  test('leaves one reaction on a promise when it is closed before its first round, however often', async () => {
    let reactions = 0;
    const long = {
      // biome-ignore lint/suspicious/noThenProperty: a thenable that counts
      then: () => {
        reactions++;
      },
    } as never as PromiseLike<number>;
    for (let i = 0; i < 50; i++) await selectEach({ long, tick: sleep(1e6) }).return();
    expect(reactions).toBeLessThanOrEqual(1);
  });

  test('gives `undefined` once over the next of an empty JoinSet, and ends', async () => {
    const set = new JoinSet<number>();
    for (let i = 0; i < 3; i++) set.spawn(async () => i);
    const values: unknown[] = [];
    for await (const { value } of selectEach({ next: set.joinNext() })) {
      values.push(value?.status === 'fulfilled' ? value.value : value);
    }
    expect(values).toEqual([0, 1, 2, undefined]);
    for await (const outcome of selectEach({ next: match(set.joinNext(), (joined) => joined !== undefined) })) {
      expect(outcome).toBeUndefined();
    }
  });

  test('starts a function in `settle(repeat(…))` again', async () => {
    let runs = 0;
    const values: unknown[] = [];
    for await (const { value } of selectEach({ job: settle(repeat(async () => ++runs)) })) {
      values.push(value);
      if (values.length === 3) break;
    }
    expect(values).toEqual([1, 2, 3].map((value) => ({ status: 'fulfilled', value })));
  });

  test('polls only the remaining branches of thousands of one-shot branches', async () => {
    let polls = 0;
    const shot = (): Source<number> => ({
      [source]: { once: true as const, poll: () => ++polls, park: () => {}, unpark: () => {} },
    });
    const count = 2_000;
    const branches = Object.fromEntries(Array.from({ length: count }, (_, i) => [`b${i}`, shot()]));
    let turns = 0;
    for await (const _ of selectEach.biased(branches)) turns++;
    expect([turns, polls]).toEqual([count, count]);
  });
});

test('a promise among wrong arguments never becomes an unhandled rejection', async () => {
  const failed = (): Promise<never> => Promise.reject(new Error('work'));
  const unhandled = await unhandledIn(async () => {
    const refused = [
      timeout(Number.NaN, failed()),
      timeout(5, failed(), { signal: 'x' as never }),
      timeoutAt(new Date(Number.NaN), failed()),
      select({ bad: 5 as never, work: failed() }),
    ];
    for (const one of await Promise.allSettled(refused)) expect(one.status).toBe('rejected');
    expect(() => selectEach({ bad: 5 as never, work: failed() })).toThrow(TypeError);
    expect(() => selectEach({ work: failed() }, { cleanupTimeout: -1 })).toThrow(RangeError);
  });
  expect(unhandled).toEqual([]);
});

test('functions that fail with the same error add it once', async () => {
  const error = new Error('shared');
  const connection = Promise.reject(error);
  const use = async (): Promise<void> => connection;
  await expect(select({ a: use, b: use })).rejects.toBe(error);
  expect(branchOf(error)).toMatch(/^[ab]$/);
});

test('an error that passed through `timeout` still names the branch that the caller wrote', async () => {
  const error = new Error('down');
  const inner = select({ db: Promise.reject(error) });
  await expect(timeout(1_000, inner, { clock: new VirtualClock() })).rejects.toBe(error);
  expect(branchOf(error)).toBe('db');
});

test('a clock that throws when the cleanup timeout is set does not leave the select pending', async () => {
  const error = new Error('clock');
  const clock = Object.assign(new VirtualClock(), {
    setTimer: () => {
      throw error;
    },
  });
  const obedient = async (token: CancellationToken): Promise<void> => token.cancelled();
  const thrown = await select({ obedient, now: Promise.resolve(1) }, { cleanupTimeout: 5, clock }).catch((e) => e);
  expect(thrown.errors).toEqual([error]);
});
