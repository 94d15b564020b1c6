import { runInNewContext } from 'node:vm';
import {
  CancellationToken,
  isCancellation,
  PENDING,
  type Source,
  source,
  type Waiter,
  wait,
} from '@quiesce/cancellation-token';
import { untilCancelled } from '@quiesce/cancellation-token/internal';
import { describe, expect, it, vi } from 'vitest';

interface Deferred<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (error: unknown) => void;
}

function deferred<T>(): Deferred<T> {
  let resolve!: (value: T) => void;
  let reject!: (error: unknown) => void;
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}

describe('runUntilCancelled with a promise', () => {
  it('gives the value, or the reason', async () => {
    const token = new CancellationToken();
    expect(await token.runUntilCancelled(Promise.resolve(1))).toEqual({ status: 'fulfilled', value: 1 });
    const running = token.runUntilCancelled(new Promise(() => {}));
    token.cancel('stop');
    expect(await running).toEqual({ status: 'cancelled', reason: 'stop' });
    expect(await token.runUntilCancelled(Promise.resolve(1))).toEqual({ status: 'cancelled', reason: 'stop' });
  });

  it('lets work win that had settled before, or settles in the same synchronous run as cancel', async () => {
    for (const order of ['before', 'after'] as const) {
      const token = new CancellationToken();
      const work = deferred<string>();
      const running = token.runUntilCancelled(work.promise);
      if (order === 'before') work.resolve('done');
      token.cancel();
      if (order === 'after') work.resolve('done');
      expect(await running).toEqual({ status: 'fulfilled', value: 'done' });
    }
  });

  it('rejects with the error of the work; a rejection that comes too late is handled', async () => {
    const token = new CancellationToken();
    await expect(token.runUntilCancelled(Promise.reject(new Error('disk')))).rejects.toThrow('disk');
    const late = deferred<never>();
    const running = token.runUntilCancelled(late.promise);
    token.cancel('stop');
    expect(await running).toEqual({ status: 'cancelled', reason: 'stop' });
    late.reject(new Error('too late'));
  });

  it('leaves no waiter on the token', async () => {
    const token = new CancellationToken();
    await token.runUntilCancelled(Promise.resolve(1));
    await token.runUntilCancelled(Promise.reject(new Error('x'))).catch(() => {});
    expect(Reflect.get(token, 'head')).toBeUndefined();
  });
});

describe('runUntilCancelled with a function', () => {
  it('does not start it when the token is already cancelled', async () => {
    const work = vi.fn();
    const token = CancellationToken.alreadyCancelled('before');
    expect(await token.runUntilCancelled(work)).toEqual({ status: 'cancelled', reason: 'before' });
    expect(work).not.toHaveBeenCalled();
  });

  it('cancels and awaits it, and takes its value if it still returns one', async () => {
    const token = new CancellationToken();
    const log: string[] = [];
    const obeys = token.runUntilCancelled(async (own) => {
      await own.cancelled();
      log.push('cleaned up');
      own.throwIfCancelled();
    });
    const finishes = token.runUntilCancelled(async (own) => {
      await own.cancelled();
      return 'value';
    });
    token.cancel('stop');
    expect(await obeys).toEqual({ status: 'cancelled', reason: 'stop' });
    expect(log).toEqual(['cleaned up']);
    expect(await finishes).toEqual({ status: 'fulfilled', value: 'value' });
  });

  it('rejects with an error of its own, even one that only looks like a cancellation', async () => {
    const token = new CancellationToken();
    const foreign = new DOMException('not ours', 'AbortError');
    const error = await token.runUntilCancelled(() => Promise.reject(foreign)).catch((caught: unknown) => caught);
    expect(error).toBe(foreign);
    expect(isCancellation(error)).toBe(true);
    const fails = token.runUntilCancelled(async (own) => {
      await own.cancelled();
      throw new Error('cleanup');
    });
    token.cancel();
    await expect(fails).rejects.toThrow('cleanup');
  });
});

