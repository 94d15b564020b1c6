// Counterparts of Tokio's tests of JoinSet and TaskTracker. tests.json maps each test.
import type { CancellationToken } from '@quiesce/cancellation-token';
import { VirtualClock } from '@quiesce/cancellation-token/testing';
import { Semaphore } from '@quiesce/channel';
import { JoinSet, TaskTracker } from '@quiesce/scope';
import { sleep } from '@quiesce/select';
import { describe, expect, it } from 'vitest';
import { rejection, turn, Wait } from './vocabulary.ts';

const ten = Array.from({ length: 10 }, (_, i) => i);
const forever = async (token: CancellationToken): Promise<never> => {
  await token.cancelled();
  throw token.reason;
};

/** Joins all tasks of a set. */
async function join<T>(set: JoinSet<T>): Promise<unknown[]> {
  const ends: unknown[] = [];
  for await (const joined of set) ends.push(joined.status === 'fulfilled' ? joined.value : joined.status);
  return ends;
}

describe('a join set', () => {
  it('counts its tasks, returns them in the order in which they end, and can be used again', async () => {
    const clock = new VirtualClock();
    const set = new JoinSet<number>();
    for (let round = 0; round < 2; round++) {
      for (const i of ten) {
        set.spawn(async () => {
          await sleep(1_000 * (10 - i), { clock });
          return i;
        });
        expect(set.length).toBe(i + 1);
      }
      expect(await clock.run(() => join(set))).toEqual([...ten].reverse());
      expect(await set.joinNext()).toBeUndefined();
    }
  });

  it('forgets its tasks without cancelling them when they are detached', async () => {
    const set = new JoinSet<number>();
    for (const i of ten) set.spawn(async () => i);
    const going = set.spawn(async () => 10);
    set.detachAll();
    expect([set.length, await set.joinNext(), await going]).toEqual([0, undefined, 10]);
  });

  it('cancels its tasks and waits for them at the end of its block', async () => {
    const tokens: CancellationToken[] = [];
    {
      await using set = new JoinSet<never>();
      for (let i = 0; i < 16; i++) {
        set.spawn((token) => {
          tokens.push(token);
          return forever(token);
        });
      }
    }
    expect(tokens.map(({ isCancelled }) => isCancelled)).toEqual(Array.from({ length: 16 }, () => true));
  });

  it('counts correctly while tasks are spawned and joined alternately', async () => {
    const set = new JoinSet<void>();
    set.spawn(async () => {});
    set.spawn(async () => {});
    for (let i = 0; i < 16; i++) {
      expect((await set.joinNext())?.status).toBe('fulfilled');
      expect(set.length).toBe(1);
      set.spawn(async () => {});
    }
    expect((await join(set)).length).toBe(2);
  });

  it('joins tasks that were cancelled one by one, as cancelled', async () => {
    const clock = new VirtualClock();
    const set = new JoinSet<number>();
    for (let i = 0; i < 16; i++) {
      const task = set.spawn(async (token) => {
        if (i % 2 !== 0) return forever(token);
        await sleep(i, { clock });
        return i;
      });
      if (i % 2 !== 0) task.cancel();
    }
    const ends = await clock.run(() => join(set));
    expect(ends.filter((end) => end === 'cancelled')).toHaveLength(8);
    expect(ends.filter((end) => typeof end === 'number')).toEqual([0, 2, 4, 6, 8, 10, 12, 14]);
  });

  it('joins all tasks at once', async () => {
    const set = new JoinSet<number>();
    for (let i = 0; i < 5; i++) set.spawn(async () => 1);
    expect(await set.joinAll()).toEqual([1, 1, 1, 1, 1]);
  });

  it('cancels the others when one fails while all are joined', async () => {
    const clock = new VirtualClock();
    const set = new JoinSet<void>();
    let hasSlept = false;
    set.spawn(async (token) => {
      const outcome = await token.runUntilCancelled(sleep(2_000, { clock }));
      hasSlept = outcome.status === 'fulfilled';
      token.throwIfCancelled();
    });
    const error = new Error('panic');
    set.spawn(async () => {
      await sleep(1_000, { clock });
      throw error;
    });
    expect(await rejection(clock.run(() => set.joinAll()))).toBe(error);
    expect(hasSlept).toBe(false);
  });

  it('cancels all running tasks, and keeps the outcome of ended ones', async () => {
    const set = new JoinSet<string>();
    for (let i = 0; i < 5; i++) set.spawn(forever);
    for (let i = 0; i < 5; i++) set.spawn(async () => 'done');
    await turn();
    set.cancelAll();
    expect(set.length).toBe(10);
    const ends = await join(set);
    expect([ends.filter((end) => end === 'done').length, ends.filter((end) => end === 'cancelled').length]).toEqual([
      5, 5,
    ]);
    expect(set.length).toBe(0);
  });

  it('lets the event loop run while many ended tasks are joined', async () => {
    const set = new JoinSet<void>();
    const started = new Semaphore(0);
    for (let i = 0; i < 3_000; i++) set.spawn(async () => started.addPermits(1));
    await started.acquireMany(3_000);
    let turns = 0;
    let isOver = false;
    const count = (): void => {
      turns++;
      if (!isOver) setImmediate(count);
    };
    setImmediate(count);
    let joined = 0;
    while ((await set.joinNext()) !== undefined) joined++;
    isOver = true;
    expect(joined).toBe(3_000);
    expect(turns).toBeGreaterThanOrEqual(2);
  });

  it('supports a try: none before an end, then one after the other', async () => {
    const set = new JoinSet<number>();
    const go = new Semaphore(0);
    const tasks = new Set<unknown>();
    for (let i = 0; i < 1_000; i++) {
      tasks.add(
        set.spawn(async () => {
          using _ = await go.acquire();
          return i;
        }),
      );
    }
    expect(set.tryJoinNext()).toEqual({ ok: false, why: 'pending' });
    go.addPermits(1_000);
    await turn();
    const joined = new Set<unknown>();
    for (let next = set.tryJoinNext(); next.ok; next = set.tryJoinNext()) joined.add(next.value.task);
    expect([joined.size, joined]).toEqual([1_000, tasks]);
  });

  it('is made and extended from a list of functions', async () => {
    const set = new JoinSet<number>();
    set.extend(ten.slice(0, 5).map((i) => async () => i));
    set.extend(ten.slice(5).map((i) => async () => i));
    expect((await set.joinAll()).sort((a, b) => a - b)).toEqual(ten);
  });

  it('cancels and awaits all tasks on shutdown', async () => {
    const set = new JoinSet<never>();
    const tasks = Array.from({ length: 8 }, () => set.spawn(forever));
    expect(set.tryJoinNext()).toEqual({ ok: false, why: 'pending' });
    await set.shutdown();
    expect([set.length, tasks.map(({ status: state }) => state)]).toEqual([0, tasks.map(() => 'cancelled')]);
  });
});

