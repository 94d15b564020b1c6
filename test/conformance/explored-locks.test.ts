// The locks in every order of answers and cancellations. Bound 1; 5 s of processor time.

import { Barrier, Mutex, Notify, OnceCell, RwLock, Semaphore } from '@quiesce/channel';
import { cancelEverywhere, explore } from '@quiesce/testing';
import { expect, test } from 'vitest';

const options = { bound: 1 };

test('a semaphore grants in order, and a cancelled request for several permits blocks no later one', async () => {
  await cancelEverywhere(async (world, signal) => {
    const work = world.external('work', ['done']);
    const permits = new Semaphore(2);
    world.held('permits', () => 2 - permits.availablePermits);
    let inUse = 0;
    world.always('at most 2 permits are in use', () => inUse <= 2);
    const job = async (id: number, count: number, limit?: AbortSignal) => {
      using _ = await permits.acquireMany(count, limit === undefined ? {} : { signal: limit });
      inUse += count;
      await work(id).finally(() => {
        inUse -= count;
      });
    };
    const cancelled = job(2, 2, signal);
    const ends = await Promise.allSettled([job(1, 1), cancelled, job(3, 1)]);
    expect(ends[0]?.status).toBe('fulfilled');
    expect(ends[2]?.status).toBe('fulfilled');
    await cancelled;
  }, options);
});

test('readers share a lock, a writer has it alone, and a cancelled writer lets readers in', async () => {
  await cancelEverywhere(async (world, signal) => {
    const work = world.external('work', ['done']);
    const lock = new RwLock();
    world.held('locks', () => Number(lock.isLocked));
    let readers = 0;
    let writers = 0;
    world.always('one writer, or readers', () => writers === 0 || (writers === 1 && readers === 0));
    const read = async (id: number) => {
      using _ = await lock.read();
      readers++;
      await work(`read ${id}`);
      readers--;
    };
    const write = async () => {
      using _ = await lock.write({ signal });
      writers++;
      await work('write');
      writers--;
    };
    const writing = write();
    const [first, second] = await Promise.allSettled([read(1), read(2), writing]);
    expect([first?.status, second?.status]).toEqual(['fulfilled', 'fulfilled']);
    await writing;
  }, options);
});

test('a notification that a cancelled waiter has received goes to the next one', async () => {
  await cancelEverywhere(
    async (world, signal) => {
      const notify = new Notify();
      let served = 0;
      const wait = async (limit?: AbortSignal) => {
        await notify.notified(limit === undefined ? {} : { signal: limit });
        served++;
      };
      const first = wait(signal).catch((error: unknown) => {
        if (!signal.aborted) throw error;
      });
      const second = wait();
      world.events('notifications', [1, 2], () => notify.notifyOne());
      await second;
      await first;
      // Each notification serves one waiter, or is stored.
      await world.rest();
      expect(served + Number(notify.isNotified)).toBe(2);
    },
    { ...options, outcome: 'any' },
  );
});

test('a barrier opens once for its parties, and elects one leader', async () => {
  await explore(async (world) => {
    const arrive = world.external('arrive', (id: number) => id);
    const barrier = new Barrier(2);
    const party = async (id: number) => {
      await arrive(id);
      return (await barrier.wait()).isLeader;
    };
    const leaders = await Promise.all([1, 2, 3, 4].map(party));
    expect(leaders.filter(Boolean)).toHaveLength(2);
  }, options);
});

test('a once cell keeps the first value, and a cancelled initialisation lets the next caller begin', async () => {
  await cancelEverywhere(async (world, signal) => {
    const load = world.external('load', (id: number) => id);
    const cell = new OnceCell<number>();
    const own = cell.getOrInit(() => load(1, { signal }), { signal });
    const other = cell.getOrInit(() => load(2));
    const [first, second] = await Promise.allSettled([own, other]);
    expect(second.status).toBe('fulfilled');
    if (first.status === 'fulfilled' && second.status === 'fulfilled') expect(first.value).toBe(second.value);
    await own;
  }, options);
});

test('a mutex that is cancelled while it is granted stays usable', async () => {
  await cancelEverywhere(async (world, signal) => {
    const mutex = new Mutex();
    world.held('the mutex', () => Number(mutex.isLocked));
    const work = world.external('work', ['done']);
    const holder = (async () => {
      using _ = await mutex.acquire();
      await work('holder');
    })();
    const waiting = (async () => {
      using _ = await mutex.acquire({ signal });
      await work('waiter', { signal });
    })();
    await Promise.allSettled([holder, waiting]);
    using _ = await mutex.acquire();
    await waiting;
  }, options);
});
