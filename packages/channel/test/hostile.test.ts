// Misuse and haste: the wrong call is refused, and nothing is lost.
import { CancellationToken, PENDING, source } from '@quiesce/cancellation-token';
import { VirtualClock } from '@quiesce/cancellation-token/testing';
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
import { describe, expect, it } from 'vitest';
import { expectEmpty, expectValues, rejection, runEventLoop, take, unwrap, waiter } from './vocabulary.ts';

describe('a method that is called without its handle', () => {
  it.each([
    [() => new Notify().notifyOne, 'notifyOne was called without its notify, on undefined'],
    [() => new Notify().notified().enable, 'enable was called without its notified, on undefined'],
    [() => new RwLock().read, 'read was called without its lock, on undefined'],
    [() => unwrap(new RwLock().tryWrite()).release, 'release was called without its guard, on undefined'],
    [() => new Barrier(1).wait, 'wait was called without its barrier, on undefined'],
    [() => new OnceCell<number>().getOrInit, 'getOrInit was called without its cell, on undefined'],
  ] as [() => () => unknown, string][])('%#', (method, text) => {
    const detached = method();
    expect(() => detached()).toThrow(text);
  });
});

const thenable = Object.defineProperty({}, 'then', { value: () => {} }) as never;

describe('a call is refused with', () => {
  it('an invalid capacity', () => {
    for (const capacity of [
      0,
      -1,
      1.5,
      Number.NaN,
      Number.POSITIVE_INFINITY,
      2 ** 53,
      '1' as never,
      undefined as never,
    ]) {
      expect(() => channel(capacity)).toThrow(typeof capacity === 'number' ? RangeError : TypeError);
    }
  });

  it.each([
    ['a thenable', thenable],
    ['PENDING', PENDING as never],
  ])('%s as a value, wherever it is sent, and nothing has happened', async (_, value) => {
    const [tx, rx] = channel<object>(1);
    expect(await rejection(tx.send(value))).toBeInstanceOf(TypeError);
    expect(await rejection(tx.send(value, { signal: new CancellationToken() }))).toBeInstanceOf(TypeError);
    expect(() => tx.trySend(value)).toThrow(TypeError);
    expect(() => unboundedChannel<object>()[0].send(value)).toThrow(TypeError);
    expect(() => oneshot<object>()[0].send(value)).toThrow(TypeError);
    expect(() => (watch as (value: unknown) => unknown)(value)).toThrow(TypeError);
    const [out] = watch<object>({});
    for (const act of [() => out.send(value), () => out.sendReplace(value), () => out.sendModify(() => value)]) {
      expect(act).toThrow(TypeError);
    }
    expectEmpty(rx);
    expect(tx.capacity).toBe(1);
  });

  it('a sender that was closed', async () => {
    const [tx, rx] = channel<string>(1);
    const other = tx.clone();
    tx.close();
    expect(await rejection(tx.send('a'))).toMatchObject({ code: 'ERR_CLOSED' });
    for (const act of [
      () => tx.trySend('a'),
      () => tx.reserve(),
      () => tx.tryReserve(),
      () => tx.clone(),
      () => tx.downgrade(),
    ]) {
      expect(act).toThrow(expect.objectContaining({ code: 'ERR_CLOSED' }));
    }
    await other.send('b');
    expectValues(rx, 'b');
    const [unbounded] = unboundedChannel<string>();
    unbounded.close();
    for (const act of [() => unbounded.send('a'), () => unbounded.clone(), () => unbounded.downgrade()]) {
      expect(act).toThrow(expect.objectContaining({ code: 'ERR_CLOSED' }));
    }
  });

  it('invalid options, before anything is taken', async () => {
    const [tx, rx] = channel<string>(2);
    await tx.send('a');
    expect(await rejection(tx.send('b', { timeout: -1 }))).toBeInstanceOf(RangeError);
    expect(await rejection(tx.send('b', { signal: 1 as never }))).toBeInstanceOf(TypeError);
    expect(() => tx.reserve({ timeout: Number.NaN })).toThrow(RangeError);
    expect(await rejection(rx.recvMany(1, { timeout: -1 }))).toBeInstanceOf(RangeError);
    expectValues(rx, 'a');
    expect(tx.capacity).toBe(2);
  });

  it('options that throw when they are read', async () => {
    const [tx, rx] = channel<string>(1);
    const options = {
      get signal(): never {
        throw new Error('read');
      },
    };
    expect(await rejection(tx.send('a', options))).toEqual(new Error('read'));
    expect(await rejection(rx.recv(options))).toEqual(new Error('read'));
    expect(() => new Mutex().acquire(options)).toThrow('read');
  });
});

