// A select retains nothing on objects that outlive it.
import { getEventListeners } from 'node:events';
import { CancellationToken } from '@quiesce/cancellation-token';
import { VirtualClock } from '@quiesce/cancellation-token/testing';
import { select, sleep } from '@quiesce/select';
import { describe, expect, test } from 'vitest';
import { bytesPerTurn, collectGarbage, survivors } from '../../../test/leak/leak.ts';
import { cancelled, never } from './vocabulary.ts';

const turns = 100_000;
/** Less than a pointer a round: a leak is one object or more. Anything below is noise of the collector. */
const NOTHING = 1;

describe('a long-lived token, raced against fresh promises,', () => {
  test('retains 0 bytes a round', async () => {
    const token = new CancellationToken();
    const growth = await bytesPerTurn({ turns, below: NOTHING }, () => select({ token, fresh: Promise.resolve() }));
    expect(growth).toBeLessThan(NOTHING);
    expect(token.isCancelled).toBe(false);
  });

  test('retains 0 bytes a round as an AbortSignal, and no listener', async () => {
    const { signal } = new AbortController();
    const growth = await bytesPerTurn({ turns: turns / 4, below: NOTHING }, () =>
      select({ signal, fresh: Promise.resolve() }),
    );
    expect(growth).toBeLessThan(NOTHING);
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });

  test('retains 0 bytes a round as the signal of the select, with losing functions', async () => {
    const token = new CancellationToken();
    const loses = (token: CancellationToken): Promise<never> =>
      new Promise((_, reject) => {
        token.onCancelled(reject);
      });
    const growth = await bytesPerTurn({ turns: turns / 10, below: 5 * NOTHING }, () =>
      select({ loses, fresh: Promise.resolve() }, { signal: token }),
    );
    // Fewer rounds have more noise per round, and still less than a pointer.
    expect(growth).toBeLessThan(5 * NOTHING);
    expect(token.isCancelled).toBe(false);
  });
});

describe('a long-lived promise, raced against fresh tokens,', () => {
  test('retains 0 bytes a round', async () => {
    const promise = never();
    const growth = await bytesPerTurn({ turns, below: NOTHING }, () => {
      const token = new CancellationToken();
      const outcome = select({ promise, token });
      token.cancel('fresh');
      return outcome;
    });
    expect(growth).toBeLessThan(NOTHING);
  });

  test('retains 0 bytes a round against ready tokens', async () => {
    const promise = never();
    const growth = await bytesPerTurn({ turns: turns / 4, below: NOTHING }, () =>
      select({ promise, token: cancelled(1) }),
    );
    expect(growth).toBeLessThan(NOTHING);
  });

  test('retains 0 bytes a round as a thenable that is no promise', async () => {
    const like = Object.defineProperty({}, 'then', { value: () => {} }) as PromiseLike<never>;
    const growth = await bytesPerTurn({ turns: turns / 4, below: NOTHING }, () =>
      select({ like, fresh: Promise.resolve() }),
    );
    expect(growth).toBeLessThan(NOTHING);
  });
});

test('Promise.race on the same promise does leak, which shows that these tests can fail', async () => {
  const promise = never();
  const growth = await bytesPerTurn({ turns: turns / 4, rounds: 2 }, () => Promise.race([promise, Promise.resolve()]));
  // A reaction and its closures: over 300 bytes when this was written.
  expect(growth).toBeGreaterThan(50);
  expect(promise).toBeInstanceOf(Promise);
});

test('Promise.race on token.cancelled() leaks, as its documentation says', async () => {
  const token = new CancellationToken();
  const growth = await bytesPerTurn({ turns: turns / 4, rounds: 2 }, () =>
    Promise.race([token.cancelled(), Promise.resolve()]),
  );
  expect(growth).toBeGreaterThan(50);
  expect(token.isCancelled).toBe(false);
});

test('a losing sleep retains neither its timer nor the select', async () => {
  const clock = new VirtualClock();
  const nap = sleep(1_000, { clock });
  const growth = await bytesPerTurn({ turns: turns / 4, below: NOTHING }, () =>
    select({ nap, fresh: Promise.resolve() }),
  );
  expect(growth).toBeLessThan(NOTHING);
  expect(clock.pendingCount).toBe(0);
});

describe('when a select is over,', () => {
  test('nothing retains its outcome', async () => {
    const token = new CancellationToken();
    expect(await survivors(1_000, async () => (await select({ token, value: Promise.resolve({}) })).value)).toBe(0);
    expect(await survivors(1_000, async () => (await select({ token, value: () => ({}) })).value)).toBe(0);
    expect(await survivors(1_000, async () => (await select({ token, ready: cancelled({}) })).value as object)).toBe(0);
  });

  test('nothing retains its functions and their tokens, whichever branch won', async () => {
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

  test('nothing retains its short-lived promises, including those that lost', async () => {
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
