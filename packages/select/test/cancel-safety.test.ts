// Cancel safety, shown for each source: raced thousands of times against rivals and cancellations at random moments, a source
// loses no value, gives no value twice, and keeps the order.
import { broadcast } from '@quiesce/broadcast-channel';
import { CancellationToken, type Source, type UntilCancelled } from '@quiesce/cancellation-token';
import { untilCancelled } from '@quiesce/cancellation-token/internal';
import { VirtualClock } from '@quiesce/cancellation-token/testing';
import { scope } from '@quiesce/scope';
import { interval, match, select, selectEach, settle, sleep, timeout } from '@quiesce/select';
import { describe, expect, test } from 'vitest';
import { cancelled, deferred } from './vocabulary.ts';

const ROUNDS = 3_000;
const seed = Date.now() % 2 ** 31;

/** Numbers from 0 to below 1, derived from the seed. */
function randomOf(start: number): () => number {
  let state = start;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    return (state >>> 8) / 2 ** 24;
  };
}

interface Race {
  readonly from: Source<unknown>;
  readonly rival: CancellationToken;
  readonly signal: CancellationToken;
  readonly random: () => number;
  /** Called with each value that a contest returns. */
  readonly take: (value: unknown) => void;
}

/** The ways to race a source. */
const contests: ((race: Race) => Promise<void>)[] = [
  async ({ from, rival, signal, random, take }) => {
    const { branch, value } = await select({ from, rival }, { signal, random });
    if (branch === 'from') take(value);
  },
  async ({ from, rival, signal, take }) => {
    const { branch, value } = await select.biased({ rival, from }, { signal });
    if (branch === 'from') take(value);
  },
  async ({ from, rival, signal, random, take }) => {
    const { branch, value } = await select({ from, rival, again: from }, { signal, random });
    if (branch !== 'rival') take(value);
  },
  async ({ from, rival, signal, take }) => {
    const work = async (token: CancellationToken): Promise<void> =>
      take((await select({ from }, { signal: token })).value);
    await select({ work, rival }, { signal });
  },
  async ({ from, rival, signal, random, take }) => {
    for await (const { branch, value } of selectEach({ from, rival }, { signal, random })) {
      if (branch === 'from') take(value);
      if (branch === 'rival' || random() < 0.5) break;
    }
  },
];

/** Runs contests on a stream, with values, rivals and cancellations in random order, and returns the taken values. */
async function raceStream<T>(from: Source<T>, emit: () => void, random: () => number): Promise<T[]> {
  const values: unknown[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const [rival, signal] = [new CancellationToken(), new CancellationToken()];
    const acts = [() => rival.cancel(), () => signal.cancel(), emit, emit, async () => {}];
    if (random() < 0.3) emit();
    const contest = contests[Math.floor(random() * contests.length)];
    const running = contest?.({ from, rival, signal, random, take: (value) => values.push(value) }).catch(() => {});
    for (let i = 0; i < 3; i++) {
      await acts[Math.floor(random() * acts.length)]?.();
      if (random() < 0.3) await Promise.resolve();
    }
    rival.cancel();
    await running;
  }
  return values as T[];
}

const upTo = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

