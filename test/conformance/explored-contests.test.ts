// Sources that race against a rival and a cancellation, in every order of three events. A value that loses stays, and none comes twice.
// Bound 3: the way to race, and the deviations from three values in one run. 70,000 schedules, 12 s of processor time.

import { broadcast } from '@quiesce/broadcast-channel';
import { CancellationToken, type Source } from '@quiesce/cancellation-token';
import { untilCancelled } from '@quiesce/cancellation-token/internal';
import { channel, Mutex, oneshot, Semaphore, unboundedChannel, watch } from '@quiesce/channel';
import { JoinSet, Scope } from '@quiesce/scope';
import { interval, select, selectEach, settle, sleep } from '@quiesce/select';
import { explore, type World } from '@quiesce/testing';
import { expect, test } from 'vitest';

/** A source, and what must hold for the values that it gives. */
interface Subject {
  readonly from: () => Source<unknown> | AbortSignal | PromiseLike<unknown>;
  /** Makes one more value ready. */
  emit(): void;
  /** Called with each value that a contest gives. */
  take(value: unknown): void;
  /** Takes the values that are left, and checks that each value was given once. */
  finish(): unknown;
}

/** A stream of the numbers from 0 on. */
function stream(from: Source<unknown>, send: (value: number) => void, tryRecv: () => { ok: boolean; value?: unknown }) {
  let sent = 0;
  const got: unknown[] = [];
  return {
    from: () => from,
    emit: () => send(sent++),
    take: (value: unknown) => void got.push((value as { value?: number } | null)?.value ?? value),
    finish: () => {
      for (let rest = tryRecv(); rest.ok; rest = tryRecv()) got.push(rest.value);
      expect(got).toEqual(Array.from({ length: sent }, (_, i) => i));
    },
  };
}

/** A source that gives one value, however often it has lost before. */
function oneShot(from: () => Source<unknown> | AbortSignal | PromiseLike<unknown>, emit: () => void): Subject {
  return {
    from,
    emit,
    take() {},
    finish: async () => {
      emit();
      expect((await select({ from: from() as Source<unknown> })).branch).toBe('from');
    },
  };
}

/** A lock: what a branch gets is released by the next event, and at most `most` are held. */
function lock(acquire: () => Source<Disposable>, most: number, tryAcquire: () => { ok: boolean }): Subject {
  const held: Disposable[] = [];
  const release = (): void => held.shift()?.[Symbol.dispose]();
  return {
    from: acquire,
    emit: release,
    take: (permit) => {
      held.push(permit as Disposable);
      expect(held.length).toBeLessThanOrEqual(most);
    },
    finish: () => {
      while (held.length > 0) release();
      for (let i = 0; i < most; i++) expect(tryAcquire().ok).toBe(true);
    },
  };
}

