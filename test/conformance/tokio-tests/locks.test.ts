// Counterparts of Tokio's tests of Semaphore, RwLock, Barrier, OnceCell and Notify. tests.json maps each test.
import { PENDING, source, waiter } from '@quiesce/cancellation-token';
import { VirtualClock } from '@quiesce/cancellation-token/testing';
import { Barrier, Notify, OnceCell, RwLock, Semaphore } from '@quiesce/channel';
import { sleep } from '@quiesce/select';
import { describe, expect, it } from 'vitest';
import { closed, idle, rejection, turn, unwrap, Wait } from './vocabulary.ts';

describe('a semaphore', () => {
  it('grants no permit when it has none', () => {
    expect(new Semaphore(0).tryAcquire()).toEqual({ ok: false, why: 'no-permits' });
  });

  it('grants a permit to a try, none while it is taken, and the same one again', () => {
    const semaphore = new Semaphore(1);
    const permit = unwrap(semaphore.tryAcquire());
    expect([permit.permitCount, semaphore.tryAcquire().ok]).toEqual([1, false]);
    permit.release();
    expect(unwrap(semaphore.tryAcquire()).permitCount).toBe(1);
  });

  it('wakes a waiter when a permit is released, and when one is added', async () => {
    const semaphore = new Semaphore(1);
    const held = unwrap(semaphore.tryAcquire());
    const first = semaphore.acquire().then(({ permitCount: count }) => count);
    const second = semaphore.acquire().then(({ permitCount: count }) => count);
    held.release();
    expect(await first).toBe(1);
    semaphore.addPermits(1);
    expect(await second).toBe(1);
  });

  it('counts permits that are added and removed, open or closed', () => {
    for (let size = 0; size < 4; size++) {
      for (let change = 0; change < 4; change++) {
        for (const isClosed of [false, true]) {
          const [more, less] = [new Semaphore(size), new Semaphore(size)];
          if (isClosed) for (const semaphore of [more, less]) semaphore.close();
          more.addPermits(change);
          const left = Math.max(0, size - change);
          expect([more.availablePermits, more.isClosed]).toEqual([size + change, isClosed]);
          expect([less.forgetPermits(change), less.availablePermits, less.isClosed]).toEqual([
            size - left,
            left,
            isClosed,
          ]);
        }
      }
    }
  });

  it('never gets a forgotten permit back', () => {
    const semaphore = new Semaphore(1);
    const permit = unwrap(semaphore.tryAcquire());
    permit.forget();
    permit.release();
    expect([semaphore.availablePermits, semaphore.tryAcquire().ok]).toEqual([0, false]);
  });

  it('grants permits that are merged, and released together', () => {
    const semaphore = new Semaphore(3);
    const [one, two] = [unwrap(semaphore.tryAcquire()), unwrap(semaphore.tryAcquireMany(2))];
    one.merge(two);
    expect([one.permitCount, two.permitCount, semaphore.availablePermits]).toEqual([3, 0, 0]);
    one.release();
    expect(semaphore.availablePermits).toBe(3);
  });

  it('does not merge permits of another semaphore', () => {
    const [one, other] = [unwrap(new Semaphore(3).tryAcquire()), unwrap(new Semaphore(3).tryAcquire())];
    expect(() => one.merge(other)).toThrow(TypeError);
  });

  it('grants permits that are split, also into none', () => {
    const semaphore = new Semaphore(5);
    const whole = unwrap(semaphore.tryAcquireMany(3));
    const part = whole.split(1);
    const none = whole.split(0);
    expect([whole.permitCount, part?.permitCount, none?.permitCount, semaphore.availablePermits]).toEqual([2, 1, 0, 2]);
    whole.release();
    const last = part?.split(1);
    expect([semaphore.availablePermits, part?.permitCount, last?.permitCount, part?.split(1)]).toEqual([
      4,
      0,
      1,
      undefined,
    ]);
    part?.release();
    none?.release();
    expect(semaphore.availablePermits).toBe(4);
    last?.release();
    expect(semaphore.availablePermits).toBe(5);
  });

  it('has all its permits again after a thousand tasks', async () => {
    const semaphore = new Semaphore(5);
    const task = async (): Promise<void> => {
      using _ = await semaphore.acquire();
    };
    await Promise.all(Array.from({ length: 1_000 }, task));
    expect([unwrap(semaphore.tryAcquireMany(5)).permitCount, semaphore.tryAcquire().ok]).toEqual([5, false]);
  });

  it('has at most as many permits as a number can count', () => {
    const most = Number.MAX_SAFE_INTEGER;
    const semaphore = new Semaphore(0);
    semaphore.addPermits(most);
    expect(semaphore.availablePermits).toBe(most);
    expect(() => semaphore.addPermits(1)).toThrow(RangeError);
    const almost = new Semaphore(most - 1);
    almost.addPermits(1);
    expect(() => almost.addPermits(1)).toThrow(RangeError);
    expect(() => new Semaphore(most + 1)).toThrow(RangeError);
    expect(new Semaphore(most).availablePermits).toBe(most);
  });

  it('rejects its waiters when it is closed', async () => {
    const semaphore = new Semaphore(0);
    const waiting = rejection(semaphore.acquire());
    await turn();
    semaphore.close();
    expect(await waiting).toMatchObject(closed);
  });
});