describe('a task tracker', () => {
  it('is opened and closed repeatedly', () => {
    const tracker = new TaskTracker();
    const states: unknown[] = [];
    for (const step of ['close', 'reopen', 'reopen', 'close', 'close'] as const) {
      tracker[step]();
      states.push(tracker.isClosed, tracker.isEmpty, tracker.length);
    }
    expect(states).toEqual([true, true, 0, false, true, 0, false, true, 0, true, true, 0, true, true, 0]);
  });

  it('counts its guards', () => {
    const tracker = new TaskTracker();
    const guards = ten.map((i) => {
      expect(tracker.length).toBe(i);
      return tracker.guard();
    });
    expect([tracker.isEmpty, tracker.length]).toEqual([false, 10]);
    for (const [i, guard] of guards.entries()) {
      guard.dispose();
      expect(tracker.length).toBe(9 - i);
    }
  });

  it('ends a wait at once when it is closed and empty, also when it is reopened before a poll', () => {
    const tracker = new TaskTracker();
    tracker.close();
    const [now, later] = [new Wait(tracker.wait()), new Wait(tracker.wait())];
    expect(now.poll()).toBeUndefined();
    tracker.reopen();
    expect(later.poll()).toBeUndefined();
  });

  it('ends all waits when it is closed, also when it is reopened at once', () => {
    for (const reopens of [false, true]) {
      const tracker = new TaskTracker();
      const waits = ten.map(() => new Wait(tracker.wait()));
      expect(new Set(waits.map((wait) => wait.poll()))).toEqual(new Set(['pending']));
      tracker.close();
      if (reopens) tracker.reopen();
      expect(new Set(waits.map((wait) => wait.poll()))).toEqual(new Set([undefined]));
    }
  });

  it('ends a wait with its last guard when it is closed, also when another guard follows at once', () => {
    for (const follows of [false, true]) {
      const tracker = new TaskTracker();
      tracker.close();
      const guard = tracker.guard();
      const wait = new Wait(tracker.wait());
      expect(wait.poll()).toBe('pending');
      guard.dispose();
      if (follows) tracker.guard();
      expect(wait.poll()).toBeUndefined();
    }
  });

  it('ends no wait when it is open and becomes empty', () => {
    const tracker = new TaskTracker();
    const guard = tracker.guard();
    const wait = new Wait(tracker.wait());
    expect(wait.poll()).toBe('pending');
    guard.dispose();
    tracker.guard();
    expect(wait.poll()).toBe('pending');
  });

  it('may be closed at any moment while its guards end', () => {
    for (let closedAt = 0; closedAt <= 5; closedAt++) {
      const tracker = new TaskTracker();
      const guards = Array.from({ length: 5 }, () => tracker.guard());
      const wait = new Wait(tracker.wait());
      for (const [i, guard] of guards.entries()) {
        if (i === closedAt) tracker.close();
        expect(wait.poll()).toBe('pending');
        guard.dispose();
      }
      if (closedAt === 5) {
        expect(wait.poll()).toBe('pending');
        tracker.close();
      }
      expect(wait.poll()).toBeUndefined();
    }
  });

  it('waits for work that was spawned before its close, and after it', async () => {
    for (const closesFirst of [false, true]) {
      const tracker = new TaskTracker();
      if (closesFirst) tracker.close();
      for (let i = 0; i < 8; i++) void tracker.spawn(async () => turn());
      tracker.close();
      await tracker.wait();
      expect([tracker.isEmpty, tracker.isClosed]).toEqual([true, true]);
    }
  });

  it('cancels nothing when it is forgotten', async () => {
    let ended = 0;
    const go = new Semaphore(0);
    (() => {
      const tracker = new TaskTracker();
      for (let i = 0; i < 8; i++) {
        void tracker.spawn(async () => {
          await go.acquire();
          ended++;
        });
      }
    })();
    await turn();
    expect(ended).toBe(0);
    go.addPermits(8);
    await turn();
    expect(ended).toBe(8);
  });
});