describe('untilCancelled', () => {
  function scripted(): {
    work: Source<number>;
    complete: (value: number) => void;
    polls: () => number;
    parked: () => number;
  } {
    let value: number | typeof PENDING = PENDING;
    let polls = 0;
    const waiters = new Set<Waiter>();
    return {
      work: {
        [source]: {
          poll: () => {
            polls++;
            return value;
          },
          park: (waiter: Waiter) => void waiters.add(waiter),
          unpark: (waiter: Waiter) => void waiters.delete(waiter),
        },
      },
      complete: (given) => {
        value = given;
        const woken = [...waiters];
        waiters.clear();
        for (const waiter of woken) waiter.wake();
      },
      polls: () => polls,
      parked: () => waiters.size,
    };
  }

  it('polls the token first at its first poll, and does not poll the work if that is cancelled', () => {
    const { work, polls } = scripted();
    const until = untilCancelled(CancellationToken.alreadyCancelled('before'), work);
    expect(until[source].poll()).toEqual({ status: 'cancelled', reason: 'before' });
    expect(polls()).toBe(0);
  });

  it('polls the work first at every later poll, so that the value wins a tie', () => {
    const token = new CancellationToken();
    const { work, complete } = scripted();
    const until = untilCancelled(token, work);
    expect(until[source].poll()).toBe(PENDING);
    token.cancel();
    complete(7);
    expect(until[source].poll()).toEqual({ status: 'fulfilled', value: 7 });
  });

  it('is parked on both only while a waiter is parked on it, and wakes for either', async () => {
    for (const end of ['work', 'token'] as const) {
      const token = new CancellationToken();
      const { work, complete, parked } = scripted();
      const waiting = wait(untilCancelled(token, work));
      expect([parked(), Reflect.get(token, 'head') !== undefined]).toEqual([1, true]);
      if (end === 'work') complete(1);
      else token.cancel('stop');
      expect(await waiting).toEqual(
        end === 'work' ? { status: 'fulfilled', value: 1 } : { status: 'cancelled', reason: 'stop' },
      );
      expect([parked(), Reflect.get(token, 'head') !== undefined]).toEqual([0, false]);
    }
  });
});

describe('a loop over runUntilCancelled lets timers fire', () => {
  it.each<[string, () => Promise<unknown> | (() => unknown)]>([
    ['a promise that is settled', () => Promise.resolve()],
    ['a function that returns at once', () => () => {}],
    ['an async function', () => async () => {}],
  ])('with %s', async (_, work) => {
    const token = new CancellationToken();
    let isFired = false;
    setTimeout(() => {
      isFired = true;
    }, 0);
    let calls = 0;
    for (; !isFired && calls < 1e6; calls++) await token.runUntilCancelled(work() as Promise<unknown>);
    expect(isFired).toBe(true);
  });

  it('after 10 ms of CPU-bound work', async () => {
    const token = new CancellationToken();
    let now = 1e9;
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => now);
    let isFired = false;
    setImmediate(() => {
      isFired = true;
    });
    const compute = async (): Promise<void> => {
      now += 5;
    };
    let calls = 0;
    for (; !isFired && calls < 100; calls++) await token.runUntilCancelled(compute);
    clock.mockRestore();
    expect([isFired, calls < 10]).toEqual([true, true]);
  });
});

describe('a promise of another realm', () => {
  it('is handled when it rejects too late', async () => {
    const foreign: Promise<never> = runInNewContext('Promise.reject(new Error("too late"))');
    const { unhandled, stop } = unhandledRejections();
    const token = CancellationToken.alreadyCancelled('stop');
    expect(await token.runUntilCancelled(foreign)).toEqual({ status: 'cancelled', reason: 'stop' });
    await new Promise((resolve) => setImmediate(resolve));
    stop();
    expect(unhandled).toEqual([]);
  });
});

function unhandledRejections(): { readonly unhandled: unknown[]; readonly stop: () => void } {
  const unhandled: unknown[] = [];
  const note = (error: unknown): void => void unhandled.push(error);
  process.on('unhandledRejection', note);
  return { unhandled, stop: () => process.off('unhandledRejection', note) };
}