describe('a read-write lock', () => {
  it('admits several readers', () => {
    const lock = new RwLock();
    expect([new Wait(lock.read()).poll(), new Wait(lock.read()).poll()]).not.toContain('pending');
  });

  it('excludes a writer while it is read, and all others while it is written', () => {
    const read = new RwLock();
    new Wait(read.read()).poll();
    expect(new Wait(read.write()).poll()).toBe('pending');
    const written = new RwLock();
    new Wait(written.write()).poll();
    expect([new Wait(written.read()).poll(), new Wait(written.write()).poll()]).toEqual(['pending', 'pending']);
  });

  it('makes a reader beyond the limit wait until one leaves', () => {
    const lock = new RwLock({ maxReaders: 100 });
    const guards = Array.from({ length: 100 }, () => unwrap(lock.tryRead()));
    const wait = new Wait(lock.read());
    expect(wait.poll()).toBe('pending');
    guards.pop()?.release();
    expect([wait.isWoken, wait.poll() === 'pending']).toEqual([true, false]);
  });

  it('throws for a limit without room for a reader', () => {
    expect(() => new RwLock({ maxReaders: 0 })).toThrow(RangeError);
  });

  it('wakes the writer when the last reader leaves', () => {
    const lock = new RwLock();
    const reader = unwrap(lock.tryRead());
    const writer = new Wait(lock.write());
    expect(writer.poll()).toBe('pending');
    reader.release();
    expect([writer.isWoken, writer.poll() === 'pending']).toEqual([true, false]);
  });

  it('queues readers behind a waiting writer, and admits them when the writer gives up', () => {
    const lock = new RwLock();
    const readers = [unwrap(lock.tryRead()), unwrap(lock.tryRead())];
    const writer = new Wait(lock.write());
    const late = new Wait(lock.read());
    expect([writer.poll(), late.poll()]).toEqual(['pending', 'pending']);
    writer.drop();
    expect([late.isWoken, late.poll() === 'pending', readers.length]).toEqual([true, false, 2]);
  });

  it('is read and written without contention', async () => {
    const lock = new RwLock();
    let value = 100;
    {
      using _ = await lock.read();
      expect(value).toBe(100);
    }
    using _ = await lock.write();
    value += 50;
    expect([value, lock.tryRead().ok]).toEqual([150, false]);
  });

  it('serves writers in the order in which they started to wait', async () => {
    const lock = new RwLock();
    const log: number[] = [];
    const [second, first] = [lock.write(), lock.write()];
    for (const [name, place] of [
      [1, first],
      [2, second],
    ] as const) {
      using _ = await place;
      log.push(name);
    }
    expect(log).toEqual([1, 2]);
  });

  it('keeps a sum correct that many tasks change across an await', async () => {
    const lock = new RwLock();
    const barrier = new Barrier(5);
    let sum = 0;
    const add = async (step: number): Promise<void> => {
      for (let i = 0; i < 100; i++) {
        using _ = await lock.write();
        const before = sum;
        await undefined;
        sum = before + step;
      }
      await barrier.wait();
    };
    void Promise.all([2, 3, 5, 7].map(add));
    await barrier.wait();
    using _ = await lock.read();
    expect(sum).toBe(1_700);
  });

  it('supports tries, for reading and for writing', () => {
    const lock = new RwLock();
    const readers = [unwrap(lock.tryRead()), unwrap(lock.tryRead())];
    expect(lock.tryWrite()).toEqual({ ok: false, why: 'locked' });
    for (const reader of readers) reader.release();
    const writer = unwrap(lock.tryWrite());
    expect([lock.tryRead().ok, lock.tryWrite().ok]).toEqual([false, false]);
    writer.release();
    expect(lock.tryRead().ok).toBe(true);
  });

  it('admits a waiting reader when its writer is downgraded, and not before', () => {
    const lock = new RwLock();
    const writer = unwrap(lock.tryWrite());
    const reader = new Wait(lock.read());
    expect(reader.poll()).toBe('pending');
    const downgraded = writer.downgrade();
    expect([reader.isWoken, reader.poll() === 'pending', lock.tryWrite().ok]).toEqual([true, false, false]);
    downgraded.release();
  });
});

