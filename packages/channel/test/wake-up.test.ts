// Calls inside a wake-up, and at the end of the stack, where cleanups run.
import { PENDING, type SourceProtocol, source } from '@quiesce/cancellation-token';
import { VirtualClock } from '@quiesce/cancellation-token/testing';
import {
  Barrier,
  channel,
  Mutex,
  Notify,
  OnceCell,
  RwLock,
  Semaphore,
  unboundedChannel,
  watch,
} from '@quiesce/channel';
import { describe, expect, it } from 'vitest';
import { now, park, runEventLoop, take } from './vocabulary.ts';

describe('inside a wake-up', () => {
  it('a value that arrives after the woken waiter has parked again wakes it again', () => {
    const [tx, rx] = unboundedChannel<number>();
    const got: unknown[] = [];
    let isFirst = true;
    const waiter = park(rx, (protocol) => {
      if (!isFirst) {
        got.push(protocol.poll());
        return;
      }
      isFirst = false;
      expect(rx.tryRecv()).toEqual({ ok: true, value: 1 });
      protocol.park(waiter);
      tx.send(2);
    });
    tx.send(1);
    expect(got).toEqual([2]);
  });

  it('permits that arrive after the woken waiter has parked again wake it again', () => {
    const semaphore = new Semaphore(0);
    const place = semaphore.acquireMany(2);
    let woken = 0;
    const waiter = park(place, (protocol) => {
      if (++woken > 1) return;
      protocol.park(waiter);
      semaphore.addPermits(1);
    });
    semaphore.addPermits(2);
    expect(woken).toBe(2);
    expect(take(place).permitCount).toBe(2);
  });

  it('5,000 watchers that send do not overflow the stack, and all see the latest value', async () => {
    const [tx, rx] = watch(0);
    const count = 5000;
    const seen = Array.from({ length: count }, () => {
      let hasSent = false;
      return rx.clone().waitFor((value) => {
        if (value > 0 && !hasSent) {
          hasSent = true;
          tx.send(value + 1);
        }
        return value > count;
      });
    });
    tx.send(1);
    await runEventLoop();
    expect(await now(Promise.all(seen))).toEqual(new Array(count).fill(count + 1));
  });

  it('closing the last sender ends waits that were woken before', async () => {
    const [tx, rx] = watch(0);
    const early = rx.clone().waitFor((value) => value > 5);
    const closing = rx.clone().waitFor((value) => {
      if (value === 1) tx.close();
      return value === 1;
    });
    tx.send(1);
    expect(await now(closing)).toBe(1);
    expect(await now(early)).toMatchObject({ error: { code: 'ERR_CLOSED' } });
  });
});

describe('waitFor', () => {
  it('never returns a value that its predicate refused, whatever marks it as not seen', async () => {
    const [tx, rx] = watch(0);
    const fromOutside = rx.waitFor((value) => value > 5);
    rx.markChanged();
    expect(await now(fromOutside)).toBe('pending');
    const other = rx.clone();
    const fromInside = other.waitFor((value) => {
      other.markChanged();
      return value > 5;
    });
    expect(await now(fromInside)).toBe('pending');
    tx.send(6);
    expect(await Promise.all([fromOutside, fromInside])).toEqual([6, 6]);
  });
});

describe('a value with a hostile then', () => {
  it('that closes the channel does not enter it after its end', () => {
    const [tx, rx] = unboundedChannel<object>();
    let end: unknown;
    const hostile = {
      // biome-ignore lint/suspicious/noThenProperty: that is the attack
      get then(): undefined {
        tx.close();
        end = rx.tryRecv();
        return undefined;
      },
    };
    expect(() => tx.send(hostile)).toThrow('this sender was closed');
    expect(end).toEqual({ ok: false, why: 'closed' });
    expect(rx.tryRecv()).toEqual({ ok: false, why: 'closed' });
  });
});

/** Calls `act` once, `position` frames before the end of the stack. */
function nearTheEnd(position: number, act: () => void): void {
  let frames = 0;
  const frame = (): void => {
    try {
      frame();
    } finally {
      if (++frames === position) act();
    }
  };
  expect(frame).toThrow(RangeError);
}

