// The wake-ups of reservations and permits: none is lost, and one that is not used is passed on.
import { CancellationToken, PENDING, source, type Waiter } from '@quiesce/cancellation-token';
import { channel, Mutex, oneshot, Semaphore, watch } from '@quiesce/channel';
import { select } from '@quiesce/select';
import { describe, expect, it } from 'vitest';
import {
  expectValues,
  isPending,
  now,
  park,
  rejection,
  runEventLoop,
  take,
  unpark,
  unwrap,
  waiter,
} from './vocabulary.ts';

/** A semaphore whose only permit is out, and that permit. */
function taken() {
  const semaphore = new Semaphore(1);
  return { semaphore, held: take(semaphore.acquire()) };
}

describe('a wake-up', () => {
  it('holds nothing: a waiter that is woken and does not poll leaves the permit to the next one', () => {
    const { semaphore, held } = taken();
    const woken: string[] = [];
    park(semaphore.acquire(), () => woken.push('first'));
    const second = semaphore.acquire();
    park(second, () => woken.push('second') && take(second));
    held.release();
    expect(woken).toEqual(['first', 'second']);
    expect(semaphore.availablePermits).toBe(0);
  });

  it('that no waiter uses leaves the permit free', () => {
    const { semaphore, held } = taken();
    for (let i = 0; i < 3; i++) park(semaphore.acquire());
    held.release();
    expect(semaphore.availablePermits).toBe(1);
    expect(unwrap(semaphore.tryAcquire()).permitCount).toBe(1);
  });

  it('can be followed by an unpark, as from a select that settles, without a loss', () => {
    const { semaphore, held } = taken();
    const first = semaphore.acquire();
    const parked: Waiter = park(first, () => unpark(first, parked));
    const second = semaphore.acquire();
    park(second, () => take(second));
    held.release();
    unpark(first, parked);
    expect(semaphore.availablePermits).toBe(0);
  });

  it('reaches the next waiter when the select that it woke took another branch', async () => {
    const { semaphore, held } = taken();
    const other = new CancellationToken();
    const first = select.biased({ other, permit: semaphore.acquire() });
    const second = semaphore.acquire().then((permit) => permit.permitCount);
    await runEventLoop();
    // The same step: the token wakes the select, and then the permit does, when the select has already settled.
    other.cancel();
    held.release();
    expect((await first).branch).toBe('other');
    expect(await second).toBe(1);
  });

  it('reaches the next waiter when an earlier branch became ready in the same step', async () => {
    const { semaphore, held } = taken();
    const [tx, rx] = channel<string>(1);
    const first = select.biased({ rx, permit: semaphore.acquire() });
    const second = semaphore.acquire().then((permit) => permit.permitCount);
    await runEventLoop();
    void tx.send('value');
    held.release();
    expect(await first).toEqual({ branch: 'rx', value: 'value' });
    expect(await second).toBe(1);
  });
});

