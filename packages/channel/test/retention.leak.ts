// Channels and locks retain the values that are to be received, and nothing of finished waits.
import { getEventListeners } from 'node:events';
import { CancellationToken } from '@quiesce/cancellation-token';
import {
  Barrier,
  channel,
  Mutex,
  Notify,
  OnceCell,
  oneshot,
  RwLock,
  Semaphore,
  unboundedChannel,
  watch,
} from '@quiesce/channel';
import { select } from '@quiesce/select';
import { describe, expect, test } from 'vitest';
import { bytesPerTurn, collectGarbage, survivors } from '../../../test/leak/leak.ts';

const turns = 20_000;

describe('a channel that lives long keeps nothing', () => {
  test('of values that were received, in every way', async () => {
    const [tx, rx] = channel<object>(4);
    const left = await survivors(2_000, async (i) => {
      const value = {};
      const waiting = i % 2 === 0 ? rx.recv() : undefined;
      await tx.send(value);
      if (waiting === undefined) rx.tryRecv();
      await waiting;
      return value;
    });
    // The engine may keep the last.
    expect(left).toBeLessThanOrEqual(1);
    expect(tx.capacity).toBe(4);
  });

  test('of values that were refused or dropped', async () => {
    const left = await survivors(1_000, async (i) => {
      const [tx, rx] = channel<object>(1);
      const value = {};
      if (i % 2 === 0) rx.close();
      const sent = tx.send(value).catch(() => {});
      rx.dispose();
      await sent;
      kept.push(tx, rx);
      return value;
    });
    expect(left).toBeLessThanOrEqual(1);
  });
  const kept: unknown[] = [];

  test('of receives, sends and reservations that were given up, nor does their signal', async () => {
    const [tx, rx] = channel<number>(1);
    const [full] = channel<number>(1);
    await full.send(1);
    const { signal } = new AbortController();
    const growth = await bytesPerTurn({ turns, below: 2 }, async () => {
      const token = CancellationToken.any([signal]);
      const given = [rx.recv({ signal: token }), full.send(2, { signal: token }), full.reserve({ signal: token })];
      const settled = Promise.allSettled(given);
      token.cancel('given up');
      await settled;
    });
    expect(growth).toBeLessThan(2);
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
    expect([tx.capacity, full.capacity]).toEqual([1, 0]);
  });

  test('of selects that it has lost', async () => {
    const [tx, rx] = channel<number>(1);
    const [full, drain] = channel<number>(1);
    await full.send(1);
    const closed = tx.closed();
    const growth = await bytesPerTurn({ turns }, () =>
      select({ rx, room: full.reserve(), closed, ready: Promise.resolve() }),
    );
    expect(growth).toBeLessThan(1);
    expect(drain.length).toBe(1);
  });

  test('of iterations that were left, and of handles that were closed', async () => {
    const [tx, rx] = channel<number>(2);
    const growth = await bytesPerTurn({ turns }, async () => {
      const [other, weak] = [tx.clone(), tx.downgrade()];
      await other.send(1);
      for await (const _ of rx) break;
      other.close();
      weak.dispose();
    });
    expect(growth).toBeLessThan(1);
    expect([tx.strongCount, tx.weakCount]).toEqual([1, 0]);
  });

  test('of the room that one burst needed', async () => {
    const [tx, rx] = unboundedChannel<number>();
    await collectGarbage();
    const before = process.memoryUsage().heapUsed;
    for (let i = 0; i < 1_000_000; i++) tx.send(i);
    while (rx.tryRecv().ok);
    await collectGarbage();
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(1_000_000);
    expect(tx.isClosed).toBe(false);
  });
});

describe('a lock that lives long keeps nothing', () => {
  test('of acquires that were served, given up, timed out, or never awaited', async () => {
    const [lock, semaphore] = [new Mutex(), new Semaphore(1)];
    const growth = await bytesPerTurn({ turns, below: 2 }, async (i) => {
      const guard = await lock.acquire();
      const token = new CancellationToken();
      const given = lock.acquire({ signal: token }).then(null, () => {});
      // A timer of the system takes a millisecond.
      const late = i % 10 === 0 ? lock.acquire({ timeout: 0 }).then(null, () => {}) : undefined;
      lock.acquire({ timeout: 60_000 });
      const lost = select({ place: lock.acquire({ timeout: 60_000 }), ready: Promise.resolve() });
      token.cancel();
      await Promise.all([given, late, lost]);
      guard.release();
      using _ = await semaphore.acquire();
    });
    expect(growth).toBeLessThan(2);
    expect([lock.isLocked, semaphore.availablePermits]).toEqual([false, 1]);
  });
});