describe('every value that a channel can carry', () => {
  const values = [undefined, null, 0, '', Number.NaN, Symbol('any'), [], () => 1, new Error('a value'), { done: true }];
  it('is received unchanged, in every way', async () => {
    for (const value of values) {
      const [tx, rx] = channel<never>(1);
      await tx.send(value as never);
      expect(await rx.recv()).toBe(value);
      const waiting = rx.recv();
      await tx.send(value as never);
      expect(await waiting).toBe(value);
      await tx.send(value as never);
      expect(await rx.recvMany(1)).toEqual([value]);
      (await tx.reserve()).send(value as never);
      for await (const received of rx) {
        expect(received).toBe(value);
        break;
      }
    }
  });

  it('can be an object whose `then` throws when it is read: the sender gets the error', async () => {
    const [tx, rx] = channel<object>(1);
    const value = Object.defineProperty({}, 'then', {
      get: () => {
        throw new Error('then was read');
      },
    });
    expect(await rejection(tx.send(value))).toEqual(new Error('then was read'));
    expect(tx.capacity).toBe(1);
    expectEmpty(rx);
  });
});

describe('inside a wake-up', () => {
  it('closing the receiver ends all waits on it', async () => {
    const [tx, rx] = channel<number>(2);
    const protocol = rx[source];
    protocol.park(waiter(() => rx.dispose()));
    const others = [rejection(rx.recv()), rejection(rx.recv())];
    expect(tx.trySend(1)).toEqual({ ok: true });
    for (const error of await Promise.all(others)) expect(error).toMatchObject({ code: 'ERR_CLOSED' });
    expect(tx.isClosed).toBe(true);
  });

  it('more values go to the end of the queue, and every receive gets its own', async () => {
    const [tx, rx] = unboundedChannel<number>();
    rx[source].park(waiter(() => tx.send(2)));
    const receives = [rx.recv(), rx.recv()];
    tx.send(1);
    expect(await Promise.all(receives)).toEqual([1, 2]);
  });

  it('closing the semaphore fails later waiters, and loses no permit', async () => {
    const semaphore = new Semaphore(1);
    const held = take(semaphore.acquire());
    const place = semaphore.acquire();
    place[source].park(waiter(() => semaphore.close()));
    const later = rejection(semaphore.acquire());
    await runEventLoop();
    held.release();
    expect(await later).toMatchObject({ code: 'ERR_CLOSED' });
    expect(semaphore.availablePermits).toBe(1);
  });

  it('forgetting the permits leaves nothing to take, and the woken waiter keeps waiting', async () => {
    const semaphore = new Semaphore(1);
    const held = take(semaphore.acquire());
    const place = semaphore.acquire();
    place[source].park(waiter(() => semaphore.forgetPermits(1)));
    const later = semaphore.acquire().then((permit) => permit.permitCount);
    await runEventLoop();
    held.release();
    await runEventLoop();
    semaphore.addPermits(1);
    expect(await later).toBe(1);
  });

  it('the wake-up of the first waiter can cancel the next one', async () => {
    const [tx, rx] = channel<string>(1);
    const permit = take(tx.reserve());
    const token = new CancellationToken();
    const place = tx.reserve();
    place[source].park(waiter(() => token.cancel('no')));
    const next = rejection(tx.send('a', { signal: token }));
    const last = tx.send('b');
    permit.release();
    expect(await next).toBe('no');
    await last;
    expectValues(rx, 'b');
    expect(tx.capacity).toBe(1);
  });
});