describe('a waiter that parks again instead of taking', () => {
  it('keeps no other waiter asleep, and is woken once', () => {
    const { semaphore, held } = taken();
    const stubborn = semaphore.acquire();
    let woken = 0;
    const parked: Waiter = park(stubborn, (protocol) => {
      woken++;
      protocol.park(parked);
    });
    const next = semaphore.acquire();
    park(next, () => take(next));
    held.release();
    expect(woken).toBe(1);
    expect(semaphore.availablePermits).toBe(0);
    expect(parked.owner).toBeDefined();
  });

  it('is woken once even when there are several of them', () => {
    const { semaphore, held } = taken();
    const woken: number[] = [];
    for (const name of [1, 2, 3]) {
      const place = semaphore.acquire();
      const parked: Waiter = park(place, (protocol) => {
        woken.push(name);
        protocol.park(parked);
      });
    }
    held.release();
    expect(woken).toEqual([1, 2, 3]);
  });

  it('finds its permit when it polls later, as it is first in the queue', () => {
    const semaphore = new Semaphore(2);
    const held = take(semaphore.acquireMany(2));
    const place = semaphore.acquire();
    const parked: Waiter = park(place, (protocol) => protocol.park(parked));
    held.release();
    // Woken, and still in the queue: a new acquire does not overtake it.
    expect(semaphore.tryAcquire()).toEqual({ ok: false, why: 'no-permits' });
    expect(take(place).permitCount).toBe(1);
    // And it is no longer in the queue.
    expect(semaphore.availablePermits).toBe(1);
  });

  it('is woken for the answer when another waiter has polled the same acquire', () => {
    const { semaphore, held } = taken();
    const place = semaphore.acquire();
    const woken: string[] = [];
    for (const name of ['a', 'b']) {
      const parked: Waiter = park(place, (protocol) => {
        woken.push(name);
        protocol.park(parked);
      });
    }
    held.release();
    take(place);
    expect(woken).toEqual(['a', 'b', 'a', 'b']);
  });

  it('is woken for the end when another waiter has taken the last value', () => {
    const [tx, rx] = channel<number>(1);
    let woken = 0;
    const parked: Waiter = park(rx, (protocol) => {
      woken++;
      protocol.park(parked);
    });
    void tx.send(1);
    tx.close();
    const before = woken;
    expect(take(rx)).toBe(1);
    expect(woken).toBe(before + 1);
  });

  it('keeps no later waiter asleep, in any way', async () => {
    const { semaphore, held } = taken();
    const place = semaphore.acquire();
    const parked: Waiter = park(place, (protocol) => protocol.park(parked));
    held.release();
    const later = await semaphore.acquire();
    expect([later.permitCount, parked.owner === undefined]).toEqual([1, false]);

    const [tx, rx] = channel<string>(1);
    const room = tx.reserve();
    const permit = take(tx.reserve());
    const stubborn: Waiter = park(room, (protocol) => protocol.park(stubborn));
    permit.release();
    await tx.send('by the fast way');
    expectValues(rx, 'by the fast way');
    await tx.send('by the other', { signal: new CancellationToken() });
    expectValues(rx, 'by the other');
  });

  it('keeps no later receive asleep, in any way', async () => {
    const [tx, rx] = channel<number>(4);
    const parked: Waiter = park(rx, (protocol) => protocol.park(parked));
    for (const value of [1, 2, 3, 4]) await tx.send(value);
    expect(await rx.recv()).toBe(1);
    expect(await rx.recvMany(1)).toEqual([2]);
    expect((await select({ rx })).value).toBe(3);
    for await (const value of rx) {
      expect(value).toBe(4);
      break;
    }
  });

  it('lets later waiters continue when it leaves', () => {
    const { semaphore, held } = taken();
    const place = semaphore.acquire();
    const parked: Waiter = park(place, (protocol) => protocol.park(parked));
    held.release();
    // Wants more than there is until the first has left.
    const later = semaphore.acquireMany(2);
    const last = semaphore.acquire();
    const leaving = park(later);
    park(last, () => {});
    unpark(place, parked);
    expect(isPending(last)).toBe(true);
    unpark(later, leaving);
    expect(take(last).permitCount).toBe(1);
  });
});

describe('one acquire', () => {
  it('has one permit, the same for all its waits', async () => {
    const { semaphore, held } = taken();
    const place = semaphore.acquire();
    const [first, second] = [place.then((permit) => permit), place.then((permit) => permit)];
    await runEventLoop();
    held.release();
    expect(await first).toBe(await second);
    expect(await place).toBe(await first);
    expect(semaphore.availablePermits).toBe(0);
  });

  it('is given up when its last wait leaves, and not before', () => {
    const { semaphore, held } = taken();
    const place = semaphore.acquire();
    const [a, b] = [park(place), park(place, () => take(place))];
    const later = semaphore.acquire();
    park(later, () => take(later));
    unpark(place, a);
    held.release();
    expect(b.owner).toBeUndefined();
    expect(take(place).permitCount).toBe(1);
    expect(isPending(later)).toBe(true);
  });

  it('joins the end of the queue when something waits on it again', () => {
    const { semaphore, held } = taken();
    const place = semaphore.acquire();
    unpark(place, park(place));
    const other = semaphore.acquire();
    park(other, () => take(other));
    park(place, () => take(place));
    held.release();
    expect(take(other).permitCount).toBe(1);
    expect(isPending(place)).toBe(true);
    take(other).release();
    expect(take(place).permitCount).toBe(1);
  });

  it('costs nothing while nothing waits for it', () => {
    const semaphore = new Semaphore(1);
    for (let i = 0; i < 3; i++) semaphore.acquire();
    expect(semaphore.availablePermits).toBe(1);
  });

  it('refuses a waiter that is parked elsewhere', () => {
    const { semaphore } = taken();
    const parked = park(semaphore.acquire());
    expect(() => semaphore.acquire()[source].park(parked)).toThrow(TypeError);
    expect(parked.owner).toBeDefined();
  });

  it('is not affected when a waiter that is not parked here is unparked', () => {
    const { semaphore } = taken();
    expect(() => unpark(semaphore.acquire(), waiter())).not.toThrow();
  });
});

