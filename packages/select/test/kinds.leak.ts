// Every kind of branch, raced again and again while it stays alive, retains nothing of the races. Both ways round: long-lived
// branches against fresh promises, and a long-lived promise against fresh branches.
import { broadcast } from '@quiesce/broadcast-channel';
import { CancellationToken } from '@quiesce/cancellation-token';
import { untilCancelled } from '@quiesce/cancellation-token/internal';
import { VirtualClock } from '@quiesce/cancellation-token/testing';
import { scope } from '@quiesce/scope';
import { interval, match, repeat, select, selectEach, settle, sleep, timeout, trySelect } from '@quiesce/select';
import { describe, expect, test } from 'vitest';
import { bytesPerTurn } from '../../../test/leak/leak.ts';
import { Flag, never } from './vocabulary.ts';

const turns = 20_000;
/** Less than a pointer a round is noise. Fewer rounds have more noise, and still less than one small object. */
const NOTHING = 8;
/** A waiter and its function, which refer to the reason and do not retain it. */
const REPORT = 400;
const clock = new VirtualClock();

const [, rx] = broadcast<number>(4);
const longLived: Record<string, object> = {
  'a token': new CancellationToken(),
  'token.cancelled()': new CancellationToken().cancelled(),
  'an AbortSignal': new AbortController().signal,
  'the signal of a token': new CancellationToken().signal,
  'a receiver': rx,
  'a sleep': sleep(1e9, { clock }),
  'an interval': interval(1e9, { clock }),
  'a promise': never(),
  'a thenable': Object.defineProperty({}, 'then', { value: () => {} }),
  'settle of a receiver': settle(rx),
  'settle of a promise': settle(never()),
  'match of a receiver': match(rx, () => true),
  'match of a promise': match(never()),
  untilCancelled: untilCancelled(new CancellationToken(), rx),
  'a third-party source': new Flag(),
};
// Its first tick is ready at once.
trySelect({ tick: longLived['an interval'] as CancellationToken });

describe('a long-lived branch retains 0 bytes a round of select, raced against fresh promises:', () => {
  test.each(Object.entries(longLived))('%s', async (_, long) => {
    const growth = await bytesPerTurn({ turns, below: NOTHING }, () =>
      select({ long: long as never, fresh: Promise.resolve() }),
    );
    expect(growth).toBeLessThan(NOTHING);
    expect(clock.pendingCount).toBe(0);
  });

  test('a task', async () => {
    const growth = await scope(async (s) => {
      const stop = new CancellationToken();
      const task = s.spawn(() => stop.cancelled());
      const grown = await bytesPerTurn({ turns, below: NOTHING }, () => select({ task, fresh: Promise.resolve() }));
      stop.cancel();
      return grown;
    });
    expect(growth).toBeLessThan(NOTHING);
  });

  test('all of them together', async () => {
    const growth = await bytesPerTurn({ turns: turns / 4, below: 4 * NOTHING }, () =>
      select({ ...longLived, fresh: Promise.resolve() } as never),
    );
    expect(growth).toBeLessThan(4 * NOTHING);
    expect(clock.pendingCount).toBe(0);
  });
});

describe('a long-lived promise retains 0 bytes a round of select, raced against', () => {
  const promise = never();
  const ready = (): CancellationToken => {
    const token = new CancellationToken();
    token.cancel('ready');
    return token;
  };
  const obeys = (token: CancellationToken): Promise<never> =>
    new Promise((_, reject) => {
      token.onCancelled(reject);
    });
  const fresh: Record<string, () => unknown> = {
    'tokens that are cancelled later': () => {
      const token = new CancellationToken();
      queueMicrotask(() => token.cancel('later'));
      return select({ promise, token });
    },
    'tokens that are already cancelled': () => select({ promise, token: ready() }),
    'aborted signals': () => select({ promise, signal: AbortSignal.abort() }),
    promises: () => select({ promise, other: Promise.resolve() }),
    'functions that win': () => select({ promise, work: async () => 1 }),
    'functions that lose': () => select({ promise, obeys, other: Promise.resolve() }),
    'sleeps of no time': () => select({ promise, nap: sleep(0, { clock }) }),
    'patterns that fail': () =>
      select({ promise, odd: match(Promise.resolve(1), (n) => n > 1), other: Promise.resolve() }),
    'settled promises': () => select({ promise, settled: settle(Promise.resolve(1)) }),
    failures: () => select({ promise, fails: Promise.reject(new Error('fails')) }).catch(() => {}),
    'the cancellation of the select': () => select({ promise }, { signal: ready() }).catch(() => {}),
  };
  test.each(Object.entries(fresh))('%s', async (_, turn) => {
    expect(await bytesPerTurn({ turns, below: NOTHING }, turn)).toBeLessThan(NOTHING);
    expect(promise).toBeInstanceOf(Promise);
  });
});

describe('other waits retain 0 bytes a round:', () => {
  const token = new CancellationToken();
  const promise = never();
  const cases: Record<string, () => unknown> = {
    'selectEach that ends by break': async () => {
      for await (const _ of selectEach({ token, promise, rx, fresh: Promise.resolve() }, { signal: token })) break;
    },
    'selectEach with functions that lose': async () => {
      const obeys = (given: CancellationToken): Promise<never> =>
        new Promise((_, reject) => {
          given.onCancelled(reject);
        });
      for await (const _ of selectEach({ token, promise, obeys, fresh: Promise.resolve() })) break;
    },
    'timeout of a long-lived promise': () =>
      timeout(1e9, select({ promise, fresh: Promise.resolve() }), { clock, signal: token }),
    'timeout that abandons a long-lived promise': () =>
      timeout(0, () => promise, { clock, abandon: true }).catch(() => {}),
    'timeout of a function': () => timeout(1e9, async () => 1, { clock, signal: token }),
    trySelect: () => trySelect({ token, rx }),
  };
  test.each(Object.entries(cases))('%s', async (_, turn) => {
    expect(await bytesPerTurn({ turns, below: NOTHING }, turn)).toBeLessThan(NOTHING);
    expect([clock.pendingCount, token.isCancelled]).toEqual([0, false]);
  });

  test('timeout that abandons a long-lived promise and reports its end retains the report', async () => {
    const growth = await bytesPerTurn({ turns, below: REPORT }, () =>
      timeout(0, () => promise, { clock, abandon: () => {} }).catch(() => {}),
    );
    expect(growth).toBeLessThan(REPORT);
  });

  test('the rounds of one selectEach', async () => {
    let [work, rounds] = [0, 0];
    const loop = selectEach({ token, promise, rx, again: repeat(async () => ++work) }, { signal: token });
    const growth = await bytesPerTurn({ turns, below: NOTHING }, () => {
      rounds++;
      return loop.next();
    });
    await loop.return();
    expect(growth).toBeLessThan(NOTHING);
    expect(work).toBeGreaterThanOrEqual(rounds);
  });
});

test('Promise.race on any of them does leak, which shows that the tests can fail', async () => {
  for (const long of [never(), new CancellationToken().cancelled()]) {
    const growth = await bytesPerTurn({ turns: turns / 4, rounds: 2 }, () => Promise.race([long, Promise.resolve()]));
    expect(growth).toBeGreaterThan(10 * NOTHING);
    expect(long).toBeTypeOf('object');
  }
});