describe(`each value is delivered exactly once, in order (seed ${seed})`, () => {
  const streams: Record<string, (rx: Source<number>) => Source<unknown>> = {
    'a broadcast receiver': (rx) => rx,
    'a receiver in settle': (rx) => settle(rx),
    'a receiver in untilCancelled': (rx) => untilCancelled(new CancellationToken(), rx),
  };

  test.each(Object.entries(streams))('of %s', async (name, make) => {
    const random = randomOf(seed + name.length);
    const [tx, rx] = broadcast<number>(2 ** 15);
    let sent = 0;
    const emit = (): void => void tx.send(sent++);
    const got = (await raceStream(make(rx), emit, random)) as (number | UntilCancelled<number>)[];
    const values = got.map((value) => (typeof value === 'object' ? (value as { value: number }).value : value));
    expect(values.length).toBeGreaterThan(ROUNDS / 4);
    for (let rest = rx.tryRecv(); rest.ok; rest = rx.tryRecv()) values.push(rest.value);
    expect(values).toEqual(upTo(sent));
  });

  test('of an interval, in ticks', async () => {
    const clock = new VirtualClock();
    let now = 0;
    const moving = Object.assign(clock, { now: () => now });
    const ticks = interval(10, { clock: moving });
    const random = randomOf(seed);
    const pass = (): void => {
      now += 10;
    };
    const values = await raceStream(ticks, pass, random);
    expect(values.length).toBeGreaterThan(ROUNDS / 4);
    for (let rest = await select.biased({ ticks, none: cancelled(0) }); rest.branch === 'ticks'; ) {
      values.push(rest.value);
      rest = await select.biased({ ticks, none: cancelled(0) });
    }
    expect(values).toEqual(upTo(now / 10 + 1).map((n) => n * 10));
  });

  test('of a receiver with a pattern, except values that do not fit', async () => {
    const random = randomOf(seed);
    const [tx, rx] = broadcast<number>(2 ** 15);
    const [fits, lost]: [number[], number[]] = [[], []];
    const isEven = (n: number): boolean => n % 2 === 0 || lost.push(n) < 0;
    let sent = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const [rival, signal] = [new CancellationToken(), new CancellationToken()];
      const running = select({ even: match(rx, isEven), rival }, { signal, random }).then(
        ({ branch, value }) => branch === 'even' && fits.push(value as number),
        () => {},
      );
      if (random() < 0.8) tx.send(sent++);
      if (random() < 0.3) signal.cancel();
      if (random() < 0.5) tx.send(sent++);
      rival.cancel();
      await running;
    }
    for (let rest = rx.tryRecv(); rest.ok; rest = rx.tryRecv()) fits.push(rest.value);
    expect([fits.length, lost.length].every((count) => count > ROUNDS / 4)).toBe(true);
    expect([...fits, ...lost].sort((a, b) => a - b)).toEqual(upTo(sent));
  });

  test('of a receiver with a time limit', async () => {
    const random = randomOf(seed);
    const [tx, rx] = broadcast<number>(2 ** 15);
    let fire: (() => void) | undefined;
    const clock = Object.assign(new VirtualClock(), {
      setTimer: (_: number, fn: () => void) => {
        fire = fn;
        return {} as never;
      },
      clearTimer: () => {
        fire = undefined;
      },
    });
    const values: number[] = [];
    let sent = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const running = timeout(5, rx, { clock }).then(
        (value) => values.push(value),
        () => {},
      );
      for (const act of random() < 0.5
        ? [() => tx.send(sent++), () => fire?.()]
        : [() => fire?.(), () => tx.send(sent++)]) {
        act();
        if (random() < 0.3) await Promise.resolve();
      }
      await running;
    }
    expect(values.length).toBeGreaterThan(ROUNDS / 4);
    for (let rest = rx.tryRecv(); rest.ok; rest = rx.tryRecv()) values.push(rest.value);
    expect(values).toEqual(upTo(sent));
  });
});

describe(`a one-shot source gives its value however often it has lost before (seed ${seed})`, () => {
  interface OneShot {
    readonly from: Source<unknown> | AbortSignal | PromiseLike<unknown>;
    /** Makes the source ready. */
    readonly ready: () => unknown;
  }
  const oneShots: Record<string, (value: number) => OneShot> = {
    'a token': (value) => {
      const token = new CancellationToken();
      return { from: token, ready: () => token.cancel(value) };
    },
    'token.cancelled()': (value) => {
      const token = new CancellationToken();
      return { from: token.cancelled(), ready: () => token.cancel(value) };
    },
    'an AbortSignal': (value) => {
      const controller = new AbortController();
      return { from: controller.signal, ready: () => controller.abort(value) };
    },
    'a promise': (value) => {
      const { promise, resolve } = deferred<number>();
      return { from: promise, ready: () => resolve(value) };
    },
    'a promise in settle': (value) => {
      const { promise, resolve } = deferred<number>();
      return { from: settle(promise), ready: () => resolve(value) };
    },
    'a sleep': () => {
      let now = 0;
      const clock = Object.assign(new VirtualClock(), { now: () => now });
      return { from: sleep(5, { clock }), ready: () => (now = 5) };
    },
  };

  test.each(Object.entries(oneShots))('%s', async (name, make) => {
    const random = randomOf(seed + name.length);
    let losses = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const { from, ready } = make(round);
      while (random() < 0.5) {
        const [rival, signal] = [new CancellationToken(), new CancellationToken()];
        const running = select({ from, rival }, { signal, random }).catch(() => ({ branch: 'cancelled' }));
        if (random() < 0.5) signal.cancel();
        rival.cancel();
        const { branch } = await running;
        if (branch !== 'from') losses++;
      }
      ready();
      const { branch, value } = await select({ from });
      const plain = typeof value === 'object' ? (value as { value: number }).value : value;
      expect([branch, plain ?? round]).toEqual(['from', round]);
    }
    expect(losses).toBeGreaterThan(ROUNDS / 2);
  });

  test('a task', async () => {
    const random = randomOf(seed);
    await scope(async (s) => {
      for (let round = 0; round < ROUNDS / 3; round++) {
        const { promise, resolve } = deferred<number>();
        const task = s.spawn(() => promise);
        while (random() < 0.5) {
          const rival = new CancellationToken();
          const running = select({ task, rival }, { random });
          rival.cancel();
          expect((await running).branch).toBe('rival');
        }
        resolve(round);
        expect(await select({ task })).toEqual({ branch: 'task', value: round });
      }
    });
  });
});