describe('near the end of the stack', () => {
  const positions = Array.from({ length: 60 }, (_, at) => at + 1);

  it('a release either passes the lock on or changes nothing', async () => {
    for (const position of positions) {
      const lock = new Mutex();
      const guard = await lock.acquire();
      const waiting = lock.acquire();
      const next = waiting.then((given) => given.release());
      nearTheEnd(position, () => guard.release());
      guard.release();
      await next;
      expect(lock.isLocked).toBe(false);
      expect(lock.tryAcquire().ok).toBe(true);
    }
  });

  it('permits are given back once, and never lost', async () => {
    for (const position of positions) {
      const semaphore = new Semaphore(2);
      const held = await semaphore.acquireMany(2);
      const waiting = [semaphore.acquire(), semaphore.acquire()].map((place) =>
        place.then((permit) => permit.release()),
      );
      nearTheEnd(position, () => held.release());
      held.release();
      await Promise.all(waiting);
      expect(semaphore.availablePermits).toBe(2);
    }
  });

  it('a read-write lock is passed on, or nothing changes', async () => {
    for (const position of positions) {
      const lock = new RwLock();
      const writer = await lock.write();
      const waiting = [lock.read(), lock.read(), lock.write()].map((place) => place.then((guard) => guard.release()));
      nearTheEnd(position, () => writer.release());
      writer.release();
      await Promise.all(waiting);
      expect(lock.tryWrite().ok).toBe(true);
    }
  });

  it('a notification reaches a waiter, or nothing changes', async () => {
    for (const position of positions) {
      const notify = new Notify();
      let woken = 0;
      // A waiter that leaves the notification to the next one.
      park(notify.notified());
      const waiting = [1, 2].map(() => notify.notified().then(() => woken++));
      let isGiven = false;
      nearTheEnd(position, () => {
        notify.notifyOne();
        isGiven = true;
      });
      await runEventLoop();
      expect(woken).toBe(isGiven ? 1 : 0);
      notify.notifyWaiters();
      await Promise.all(waiting);
    }
  });

  it('a barrier is passed by all, or by none', async () => {
    for (const position of positions) {
      const barrier = new Barrier(3);
      const waiting = [barrier.wait(), barrier.wait()].map((wait) => wait.then(() => 'passed'));
      const last = barrier.wait();
      nearTheEnd(position, () => take(last));
      take(last);
      expect(await Promise.all(waiting)).toEqual(['passed', 'passed']);
      expect(barrier.arrivedCount).toBe(0);
    }
  });

  it('room that a permit gives back is not lost', async () => {
    for (const position of positions) {
      const [tx, rx] = channel<number>(1);
      const permit = await tx.reserve();
      const sending = [tx.send(1), tx.send(2)];
      nearTheEnd(position, () => permit.release());
      permit.release();
      expect([await rx.recv(), await rx.recv()]).toEqual([1, 2]);
      await Promise.all(sending);
      expect(tx.capacity).toBe(1);
    }
  });
});

describe('between a poll and a park', () => {
  // A clock of the user may run any code when the time limit of a wait begins.
  const during = (act: () => void): VirtualClock => {
    const clock = new VirtualClock();
    const { setTimer } = clock;
    let isFirst = true;
    clock.setTimer = (...args) => {
      if (isFirst) act();
      isFirst = false;
      return setTimer.apply(clock, args);
    };
    return clock;
  };

  it('a notification, the end of a round, and a value are not missed', async () => {
    const notify = new Notify();
    const options = { timeout: 1_000, clock: during(() => notify.notifyOne()) };
    expect(await now(notify.notified(options).then(() => 'notified'))).toBe('notified');
    expect(
      await now(notify.notified({ ...options, clock: during(() => notify.notifyWaiters()) }).then(() => 'all')),
    ).toBe('all');

    const barrier = new Barrier(2);
    const other = barrier.wait();
    const passed = barrier.wait({ timeout: 1_000, clock: during(() => void park(other)) });
    expect(await now(passed)).toEqual({ isLeader: true });

    const cell = new OnceCell<number>();
    const made = cell.getOrInit(() => 1, { timeout: 1_000, clock: during(() => void cell.set(2)) });
    expect(await now(made)).toBe(2);

    const lock = new RwLock();
    const held = take(lock.read());
    const written = lock.write({ timeout: 1_000, clock: during(() => held.release()) }).then(() => 'written');
    expect(await now(written)).toBe('written');
  });

  it('a waiter that parks again without a poll is woken once', () => {
    const notify = new Notify();
    const barrier = new Barrier(1);
    const cell = new OnceCell<number>();
    const waits = [notify.notified(), barrier.wait(), cell.getOrInit(() => 1)];
    notify.notifyOne();
    cell.set(1);
    for (const wait of waits) {
      let woken = 0;
      const protocol = wait[source] as SourceProtocol<unknown>;
      const wake = (): void => {
        woken++;
        protocol.park(waiter);
      };
      const waiter = { next: undefined, prev: undefined, owner: undefined, wake };
      protocol.park(waiter);
      expect([woken, protocol.poll() === PENDING]).toEqual([1, false]);
    }
  });
});
