// Sources of the other packages as branches of `select`. They race thousands of times against rivals and cancellations at random
// moments. Each value, permit and task comes out exactly once. The names of the tests contain the seed.
import { CancellationToken, type Source } from '@quiesce/cancellation-token';
import { channel, Mutex, oneshot, Semaphore, unboundedChannel, watch } from '@quiesce/channel';
import { JoinSet, scope, TaskTracker } from '@quiesce/scope';
import { select, selectEach } from '@quiesce/select';
import { describe, expect, test } from 'vitest';

const ROUNDS = 2_000;
const seed = Date.now() % 2 ** 31;

/** Makes pseudo-random numbers from 0 to below 1, from the seed. */
function randomOf(start: number): () => number {
  let state = start;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    return (state >>> 8) / 2 ** 24;
  };
}

interface Contest<T> {
  readonly from: () => Source<T>;
  /** Other events that may happen, besides those of a rival and the select's own cancellation. */
  readonly acts: readonly (() => unknown)[];
  /** Called with each value that came out. */
  readonly take: (value: T) => void;
}

/** Races a source that is made again in each round. No waiter may sleep forever. */
async function race<T>({ from, acts, take }: Contest<T>, random: () => number): Promise<void> {
  const pick = <A>(list: readonly A[]): A => list[Math.floor(random() * list.length)] as A;
  for (let round = 0; round < ROUNDS; round++) {
    const [rival, signal] = [new CancellationToken(), new CancellationToken()];
    const options = { signal, random };
    const running = pick([
      () => select({ from: from(), rival }, options),
      () => select.biased({ rival, from: from() }, options),
      () => select({ from: from(), rival, again: from() }, options),
      async () => {
        for await (const outcome of selectEach({ from: from(), rival }, options)) return outcome;
        throw new Error('the loop ended without a round');
      },
    ])().then(
      ({ branch, value }) => {
        if (branch !== 'rival') take(value as T);
      },
      () => {},
    );
    for (let i = 0; i < 3; i++) {
      pick([() => rival.cancel(), () => signal.cancel(), ...acts, ...acts])();
      if (random() < 0.3) await Promise.resolve();
    }
    rival.cancel();
    await running;
  }
}

const upTo = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

describe(`receivers (seed ${seed})`, () => {
  test('every value of a bounded channel comes out once, in order', async () => {
    const [tx, rx] = channel<number>(4);
    let sent = 0;
    const got: number[] = [];
    const send = (): void => {
      if (tx.trySend(sent).ok) sent++;
    };
    await race({ from: () => rx, acts: [send], take: (value) => got.push(value) }, randomOf(seed));
    for (let rest = rx.tryRecv(); rest.ok; rest = rx.tryRecv()) got.push(rest.value);
    expect(sent).toBeGreaterThan(ROUNDS / 4);
    expect(got).toEqual(upTo(sent));
  });

  test('every value of an unbounded channel comes out once, in order', async () => {
    const [tx, rx] = unboundedChannel<number>();
    let sent = 0;
    const got: number[] = [];
    await race({ from: () => rx, acts: [() => tx.send(sent++)], take: (value) => got.push(value) }, randomOf(seed));
    for (let rest = rx.tryRecv(); rest.ok; rest = rx.tryRecv()) got.push(rest.value);
    expect(got).toEqual(upTo(sent));
  });

  test('the value of a oneshot comes out, however often it has lost before', async () => {
    const random = randomOf(seed);
    for (let round = 0; round < ROUNDS / 4; round++) {
      const [tx, rx] = oneshot<number>();
      while (random() < 0.6) {
        const rival = new CancellationToken();
        const running = select({ rx, rival }, { random });
        rival.cancel();
        expect((await running).branch).toBe('rival');
      }
      tx.send(round);
      expect(await select({ rx })).toEqual({ branch: 'rx', value: round });
    }
  });

  test('the last value of a watch is always seen in the end', async () => {
    const [tx, rx] = watch(0);
    let last = 0;
    const seen: number[] = [];
    await race({ from: () => rx, acts: [() => tx.send(++last)], take: (value) => seen.push(value) }, randomOf(seed));
    if (seen.at(-1) !== last) seen.push((await select({ rx })).value);
    expect(seen.at(-1)).toBe(last);
    expect(seen.every((value, i) => i === 0 || value > (seen[i - 1] as number))).toBe(true);
  });
});

describe(`places in line (seed ${seed})`, () => {
  test('`tx.reserve()` as a branch never loses room, and never grants it twice', async () => {
    const capacity = 3;
    const [tx, rx] = channel<number>(capacity);
    let sent = 0;
    const got: number[] = [];
    const recv = (): void => {
      const next = rx.tryRecv();
      if (next.ok) got.push(next.value);
    };
    const contest = {
      from: () => tx.reserve(),
      acts: [recv],
      take: (permit: { send(value: number): void }) => permit.send(sent++),
    };
    await race(contest, randomOf(seed));
    for (let next = rx.tryRecv(); next.ok; next = rx.tryRecv()) got.push(next.value);
    expect(got).toEqual(upTo(sent));
    expect(tx.capacity).toBe(capacity);
  });

  test('the permits of a semaphore as a branch add up, and no waiter sleeps while one is available', async () => {
    const semaphore = new Semaphore(2);
    const held: Disposable[] = [];
    const release = (): void => held.shift()?.[Symbol.dispose]();
    await race(
      { from: () => semaphore.acquire(), acts: [release], take: (permit) => held.push(permit) },
      randomOf(seed),
    );
    expect(semaphore.availablePermits + held.length).toBe(2);
    while (held.length > 0) release();
    expect((await select({ permit: semaphore.acquireMany(2) })).branch).toBe('permit');
  });

  test('at most one branch holds a mutex', async () => {
    const mutex = new Mutex();
    const held: Disposable[] = [];
    const release = (): void => held.shift()?.[Symbol.dispose]();
    const take = (guard: Disposable): void => {
      held.push(guard);
      expect(held).toHaveLength(1);
    };
    await race({ from: () => mutex.acquire(), acts: [release], take }, randomOf(seed));
    while (held.length > 0) release();
    expect(mutex.tryAcquire().ok).toBe(true);
  });
});

describe(`tasks (seed ${seed})`, () => {
  test('every task of a JoinSet is joined once as a branch', async () => {
    const set = new JoinSet<number>();
    let spawned = 0;
    const got: number[] = [];
    const spawn = (): void => {
      const n = spawned++;
      set.spawn(() => (n % 2 === 0 ? n : Promise.resolve(n)));
    };
    const take = (joined: { status: string; value?: unknown } | undefined): void => {
      if (joined?.status === 'fulfilled') got.push(joined.value as number);
    };
    await race({ from: () => set.joinNext(), acts: [spawn], take }, randomOf(seed));
    for (let rest = await set.joinNext(); rest !== undefined; rest = await set.joinNext()) take(rest);
    expect(got.sort((a, b) => a - b)).toEqual(upTo(spawned));
  });

  test('a task and the wait of a tracker are branches', async () => {
    const tracker = new TaskTracker();
    await scope(async (s) => {
      const task = s.spawn(() => 'done');
      const guard = tracker.guard();
      tracker.close();
      const wait = tracker.wait();
      expect(await select.biased({ wait, task })).toEqual({ branch: 'task', value: 'done' });
      guard.dispose();
      expect((await select({ wait })).branch).toBe('wait');
      const turns: string[] = [];
      for await (const { branch } of selectEach.biased({ task, wait })) turns.push(branch);
      expect(turns).toEqual(['task', 'wait']);
    });
  });
});
