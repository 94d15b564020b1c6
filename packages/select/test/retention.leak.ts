// What a select leaves behind on things that live longer than it: nothing.
import { getEventListeners } from 'node:events';
import { CancellationToken } from '@quiesce/cancellation-token';
import { VirtualClock } from '@quiesce/cancellation-token/testing';
import { select, sleep } from '@quiesce/select';
import { describe, expect, test } from 'vitest';
import { bytesPerTurn, collectGarbage, survivors } from '../../../test/leak/leak.ts';
import { cancelled, never } from './vocabulary.ts';

const turns = 100_000;
/** Less than a pointer a turn: what is left behind is an object or more. The rest is the collector's own noise. */
const NOTHING = 1;

describe('a token that lives long, raced against fresh promises,', () => {
  test('keeps 0 bytes a turn', async () => {
    const token = new CancellationToken();
    const growth = await bytesPerTurn({ turns, below: NOTHING }, () => select({ token, fresh: Promise.resolve() }));
    expect(growth).toBeLessThan(NOTHING);
    expect(token.isCancelled).toBe(false);
  });

  test('keeps 0 bytes a turn as an AbortSignal, and no listener', async () => {
    const { signal } = new AbortController();
    const growth = await bytesPerTurn({ turns: turns / 4, below: NOTHING }, () =>
      select({ signal, fresh: Promise.resolve() }),
    );
    expect(growth).toBeLessThan(NOTHING);
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });

  test('keeps 0 bytes a turn as the signal of the select, with functions that lose', async () => {
    const token = new CancellationToken();
    const loses = (token: CancellationToken): Promise<never> =>
      new Promise((_, reject) => {
        token.onCancelled(reject);
      });
    const growth = await bytesPerTurn({ turns: turns / 10, below: 5 * NOTHING }, () =>
      select({ loses, fresh: Promise.resolve() }, { signal: token }),
    );
    // Fewer turns, more noise a turn; still less than a pointer.
    expect(growth).toBeLessThan(5 * NOTHING);
    expect(token.isCancelled).toBe(false);
  });
});

describe('a promise that lives long, raced against fresh tokens,', () => {
  test('keeps 0 bytes a turn', async () => {
    const promise = never();
    const growth = await bytesPerTurn({ turns, below: NOTHING }, () => {
      const token = new CancellationToken();
      const outcome = select({ promise, token });
      token.cancel('fresh');
      return outcome;
    });
    expect(growth).toBeLessThan(NOTHING);
  });

  test('keeps 0 bytes a turn against tokens that are ready', async () => {
    const promise = never();
    const growth = await bytesPerTurn({ turns: turns / 4, below: NOTHING }, () =>
      select({ promise, token: cancelled(1) }),
    );
    expect(growth).toBeLessThan(NOTHING);
  });

  test('keeps 0 bytes a turn as a thenable that is no promise', async () => {
    const like = Object.defineProperty({}, 'then', { value: () => {} }) as PromiseLike<never>;
    const growth = await bytesPerTurn({ turns: turns / 4, below: NOTHING }, () =>
      select({ like, fresh: Promise.resolve() }),
    );
    expect(growth).toBeLessThan(NOTHING);
  });
});

test('Promise.race on the same promise does leak: these tests tell the difference', async () => {
  const promise = never();
  const growth = await bytesPerTurn({ turns: turns / 4, rounds: 2 }, () => Promise.race([promise, Promise.resolve()]));
  // A reaction and its closures; over 300 bytes when this was written.
  expect(growth).toBeGreaterThan(50);
  expect(promise).toBeInstanceOf(Promise);
});

test('Promise.race on token.cancelled() leaks, as is said there', async () => {
  const token = new CancellationToken();
  const growth = await bytesPerTurn({ turns: turns / 4, rounds: 2 }, () =>
    Promise.race([token.cancelled(), Promise.resolve()]),
  );
  expect(growth).toBeGreaterThan(50);
  expect(token.isCancelled).toBe(false);
});

test('a sleep that loses keeps neither its timer nor the select', async () => {
  const clock = new VirtualClock();
  const nap = sleep(1_000, { clock });
  const growth = await bytesPerTurn({ turns: turns / 4, below: NOTHING }, () =>
    select({ nap, fresh: Promise.resolve() }),
  );
  expect(growth).toBeLessThan(NOTHING);
  expect(clock.pending).toBe(0);
});

describe('when a select is over,', () => {
  test('its outcome is kept by nobody', async () => {
    const token = new CancellationToken();
    expect(await survivors(1_000, async () => (await select({ token, value: Promise.resolve({}) })).value)).toBe(0);
    expect(await survivors(1_000, async () => (await select({ token, value: () => ({}) })).value)).toBe(0);
    expect(await survivors(1_000, async () => (await select({ token, ready: cancelled({}) })).value as object)).toBe(0);
  });

  test('its functions and their tokens are kept by nobody, whoever won', async () => {
    const outer = new CancellationToken();
    const left = await survivors(1_000, async (i) => {
      let seen: CancellationToken | undefined;
      const work = async (token: CancellationToken): Promise<void> => {
        seen = token;
        token.signal.addEventListener('abort', () => {});
        if (i % 2 === 0) await token.cancelled();
      };
      await select({ work, tick: i % 2 === 0 && Promise.resolve() }, { signal: outer });
      return seen as CancellationToken;
    });
    expect(left).toBe(0);
  });

  test('its short-lived promises are kept by nobody, those that lost included', async () => {
    const token = new CancellationToken();
    const lose = async (): Promise<WeakRef<object>> => {
      const promise = never();
      await select({ promise, token, ready: cancelled(1) });
      await select({ promise, token, fresh: Promise.resolve() });
      return new WeakRef(promise);
    };
    const promises = await Promise.all(Array.from({ length: 1_000 }, lose));
    await collectGarbage();
    expect(promises.filter((ref) => ref.deref() !== undefined)).toEqual([]);
    expect(token.isCancelled).toBe(false);
  });
});