const subjects: Record<string, (world: World) => Subject> = {
  'a bounded channel': () => {
    const [tx, rx] = channel<number>(8);
    return stream(
      rx,
      (value) => void tx.trySend(value),
      () => rx.tryRecv(),
    );
  },
  'recv() of an unbounded channel': () => {
    const [tx, rx] = unboundedChannel<number>();
    const subject = stream(
      rx,
      (value) => tx.send(value),
      () => rx.tryRecv(),
    );
    return { ...subject, from: () => rx.recv() };
  },
  'a broadcast receiver': () => {
    const [tx, rx] = broadcast<number>(8);
    return stream(
      rx,
      (value) => void tx.send(value),
      () => rx.tryRecv(),
    );
  },
  'a receiver in settle': () => {
    const [tx, rx] = broadcast<number>(8);
    return stream(
      settle(rx),
      (value) => void tx.send(value),
      () => rx.tryRecv(),
    );
  },
  'a receiver in untilCancelled': () => {
    const [tx, rx] = broadcast<number>(8);
    const from = untilCancelled(new CancellationToken(), rx);
    return stream(
      from,
      (value) => void tx.send(value),
      () => rx.tryRecv(),
    );
  },
  'a watch': () => {
    const [tx, rx] = watch(0);
    let last = 0;
    const seen: unknown[] = [0];
    return {
      from: () => rx,
      emit: () => void tx.send(++last),
      take: (value) => void seen.push(value),
      finish: async () => {
        if (seen.at(-1) !== last) seen.push(await rx.changed());
        expect(seen.at(-1)).toBe(last);
        expect(new Set(seen).size).toBe(seen.length);
      },
    };
  },
  'room in a channel': () => {
    const [tx, rx] = channel<number>(1);
    let sent = 0;
    const got: number[] = [];
    const recv = (): boolean => {
      const next = rx.tryRecv();
      if (next.ok) got.push(next.value);
      return next.ok;
    };
    return {
      from: () => tx.reserve(),
      emit: recv,
      take: (permit) => (permit as { send(value: number): void }).send(sent++),
      finish: () => {
        while (recv());
        expect(got).toEqual(Array.from({ length: sent }, (_, i) => i));
        expect(tx.capacity).toBe(1);
      },
    };
  },
  'the permits of a semaphore': () => {
    const semaphore = new Semaphore(2);
    return lock(
      () => semaphore.acquire(),
      2,
      () => semaphore.tryAcquire(),
    );
  },
  'a mutex': () => {
    const mutex = new Mutex();
    return lock(
      () => mutex.acquire(),
      1,
      () => mutex.tryAcquire(),
    );
  },
  'the tasks of a JoinSet': () => {
    const set = new JoinSet<number>();
    let spawned = 0;
    const got: unknown[] = [];
    const take = (joined: unknown): void => {
      if (joined !== undefined) got.push((joined as { value: number }).value);
    };
    return {
      from: () => set.joinNext(),
      emit: () => {
        const id = spawned++;
        set.spawn(() => (id % 2 === 0 ? id : Promise.resolve(id)));
      },
      take,
      finish: async () => {
        for (let rest = await set.joinNext(); rest !== undefined; rest = await set.joinNext()) take(rest);
        expect(got.sort()).toEqual(Array.from({ length: spawned }, (_, i) => i));
      },
    };
  },
  'the ticks of an interval': () => {
    let now = 0;
    const clock = { now: () => now, wall: () => now, setTimer: () => ({}) as never, clearTimer() {} };
    const ticks = interval(10, { clock });
    const got: unknown[] = [];
    return {
      from: () => ticks,
      emit: () => {
        now += 10;
      },
      take: (value) => void got.push(value),
      finish: async () => {
        const none = Promise.resolve();
        for (;;) {
          const rest = await select.biased({ ticks, none });
          if (rest.branch === 'none') break;
          got.push(rest.value);
        }
        expect(got).toEqual(Array.from({ length: now / 10 + 1 }, (_, i) => i * 10));
      },
    };
  },
  'a oneshot': () => {
    const [tx, rx] = oneshot<number>();
    return oneShot(
      () => rx,
      () => void (tx.isClosed || tx.send(1)),
    );
  },
  'a token': () => {
    const token = new CancellationToken();
    return oneShot(
      () => token,
      () => void token.cancel(1),
    );
  },
  'token.cancelled()': () => {
    const token = new CancellationToken();
    return oneShot(
      () => token.cancelled(),
      () => void token.cancel(1),
    );
  },
  'an AbortSignal': () => {
    const controller = new AbortController();
    return oneShot(
      () => controller.signal,
      () => controller.abort(1),
    );
  },
  'a promise': () => {
    let resolve!: (value: number) => void;
    const promise = new Promise<number>((done) => {
      resolve = done;
    });
    return oneShot(
      () => promise,
      () => resolve(1),
    );
  },
  'a sleep': () => {
    let now = 0;
    const clock = { now: () => now, wall: () => now, setTimer: () => ({}) as never, clearTimer() {} };
    const from = sleep(5, { clock });
    return oneShot(
      () => from,
      () => {
        now = 5;
      },
    );
  },
  'a task': () => {
    const s = new Scope();
    let resolve!: (value: number) => void;
    const made = new Promise<number>((done) => {
      resolve = done;
    });
    const task = s.spawn(() => made);
    const subject = oneShot(
      () => task,
      () => resolve(1),
    );
    return {
      ...subject,
      finish: async () => {
        await subject.finish();
        await s.close();
      },
    };
  },
};

interface Race {
  readonly from: Source<unknown>;
  readonly rival: CancellationToken;
  readonly signal: CancellationToken;
  readonly take: (value: unknown) => void;
}

/** The ways to race. */
const ways: Record<string, (race: Race, subject: Subject) => Promise<void>> = {
  select: async ({ from, rival, signal, take }) => {
    const { branch, value } = await select({ from, rival }, { signal });
    if (branch === 'from') take(value);
  },
  biased: async ({ from, rival, signal, take }) => {
    const { branch, value } = await select.biased({ rival, from }, { signal });
    if (branch === 'from') take(value);
  },
  twice: async ({ from, rival, signal, take }, subject) => {
    const { branch, value } = await select({ from, rival, again: subject.from() as Source<unknown> }, { signal });
    if (branch !== 'rival') take(value);
  },
  'inside work': async ({ from, rival, signal, take }) => {
    const work = async (token: CancellationToken): Promise<void> =>
      take((await select({ from }, { signal: token })).value);
    await select({ work, rival }, { signal });
  },
  selectEach: async ({ from, rival, signal, take }) => {
    for await (const { branch, value } of selectEach({ from, rival }, { signal })) {
      if (branch === 'from') take(value);
      return;
    }
  },
};

async function contest(world: World, subject: Subject): Promise<void> {
  const [rival, signal] = [new CancellationToken(), new CancellationToken()];
  const acts = { emit: subject.emit, rival: () => rival.cancel(), signal: () => signal.cancel(), none: () => {} };
  const way = ways[world.choose('way', Object.keys(ways))];
  const race = { from: subject.from() as Source<unknown>, rival, signal, take: subject.take };
  const running = way?.(race, subject).catch((error: unknown) => {
    if (error !== signal.reason || !signal.isCancelled) throw error;
  });
  for (let i = 0; i < 3; i++) {
    acts[world.choose('act', ['emit', 'rival', 'signal', 'none'])]();
    if (world.choose('pause', [false, true])) await null;
  }
  rival.cancel();
  await running;
}

test.each(Object.entries(subjects))('%s loses no value to a race, and gives none twice', async (_, make) => {
  const report = await explore(
    async (world) => {
      const subject = make(world);
      await contest(world, subject);
      // The state that the first contest left.
      await contest(world, subject);
      await subject.finish();
    },
    { bound: 3, budget: { schedules: Number.POSITIVE_INFINITY } },
  );
  expect(report.bound).toBe(3);
});