describe('a barrier', () => {
  it('of zero or one blocks no task', () => {
    for (const count of [0, 1]) {
      const barrier = new Barrier(count);
      for (let i = 0; i < 3; i++) expect(new Wait(barrier.wait()).poll()).toEqual({ isLeader: true });
    }
  });

  it('of two releases both, and one of them is the leader', () => {
    const barrier = new Barrier(2);
    const first = new Wait(barrier.wait());
    expect(first.poll()).toBe('pending');
    const answers = [new Wait(barrier.wait()).poll(), first.poll()];
    expect(answers).toEqual([{ isLeader: true }, { isLeader: false }]);
  });

  it('of a hundred blocks 99, repeatedly', () => {
    const barrier = new Barrier(100);
    for (let round = 0; round < 10; round++) {
      const waits = Array.from({ length: 99 }, () => new Wait(barrier.wait()));
      for (let i = 0; i < 2; i++) for (const wait of waits) expect(wait.poll()).toBe('pending');
      const answers = [new Wait(barrier.wait()), ...waits].map((wait) => wait.poll());
      expect(answers.filter((answer) => answer !== 'pending' && answer.isLeader)).toHaveLength(1);
    }
  });
});

describe('a once cell', () => {
  it('is empty, then set, and never set again', () => {
    const cell = new OnceCell<number>();
    expect([cell.get(), cell.set(5), cell.get(), cell.set(6)]).toEqual([
      undefined,
      { ok: true },
      5,
      { ok: false, why: 'initialized' },
    ]);
    expect(OnceCell.from(2).get()).toBe(2);
  });

  it('drops its value when it is taken', () => {
    const [set, made] = [new OnceCell<object>(), OnceCell.from<object>({})];
    set.set({});
    for (const cell of [set, made])
      expect([cell.take(), cell.isInitialized, cell.get()]).toEqual([{}, false, undefined]);
  });

  it('is initialised by the first function, for all callers', async () => {
    const clock = new VirtualClock();
    const cell = new OnceCell<number>();
    const slow = async (): Promise<number> => {
      await sleep(1, { clock });
      return 10;
    };
    const fails = (): Promise<number> => Promise.reject(new Error('never called'));
    const all = Promise.all([cell.getOrInit(() => 5), cell.getOrInit(slow), cell.getOrInit(fails)]);
    expect(await clock.run(() => all)).toEqual([5, 5, 5]);
  });

  it('is initialised by the second function when the first one fails', async () => {
    const cell = new OnceCell<number>();
    const error = new Error('first');
    const first = rejection(cell.getOrInit(() => Promise.reject(error)));
    const second = cell.getOrInit(async () => 10);
    expect([await first, await second]).toEqual([error, 10]);
  });

  it('cannot be set while its value is made', async () => {
    const clock = new VirtualClock();
    const cell = new OnceCell<number>();
    const made = cell
      .getOrInit(async () => {
        await sleep(2, { clock });
        return 5;
      })
      .then((value) => value);
    await clock.advance(1);
    expect(cell.set(10)).toEqual({ ok: false, why: 'initializing' });
    await clock.advance(1);
    expect([await made, cell.set(10)]).toEqual([5, { ok: false, why: 'initialized' }]);
  });
});