describe('a lock, a barrier, a cell and a notify that live long retain nothing', () => {
  test('of waits that were served, given up, timed out, lost, or never awaited', async () => {
    const [notify, lock, barrier, cell] = [new Notify(), new RwLock(), new Barrier(3), new OnceCell<object>()];
    const never = (token: CancellationToken): Promise<object> =>
      new Promise((_, reject) => token.onCancelled(() => reject(token.reason)));
    const writer = await lock.write();
    const growth = await bytesPerTurn({ turns: 10_000, below: 2 }, async (i) => {
      const token = new CancellationToken();
      const waits = (options?: { signal?: CancellationToken; timeout?: number }) => ({
        notified: notify.notified(options),
        read: lock.read(options),
        write: lock.write(options),
        barrier: barrier.wait(options),
        cell: cell.getOrInit(never, options),
      });
      waits({ timeout: 60_000 });
      const given = Object.values(waits({ signal: token })).map((wait) => wait.then(null, () => {}));
      const late = i % 10 === 0 ? notify.notified({ timeout: 0 }).then(null, () => {}) : undefined;
      const lost = select({ ...waits({ timeout: 60_000 }), ready: Promise.resolve() });
      using enabled = notify.notified();
      enabled.enable();
      token.cancel();
      await Promise.all([...given, late, lost]);
      const passed = notify.notified().then(() => {});
      notify.notifyWaiters();
      await Promise.all([passed, barrier.wait(), barrier.wait(), barrier.wait()]);
    });
    expect(growth).toBeLessThan(2);
    writer.release();
    expect([lock.tryWrite().ok, cell.set({}).ok]).toEqual([true, true]);
  });

  test('of values of a cell that were taken', async () => {
    const cell = new OnceCell<object>();
    const left = await survivors(1_000, async () => {
      const value = await cell.getOrInit(() => ({}));
      cell.take();
      return value;
    });
    expect(left).toBeLessThanOrEqual(1);
    expect(cell.isInitialized).toBe(false);
  });
});

describe('a watch that lives long keeps nothing', () => {
  test('of values that were replaced, of waits that were given up, and of receivers that were closed', async () => {
    const [tx, rx] = watch<object>({});
    const left = await survivors(1_000, async () => {
      const value = {};
      const waiting = rx.changed();
      tx.send(value);
      await waiting;
      return value;
    });
    expect(left).toBeLessThanOrEqual(2);
    const growth = await bytesPerTurn({ turns, below: 2 }, async () => {
      using own = tx.subscribe();
      const token = new CancellationToken();
      const given = own.waitFor(() => false, { signal: token }).catch(() => {});
      const lost = select({ rx, ready: Promise.resolve() });
      token.cancel();
      const ended = own.changed().catch(() => {});
      own.dispose();
      await Promise.all([given, lost, ended]);
    });
    expect(growth).toBeLessThan(2);
    expect(tx.receiverCount).toBe(1);
  });
});

test('a receiver of a watch that was forgotten after a wait that it lost is collected', async () => {
  const [tx] = watch(0);
  const left = await survivors(1_000, async () => {
    const rx = tx.subscribe();
    await select({ rx, ready: Promise.resolve() });
    return rx;
  });
  expect(left).toBeLessThanOrEqual(1);
  expect(tx.senderCount).toBe(1);
});

test('a oneshot is collected with its value and its ends', async () => {
  const growth = await bytesPerTurn({ turns }, async (i) => {
    const [tx, rx] = oneshot<object>();
    if (i % 2 === 0) tx.send({});
    else if (i % 3 === 0) tx.close();
    // No value is sent, and an await still waits.
    else void tx.closed().then(() => {});
    rx.recv().catch(() => {});
  });
  expect(growth).toBeLessThan(1);
});
