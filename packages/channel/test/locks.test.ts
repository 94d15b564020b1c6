import { CancellationToken, TimeoutError } from '@quiesce/cancellation-token';
import { VirtualClock } from '@quiesce/cancellation-token/testing';
import { Mutex, Semaphore } from '@quiesce/channel';
import { scope } from '@quiesce/scope';
import { select } from '@quiesce/select';
import { describe, expect, it } from 'vitest';
import { now, rejection, runEventLoop, take, unwrap } from './vocabulary.ts';

describe('a semaphore', () => {
  it('admits as many holders as it has permits', async () => {
    const semaphore = new Semaphore(2);
    let [running, most] = [0, 0];
    const work = async (): Promise<void> => {
      using _ = await semaphore.acquire();
      most = Math.max(most, ++running);
      await runEventLoop();
      running--;
    };
    await Promise.all(Array.from({ length: 10 }, work));
    expect([most, running, semaphore.availablePermits]).toEqual([2, 0, 2]);
  });

  it('gives permits that can be tried for, split, merged and forgotten', () => {
    const semaphore = new Semaphore(5);
    const permit = unwrap(semaphore.tryAcquireMany(4));
    expect(semaphore.tryAcquireMany(2)).toEqual({ ok: false, why: 'no-permits' });
    const part = permit.split(3);
    expect([permit.permitCount, part?.permitCount, permit.split(2)]).toEqual([1, 3, undefined]);
    part?.split(1)?.release();
    expect(semaphore.availablePermits).toBe(2);
    if (part !== undefined) permit.merge(part);
    expect([permit.permitCount, part?.permitCount]).toEqual([3, 0]);
    expect(permit.forget()).toBe(3);
    permit.release();
    part?.release();
    expect(semaphore.availablePermits).toBe(2);
  });

  it('does not merge a permit of another semaphore, or the same object', () => {
    const permit = take(new Semaphore(1).acquire());
    expect(() => permit.merge(take(new Semaphore(1).acquire()))).toThrow(TypeError);
    expect(() => permit.merge(permit)).toThrow(TypeError);
    expect(permit.permitCount).toBe(1);
  });

  it('can be given more permits, and fewer', async () => {
    const semaphore = new Semaphore(0);
    const waiting = semaphore.acquireMany(2).then(({ permitCount: count }) => count);
    await runEventLoop();
    semaphore.addPermits(1);
    expect(await now(waiting)).toBe('pending');
    expect([semaphore.availablePermits, semaphore.forgetPermits(1)]).toEqual([0, 0]);
    semaphore.addPermits(4);
    expect(await waiting).toBe(2);
    expect([semaphore.forgetPermits(2), semaphore.availablePermits, semaphore.forgetPermits(9)]).toEqual([2, 1, 1]);
  });

  it('fails its waiters when it is closed, and keeps permits that are out valid', async () => {
    const semaphore = new Semaphore(1);
    const held = take(semaphore.acquire());
    const waiting = rejection(semaphore.acquire());
    await runEventLoop();
    semaphore.close();
    semaphore.close();
    expect(await waiting).toMatchObject({ code: 'ERR_CLOSED' });
    expect(await rejection(semaphore.acquire())).toMatchObject({ code: 'ERR_CLOSED' });
    expect(semaphore.tryAcquire()).toEqual({ ok: false, why: 'closed' });
    expect(semaphore.tryAcquireMany(0)).toEqual({ ok: false, why: 'closed' });
    held.release();
    expect([semaphore.isClosed, semaphore.availablePermits]).toEqual([true, 1]);
  });

  it('refuses an invalid number of permits, at the call', () => {
    const semaphore = new Semaphore(1);
    for (const count of [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, '1' as never]) {
      const type = typeof count === 'number' ? RangeError : TypeError;
      expect(() => new Semaphore(count)).toThrow(type);
      expect(() => semaphore.acquireMany(count)).toThrow(type);
      expect(() => semaphore.tryAcquireMany(count)).toThrow(type);
      expect(() => semaphore.addPermits(count)).toThrow(type);
      expect(() => semaphore.forgetPermits(count)).toThrow(type);
      expect(() => unwrap(semaphore.tryAcquireMany(0)).split(count)).toThrow(type);
    }
    expect(() => semaphore.addPermits(Number.MAX_SAFE_INTEGER)).toThrow(RangeError);
    expect(semaphore.availablePermits).toBe(1);
  });

  it('gives no permits at once when none are free', async () => {
    const none = await new Semaphore(0).acquireMany(0);
    expect(none.permitCount).toBe(0);
  });
});