describe('waiters', () => {
  it('that are unparked twice, or from the wrong source, change nothing', async () => {
    const [tx, rx] = channel<string>(1);
    const [mine, stranger] = [waiter(), waiter()];
    rx[source].park(mine);
    rx[source].unpark(stranger);
    rx[source].unpark(mine);
    rx[source].unpark(mine);
    await tx.send('a');
    expectValues(rx, 'a');
  });

  it('that are parked on one source are refused by another', () => {
    const [, rx] = channel<string>(1);
    const mine = waiter();
    rx[source].park(mine);
    expect(() => channel<string>(1)[1][source].park(mine)).toThrow(TypeError);
    rx[source].unpark(mine);
    expect(mine.owner).toBeUndefined();
  });
});

it('a release by two owners of one permit counts once', () => {
  const semaphore = new Semaphore(1);
  const permit = take(semaphore.acquire());
  permit.release();
  permit.release();
  permit[Symbol.dispose]();
  expect(semaphore.availablePermits).toBe(1);
});

describe('a cancellation that frees the lock of cancelled waits', () => {
  it('gives it to none of them, and to a waiter that is not cancelled', async () => {
    const lock = new Mutex();
    const guard = take(lock.acquire());
    const token = new CancellationToken();
    // Runs when all are cancelled, and before the waits are woken.
    token.onCancelled(() => guard.release());
    const cancelled = [1, 2, 3].map(() => rejection(lock.acquire({ signal: token })));
    const other = lock.acquire();
    const got = other.then((mine) => mine);
    await runEventLoop();
    token.cancel('stop');
    expect(await Promise.all(cancelled)).toEqual(['stop', 'stop', 'stop']);
    expect(await got).toBe(await other);
  });

  it('reaches a hundred thousand waiters at a cost proportional to their number', async () => {
    const [tx, rx] = channel<number>(1);
    await tx.send(0);
    const token = new CancellationToken();
    let polls = 0;
    // A cost that grew with the square would be 10,000,000,000 steps.
    const count = 100_000;
    const sends = Array.from({ length: count }, (_, value) => tx.send(value, { signal: token }));
    const place = tx.reserve();
    place[source].park(waiter(() => polls++));
    const failed = Promise.allSettled(sends);
    token.cancel('all');
    const outcomes = await failed;
    expect(outcomes.every((outcome) => outcome.status === 'rejected' && outcome.reason === 'all')).toBe(true);
    expect(polls).toBe(0);
    expectValues(rx, 0);
    expect(polls).toBe(1);
  });
});

it('known limit: a lock that lost in Promise.race is still taken when it is free', async () => {
  const lock = new Mutex();
  const guard = take(lock.acquire());
  const place = lock.acquire();
  expect(await Promise.race([place, Promise.resolve('other')])).toBe('other');
  guard.release();
  await runEventLoop();
  expect(lock.isLocked).toBe(true);
  // Code that still has the wait can release the lock.
  (await place).release();
  expect(lock.isLocked).toBe(false);
});

it('the deadline of a signal gives up a receive, which has consumed nothing', async () => {
  const clock = new VirtualClock();
  const [tx, rx] = channel<string>(1);
  const token = new CancellationToken().withTimeout(5, { clock });
  const waiting = rejection(rx.recv({ signal: token }));
  await clock.advance(5);
  expect(await waiting).toMatchObject({ code: 'ERR_TIMEOUT', ms: 5 });
  await tx.send('later');
  expectValues(rx, 'later');
  expect(await rejection(rx.recv({ signal: token }))).toMatchObject({ code: 'ERR_TIMEOUT', ms: 5 });
});
