import { inspect } from 'node:util';
import { CancellationToken, TimeoutError } from '@quiesce/cancellation-token';
import { VirtualClock } from '@quiesce/cancellation-token/testing';
import { RwLock } from '@quiesce/channel';
import { select } from '@quiesce/select';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isPending, rejection, runEventLoop, take } from './vocabulary.ts';

describe('a read-write lock', () => {
  it('admits many readers, or one writer', async () => {
    const lock = new RwLock();
    let [readers, writers, most] = [0, 0, 0];
    const read = async (): Promise<void> => {
      using _ = await lock.read();
      most = Math.max(most, ++readers);
      expect(writers).toBe(0);
      await runEventLoop();
      readers--;
    };
    const write = async (): Promise<void> => {
      using _ = await lock.write();
      expect([readers, ++writers]).toEqual([0, 1]);
      await runEventLoop();
      writers--;
    };
    await Promise.all([read(), read(), write(), read(), read(), read(), write(), write(), read()]);
    expect([most, readers, writers]).toEqual([3, 0, 0]);
  });

  it('serves in order: readers that come after a writer wait for it', async () => {
    const lock = new RwLock();
    const log: string[] = [];
    const first = take(lock.read());
    const enter = async (name: string, place: PromiseLike<Disposable>): Promise<void> => {
      using _ = await place;
      log.push(name);
      await runEventLoop();
    };
    const all = [enter('writer', lock.write()), enter('reader', lock.read()), enter('other reader', lock.read())];
    await runEventLoop();
    expect([lock.tryRead().ok, lock.tryWrite().ok, log]).toEqual([false, false, []]);
    first.release();
    await Promise.all(all);
    expect(log).toEqual(['writer', 'reader', 'other reader']);
  });

  it('admits waiting readers when the writer before them gives up', async () => {
    const clock = new VirtualClock();
    const lock = new RwLock();
    using _ = await lock.read();
    const token = new CancellationToken();
    const writers = [rejection(lock.write({ signal: token })), rejection(lock.write({ timeout: 5, clock }))];
    const reader = lock.read().then(() => 'in');
    await runEventLoop();
    token.cancel('enough');
    await clock.advance(5);
    expect(await Promise.all(writers)).toEqual(['enough', expect.any(TimeoutError)]);
    expect(await reader).toBe('in');
  });

  it('is a branch that takes nothing when it loses', async () => {
    const lock = new RwLock();
    const writer = take(lock.write());
    const stop = new CancellationToken();
    const lost = select({ read: lock.read(), write: lock.write(), stop });
    await runEventLoop();
    stop.cancel('stop');
    expect((await lost).branch).toBe('stop');
    writer.release();
    expect(lock.tryWrite().ok).toBe(true);
  });

  it('is released once by each guard', () => {
    const lock = new RwLock();
    const first = take(lock.read());
    take(lock.read());
    first.release();
    first.release();
    expect(lock.tryWrite()).toEqual({ ok: false, why: 'locked' });
  });

  it('limits the readers with maxReaders', () => {
    const lock = new RwLock({ maxReaders: 2 });
    const [one] = [take(lock.read()), take(lock.read())];
    expect(isPending(lock.read())).toBe(true);
    one.release();
    expect(isPending(lock.read())).toBe(false);
  });

  it('refuses an unknown option', () => {
    expect(() => new RwLock({ maxreaders: 4 } as never)).toThrow(
      'new RwLock: there is no option "maxreaders"; did you mean "maxReaders"?',
    );
  });

  it('prints whether it is locked, and its guards print whether they hold it', () => {
    const lock = new RwLock();
    const guard = take(lock.write());
    expect(inspect([lock, guard])).toBe('[ RwLock { isLocked: true }, RwLockWriteGuard { isHeld: true } ]');
    guard.release();
    expect(inspect([lock, guard])).toBe('[ RwLock { isLocked: false }, RwLockWriteGuard { isHeld: false } ]');
  });

  it('refuses an invalid number of readers', () => {
    for (const maxReaders of [0, -1, 0.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => new RwLock({ maxReaders })).toThrow(RangeError);
    }
    expect(() => new RwLock({ maxReaders: '1' as never })).toThrow(TypeError);
  });
});

describe('downgrade', () => {
  it('admits waiting readers, and no writer in between', async () => {
    const lock = new RwLock();
    const writer = take(lock.write());
    const reader = lock.read().then(() => 'in');
    await runEventLoop();
    const downgraded = writer.downgrade();
    expect(await reader).toBe('in');
    expect(lock.tryWrite()).toEqual({ ok: false, why: 'locked' });
    writer.release();
    expect(lock.tryWrite()).toEqual({ ok: false, why: 'locked' });
    downgraded.release();
  });

  it('is refused on a guard that was released', () => {
    const lock = new RwLock();
    const writer = take(lock.write());
    writer.release();
    expect(() => writer.downgrade()).toThrow(expect.objectContaining({ code: 'ERR_CLOSED' }));
    const again = take(lock.write());
    again.downgrade();
    expect(() => again.downgrade()).toThrow(expect.objectContaining({ code: 'ERR_CLOSED' }));
  });

  it('works when only one reader is allowed', () => {
    const lock = new RwLock({ maxReaders: 1 });
    const reader = take(lock.write()).downgrade();
    expect(lock.tryRead()).toEqual({ ok: false, why: 'locked' });
    reader.release();
    expect(lock.tryRead().ok).toBe(true);
  });
});

it('a read-write lock agrees with a naive model: a list of holders, and a queue in order', async () => {
  const step = fc.record({ act: fc.constantFrom('read', 'write', 'release', 'downgrade', 'giveUp'), pick: fc.nat(10) });
  const property = fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
    const lock = new RwLock();
    interface Wait {
      kind: 'read' | 'write';
      readonly token: CancellationToken;
      guard: Awaited<ReturnType<typeof lock.read>> | Awaited<ReturnType<typeof lock.write>> | undefined;
    }
    const queue: Wait[] = [];
    const holders: Wait[] = [];
    const settle = (): void => {
      for (let first = queue[0]; first !== undefined; first = queue[0]) {
        if (holders.some(({ kind }) => kind === 'write') || (first.kind === 'write' && holders.length > 0)) return;
        holders.push(first);
        queue.shift();
      }
    };
    for (const { act, pick } of steps) {
      const holder = holders[pick % Math.max(1, holders.length)];
      const waiting = queue[pick % Math.max(1, queue.length)];
      if (act === 'read' || act === 'write') {
        const wait: Wait = { kind: act, token: new CancellationToken(), guard: undefined };
        queue.push(wait);
        const keep = (guard: NonNullable<Wait['guard']>): void => {
          wait.guard = guard;
        };
        lock[act]({ signal: wait.token }).then(keep, () => {});
      } else if (act === 'giveUp' && waiting !== undefined) {
        queue.splice(queue.indexOf(waiting), 1);
        waiting.token.cancel();
      } else if (act === 'release' && holder !== undefined) {
        holders.splice(holders.indexOf(holder), 1);
        holder.guard?.release();
      } else if (act === 'downgrade' && holder?.kind === 'write') {
        holder.kind = 'read';
        holder.guard = (holder.guard as Awaited<ReturnType<typeof lock.write>>).downgrade();
      }
      settle();
      await runEventLoop();
      expect(holders.map(({ guard }) => guard !== undefined)).toEqual(holders.map(() => true));
      expect(queue.map(({ guard }) => guard)).toEqual(queue.map(() => undefined));
    }
  });
  await fc.assert(property, { numRuns: 100 });
});