describe('nothing overtakes:', () => {
  it('a poll of a later acquire finds nothing', () => {
    const { semaphore, held } = taken();
    const [first, second] = [semaphore.acquire(), semaphore.acquire()];
    park(first, () => {
      // It is being woken: no other acquire gets the permit, not even one that polls now.
      expect(isPending(second)).toBe(true);
      expect(semaphore.tryAcquire()).toEqual({ ok: false, why: 'no-permits' });
      take(first);
    });
    park(second);
    held.release();
    expect(semaphore.availablePermits).toBe(0);
  });

  it('an acquire that has its permits delays no other one, even inside its wake-up', () => {
    const semaphore = new Semaphore(2);
    const held = take(semaphore.acquireMany(2));
    const place = semaphore.acquire();
    let second: unknown;
    park(place, () => {
      take(place);
      second = unwrap(semaphore.tryAcquire()).permitCount;
    });
    held.release();
    expect(second).toBe(1);
  });

  it('acquires of few permits wait behind an acquire of many', async () => {
    const semaphore = new Semaphore(3);
    const held = take(semaphore.acquireMany(2));
    const order: string[] = [];
    const big = semaphore.acquireMany(3).then((permit) => {
      order.push('big');
      permit.release();
    });
    const small = semaphore.acquire().then(() => order.push('small'));
    await runEventLoop();
    expect([semaphore.availablePermits, semaphore.tryAcquire().ok]).toEqual([0, false]);
    held.release();
    await Promise.all([big, small]);
    expect(order).toEqual(['big', 'small']);
  });

  it('when the acquire of many gives up, later ones continue at once', async () => {
    const semaphore = new Semaphore(1);
    const token = new CancellationToken();
    const big = semaphore.acquireMany(2, { signal: token });
    const failed = rejection(big);
    const small = semaphore.acquire().then((permit) => permit.permitCount);
    expect(await now(small)).toBe('pending');
    token.cancel('too much');
    expect(await failed).toBe('too much');
    expect(await small).toBe(1);
  });

  it('one release serves all for which it suffices, in order', async () => {
    const semaphore = new Semaphore(0);
    const order: number[] = [];
    const all = [1, 2, 2, 1].map((count, index) => semaphore.acquireMany(count).then(() => order.push(index)));
    await runEventLoop();
    semaphore.addPermits(5);
    await runEventLoop();
    expect(order).toEqual([0, 1, 2]);
    expect(semaphore.availablePermits).toBe(0);
    semaphore.addPermits(1);
    await Promise.all(all);
  });
});

describe('reentrancy', () => {
  it('a release inside a wake-up reaches the next waiter, without a deep stack', () => {
    const lock = new Mutex();
    const guard = take(lock.acquire());
    let count = 0;
    for (let i = 0; i < 100_000; i++) {
      const place = lock.acquire();
      const wake = (): void => {
        count++;
        const mine = place[source].poll();
        if (mine !== PENDING) mine.release();
      };
      place[source].park(waiter(wake));
    }
    guard.release();
    expect([count, lock.isLocked]).toEqual([100_000, false]);
  });

  it('a waiter that throws keeps no other waiter asleep, and its error is reported', async () => {
    const { semaphore, held } = taken();
    const uncaught: unknown[] = [];
    const listener = (error: unknown): void => void uncaught.push(error);
    process.prependOnceListener('uncaughtException', listener);
    const others = process.listeners('uncaughtException').filter((other) => other !== listener);
    for (const other of others) process.off('uncaughtException', other);
    try {
      park(semaphore.acquire(), () => {
        throw new Error('a wake-up that fails');
      });
      const next = semaphore.acquire();
      park(next, () => take(next));
      held.release();
      expect(semaphore.availablePermits).toBe(0);
      await runEventLoop();
    } finally {
      for (const other of others) process.on('uncaughtException', other);
      process.off('uncaughtException', listener);
    }
    expect(uncaught).toEqual([new Error('a wake-up that fails')]);
  });

  it('a select that is woken while it is polled polls again and finds the room', async () => {
    const [tx, rx] = channel<string>(1);
    await tx.send('full');
    // A branch that makes room while the select polls it.
    const meddler = {
      [source]: {
        poll: (): typeof PENDING => {
          if (rx.length === 1) expectValues(rx, 'full');
          return PENDING;
        },
        park: (): void => {},
        unpark: (): void => {},
      },
    };
    const outcome = await select.biased({ room: tx.reserve(), meddler });
    if (outcome.branch === 'room') outcome.value.send('sent');
    expectValues(rx, 'sent');
  });
});

it('sources with one answer are marked for loops that take it once, and streams are not', () => {
  const [tx, rx] = channel<number>(1);
  const [, answer] = oneshot<number>();
  const options = { signal: new CancellationToken() };
  const single = [tx.reserve(), tx.reserve(options), tx.closed(), new Mutex().acquire(options), answer];
  expect(single.map((from) => from[source].once)).toEqual(single.map(() => true));
  expect([rx[source].once, watch(0)[1][source].once]).toEqual([undefined, undefined]);
});