describe('a notify', () => {
  it('keeps one notification for the next wait', () => {
    const notify = new Notify();
    notify.notifyOne();
    const [first, second] = [new Wait(notify.notified()), new Wait(notify.notified())];
    expect([first.poll(), second.poll()]).toEqual([undefined, 'pending']);
    notify.notifyOne();
    expect([second.isWoken, second.poll()]).toEqual([true, undefined]);
  });

  it('wakes its waiter', () => {
    const notify = new Notify();
    const wait = new Wait(notify.notified());
    expect(wait.poll()).toBe('pending');
    notify.notifyOne();
    expect([wait.isWoken, wait.poll()]).toEqual([true, undefined]);
  });

  it('wakes the first of several waiters, or the last one on request', () => {
    for (const [call, woken] of [
      ['notifyOne', [true, false]],
      ['notifyLast', [false, true]],
    ] as const) {
      const notify = new Notify();
      const waits = [new Wait(notify.notified()), new Wait(notify.notified())];
      for (const wait of waits) wait.poll();
      notify[call]();
      expect(waits.map(({ isWoken }) => isWoken)).toEqual(woken);
      expect(waits.map((wait) => wait.poll() === undefined)).toEqual(woken);
    }
  });

  it('wakes the next waiter when an earlier one has left', () => {
    const notify = new Notify();
    const [left, stays] = [new Wait(notify.notified()), new Wait(notify.notified())];
    left.poll();
    left.drop();
    stays.poll();
    notify.notifyOne();
    expect([stays.isWoken, stays.poll(), left.isWoken]).toEqual([true, undefined, false]);
  });

  it('passes the wake-up to the next waiter when the woken one leaves, in either order', () => {
    const first = new Notify();
    const unused = idle(first.notified());
    const waits = [new Wait(first.notified()), new Wait(first.notified())];
    for (const wait of waits) wait.poll();
    first.notifyOne();
    expect([unused.isWoken, ...waits.map((wait) => wait.poll())]).toEqual([true, undefined, 'pending']);

    const last = new Notify();
    const others = [new Wait(last.notified()), new Wait(last.notified())];
    for (const wait of others) wait.poll();
    const end = idle(last.notified());
    last.notifyLast();
    expect([end.isWoken, ...others.map((wait) => wait.poll())]).toEqual([true, 'pending', undefined]);
  });

  it('may be notified by the waiter that it wakes', () => {
    const notify = new Notify();
    let woken = 0;
    const wake = (): void => {
      woken++;
      notify.notifyWaiters();
    };
    const parked = waiter(wake);
    notify.notified()[source].park(parked);
    notify.notifyWaiters();
    expect(woken).toBe(1);
  });

  it('keeps a notification that comes after all waiters were woken', () => {
    const notify = new Notify();
    const all = new Wait(notify.notified());
    all.poll();
    const made = notify.notified();
    notify.notifyWaiters();
    notify.notifyOne();
    expect([all.poll(), new Wait(made).poll(), new Wait(notify.notified()).poll()]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    expect(new Wait(notify.notified()).poll()).toBe('pending');
  });

  it('reaches a wait that was created and not started, and one that was enabled', () => {
    const notify = new Notify();
    const made = notify.notified();
    notify.notifyOne();
    expect(new Wait(made).poll()).toBeUndefined();
    const enabled = notify.notified();
    expect(enabled.enable()).toBe(false);
    notify.notifyOne();
    expect([new Wait(enabled).poll(), enabled.enable()]).toEqual([undefined, true]);
  });

  it('finds an enabled wait pending until it is notified, in either order of the calls', () => {
    const notify = new Notify();
    const [one, two] = [notify.notified(), notify.notified()];
    expect([one.enable(), new Wait(one).poll()]).toEqual([false, 'pending']);
    expect([new Wait(two).poll(), two.enable()]).toEqual(['pending', false]);
  });

  it('gives its notification to the wait that is enabled first', () => {
    const notify = new Notify();
    notify.notifyOne();
    expect([notify.notified().enable(), notify.notified().enable()]).toEqual([true, false]);
  });

  it('wakes a second waiter of the same wait', () => {
    const notify = new Notify();
    const wait = notify.notified();
    const parked = idle(wait);
    const second = new Wait(wait);
    second.poll();
    notify.notifyOne();
    expect([parked.isWoken, second.isWoken, wait[source].poll() === PENDING]).toEqual([true, true, false]);
  });
});