describe('acquire', () => {
  it('can be given up by signal and by time, and then holds nothing', async () => {
    const clock = new VirtualClock();
    const lock = new Mutex();
    const guard = await lock.acquire();
    const token = new CancellationToken();
    const [byToken, byTime] = [
      rejection(lock.acquire({ signal: token })),
      rejection(lock.acquire({ timeout: 5, clock })),
    ];
    await runEventLoop();
    token.cancel('enough');
    await clock.advance(5);
    expect(await byToken).toBe('enough');
    expect(await byTime).toBeInstanceOf(TimeoutError);
    guard.release();
    expect([lock.isLocked, clock.pendingCount]).toEqual([false, 0]);
  });

  it('measures its time from the call, and takes a free permit even after that time', async () => {
    const clock = new VirtualClock();
    const lock = new Mutex();
    const place = lock.acquire({ timeout: 5, clock });
    await clock.advance(10);
    using guard = await place;
    expect(lock.isLocked).toBe(true);
    expect(await rejection(lock.acquire({ timeout: 0 }))).toBeInstanceOf(TimeoutError);
    guard.release();
  });

  it('obeys its signal as a branch of select too', async () => {
    const lock = new Mutex();
    using _ = await lock.acquire();
    const token = new CancellationToken();
    const outcome = rejection(select({ guard: lock.acquire({ signal: token }), never: new CancellationToken() }));
    await runEventLoop();
    token.cancel('stop');
    expect(await outcome).toBe('stop');
  });

  it('keeps its answer, even when its signal is cancelled afterwards', async () => {
    const lock = new Mutex();
    const token = new CancellationToken();
    const place = lock.acquire({ signal: token });
    const guard = await place;
    token.cancel();
    expect(await place).toBe(guard);
  });

  it('takes nothing when its signal is already cancelled', async () => {
    const lock = new Mutex();
    expect(await rejection(lock.acquire({ signal: AbortSignal.abort('no') }))).toBe('no');
    expect(lock.isLocked).toBe(false);
  });

  it('refuses an invalid signal and an invalid time at the call', () => {
    const lock = new Mutex();
    expect(() => lock.acquire({ signal: new AbortController() as never })).toThrow(TypeError);
    expect(() => lock.acquire({ timeout: -1 })).toThrow(RangeError);
    expect(lock.isLocked).toBe(false);
  });
});

describe('a mutex', () => {
  it('admits one holder at a time, in order', async () => {
    const lock = new Mutex();
    const log: string[] = [];
    const work = async (name: string): Promise<void> => {
      using _ = await lock.acquire();
      log.push(`${name} in`);
      await runEventLoop();
      log.push(`${name} out`);
    };
    await Promise.all(['a', 'b', 'c'].map(work));
    expect(log).toEqual(['a in', 'a out', 'b in', 'b out', 'c in', 'c out']);
  });

  it('is released once by each guard', async () => {
    const lock = new Mutex();
    const first = await lock.acquire();
    first.release();
    const second = unwrap(lock.tryAcquire());
    first.release();
    expect(lock.isLocked).toBe(true);
    second.release();
    expect(lock.isLocked).toBe(false);
  });

  it('is released when the block that holds it throws', async () => {
    const lock = new Mutex();
    const failing = async (): Promise<void> => {
      using _ = await lock.acquire();
      throw new Error('in the block');
    };
    await expect(failing()).rejects.toThrow('in the block');
    expect(lock.isLocked).toBe(false);
  });
});

// The deadlock in the guide: a cleanup waits for a lock whose holder cannot end before the cleanup does.
describe('a cleanup that cannot get the lock reports it and continues', () => {
  it('when it tries once', async () => {
    const lock = new Mutex();
    const log: string[] = [];
    await scope(async (s) => {
      const guard = await lock.acquire();
      s.defer(() => void guard.release());
      s.defer(() => {
        const tried = lock.tryAcquire();
        using _ = tried.ok ? tried.value : undefined;
        log.push(tried.ok ? 'flushed' : 'could not get the lock; flushing without');
      });
    });
    expect(log).toEqual(['could not get the lock; flushing without']);
    expect(lock.isLocked).toBe(false);
  });

  it('when it waits for a limited time', async () => {
    const clock = new VirtualClock();
    const lock = new Mutex();
    const log: string[] = [];
    await clock.run(() =>
      scope(async (s) => {
        const guard = await lock.acquire();
        s.defer(() => void guard.release());
        s.defer(async () => {
          try {
            using _ = await lock.acquire({ timeout: 1_000, clock });
            log.push('flushed');
          } catch (error) {
            if (!(error instanceof TimeoutError)) throw error;
            log.push(`no lock after ${error.ms} ms; flushing without`);
          }
        });
      }),
    );
    expect(log).toEqual(['no lock after 1000 ms; flushing without']);
    expect([lock.isLocked, clock.now(), clock.pendingCount]).toEqual([false, 1_000, 0]);
  });
});
