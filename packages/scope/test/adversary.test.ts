// Attempts to break the three laws: hostile values, reentrancy, and deadlocks.
import { CancellationToken, ClosedError } from '@quiesce/cancellation-token';
import { VirtualClock } from '@quiesce/cancellation-token/testing';
import { JoinSet, Scope, type SpawnOptions, scope, TaskTracker } from '@quiesce/scope';
import { sleep } from '@quiesce/select';
import { describe, expect, it } from 'vitest';
import { deaf, obedient, rejection, turn, uncaughtIn, unhandledIn } from './vocabulary.ts';

const error = new Error('hostile');
const bounded = (clock: VirtualClock): { clock: VirtualClock; cleanupTimeout: number } => ({
  clock,
  cleanupTimeout: 10,
});

/** A promise whose constructor getter throws: `Promise.resolve` throws on it. */
function poisoned(): Promise<never> {
  return Object.defineProperty(new Promise<never>(() => {}), 'constructor', {
    get() {
      throw error;
    },
  });
}

describe('hostile values', () => {
  it('a poisoned promise of a task, a body or a cleanup is a failure, and nothing hangs', async () => {
    expect(await rejection(scope((s) => void s.spawn(poisoned)))).toBe(error);
    expect(await rejection(scope(poisoned))).toBe(error);
    expect(await rejection(scope((s) => s.defer(poisoned)))).toBe(error);
    const set = new JoinSet<void>();
    set.spawn(poisoned);
    expect(await set.joinNext()).toMatchObject({ status: 'rejected', reason: error });
  });

  it('a thenable that calls back synchronously, twice, and then throws ends a task once', async () => {
    const thenable = {
      // biome-ignore lint/suspicious/noThenProperty: a hostile one
      then(resolve: (n: number) => void) {
        resolve(1);
        resolve(2);
        throw error;
      },
    };
    expect(await scope(async (s) => await s.spawn(() => thenable))).toBe(1);
  });

  it.each([1n, Symbol('name'), {}, null])('scope throws for a name that is %s before anything starts', async (name) => {
    const wrong = { name: name as never };
    const set = new JoinSet<void>();
    const calls = [
      () => scope(() => expect.unreachable(), wrong),
      () => new TaskTracker(wrong),
      () => new JoinSet(wrong),
      () => set.spawn(() => expect.unreachable(), wrong),
      () => scope((s) => s.spawn(() => expect.unreachable(), wrong)),
      () => scope((s) => s.defer(() => expect.unreachable(), wrong)),
    ];
    for (const call of calls) expect(await rejection((async () => call())())).toBeInstanceOf(TypeError);
    expect(set.length).toBe(0);
  });

  it('a task that is thrown as an error, even an isolated one, is an error like any other', async () => {
    const done = scope((s) => {
      const inner = s.spawn(() => {});
      s.spawn(
        () => {
          throw inner;
        },
        { onFailure: 'isolate' },
      );
    });
    const thrown = await done.then(
      () => undefined,
      (error: unknown) => ({ status: (error as { status: string }).status }),
    );
    expect(thrown).toEqual({ status: 'fulfilled' });
  });

  it('NaN, undefined and null work as keys and as errors', async () => {
    await scope((s) => {
      const { work, fulfil } = deaf();
      s.spawn(work, { key: Number.NaN });
      s.spawn(work, { key: null });
      s.spawn(work, { key: undefined, onConflict: 'refuse' });
      s.spawn(work, { key: undefined, onConflict: 'refuse' });
      for (const key of [Number.NaN, null]) {
        expect(() => s.spawn(() => {}, { key, onConflict: 'refuse' })).toThrow('is running');
      }
      fulfil();
    });
    const done = scope((s) => {
      s.spawn(() => Promise.reject(Number.NaN));
      s.spawn(() => Promise.reject(Number.NaN));
    });
    expect(await rejection(done)).toBeNaN();
  });

  it('a clock that throws in a cleanup fails the scope, and the other cleanups still run', async () => {
    const clock = new VirtualClock();
    const log: string[] = [];
    let fails = false;
    const done = scope(
      (s) => {
        s.defer(() => log.push('last'));
        s.defer(() => {});
        s.defer(() => {
          fails = true;
        });
      },
      {
        clock: {
          now: () => {
            if (!fails) return 0;
            fails = false;
            throw error;
          },
          wall: () => 0,
          setTimer: (ms, fn, options) => clock.setTimer(ms, fn, options),
          clearTimer: (timer) => clock.clearTimer(timer),
        },
      },
    );
    expect(await rejection(done)).toBe(error);
    expect(log).toEqual(['last']);
  });
});

describe('deadlocks', () => {
  it.each(['join', 'close'] as const)(
    'a task that awaits %s of its own block gets a TypeError, and the block fails',
    async (call) => {
      const s = new Scope({ name: 'block' });
      s.spawn(() => s[call]());
      const refusal = {
        name: 'TypeError',
        message: expect.stringContaining(`${call}: a task or cleanup of scope "block"`),
      };
      expect(await rejection(s.join())).toMatchObject(refusal);
    },
  );

  it.each(['join', 'close'] as const)(
    'a cleanup that awaits %s of its own block gets a TypeError, and the others run',
    async (call) => {
      const log: string[] = [];
      const s = new Scope();
      s.defer(() => log.push('first'));
      s.defer(() => s[call]());
      expect(await rejection(s.join())).toMatchObject({ name: 'TypeError' });
      expect(log).toEqual(['first']);
    },
  );

  it('a task can end its own block without waiting for it', async () => {
    const s = new Scope();
    s.spawn(() => void s.close());
    await s.close();
    await s.join();
  });

  it('a task that closes its own block later is named, does not hang, and receives that error', async () => {
    const clock = new VirtualClock();
    const uncaught = await uncaughtIn(async () => {
      const s = new Scope(bounded(clock));
      s.spawn(() => turn().then(() => s.close()), { name: 'suicidal' });
      expect(await rejection(clock.run(() => s.close()))).toMatchObject({ unfinished: [{ name: 'suicidal' }] });
    });
    expect(uncaught).toMatchObject([{ cause: { code: 'ERR_CLEANUP_TIMEOUT' } }]);
  });

  it('two tasks that wait for each other are both named', async () => {
    const clock = new VirtualClock();
    const done = scope((s) => {
      const first: PromiseLike<unknown> = s.spawn(() => turn().then(() => second), { name: 'first' });
      const second: PromiseLike<unknown> = s.spawn(() => turn().then(() => first), { name: 'second' });
      s.cancel();
    }, bounded(clock));
    expect(await rejection(clock.run(() => done))).toMatchObject({
      unfinished: [{ name: 'first' }, { name: 'second' }],
    });
  });

  it('a body that waits for its own scope is named', async () => {
    const clock = new VirtualClock();
    const uncaught = await uncaughtIn(async () => {
      const options = { ...bounded(clock), timeout: 5 };
      const done: Promise<unknown> = scope(async () => {
        await undefined;
        return done;
      }, options);
      expect(await rejection(clock.run(() => done))).toMatchObject({ unfinished: [{ name: 'the body', ageMs: 15 }] });
    });
    expect(uncaught).toMatchObject([{ cause: { code: 'ERR_CLEANUP_TIMEOUT' } }]);
  });
});

describe('reentrancy', () => {
  it('a callback of the cancellation can spawn, defer, cancel and use; the scope owns all of it', async () => {
    const log: string[] = [];
    const done = scope((s) => {
      s.token.onCancelled(() => {
        s.spawn(async () => log.push('task'));
        s.defer(() => log.push('cleanup'));
        void s.use('resource', (name) => log.push(name));
        expect(s.cancel('again')).toBe(false);
      });
      s.cancel('stop');
      s.token.throwIfCancelled();
    });
    expect(await rejection(done)).toBe('stop');
    expect(log).toEqual(['task', 'resource', 'cleanup']);
  });

  it('a task that cancels its scope, its siblings and itself while it is being spawned is awaited', async () => {
    const clock = new VirtualClock();
    const log: string[] = [];
    const done = scope((s) => {
      const sibling = s.spawn(obedient(clock, 5, () => log.push('sibling')));
      s.spawn((token) => {
        sibling.cancel('first');
        token.cancel('me');
        s.cancel('all');
        return obedient(clock, 10, () => log.push('myself'))(token);
      });
      s.token.throwIfCancelled();
    });
    expect(await rejection(clock.run(() => done))).toBe('all');
    expect(log).toEqual(['sibling', 'myself']);
  });

  it('a cleanup can end the outer scope, and read the tree', async () => {
    const outer = new CancellationToken();
    const states: string[] = [];
    const value = await scope(
      (s) => {
        s.defer(() => states.push(s.tree().state));
        s.defer(() => outer.cancel('from a cleanup'));
        return 'value';
      },
      { signal: outer },
    );
    expect([value, states]).toEqual(['value', ['cleaning']]);
  });

  it('leaving a block cancels it even if other code joins it', async () => {
    const clock = new VirtualClock();
    const unhandled = await unhandledIn(async () => {
      const s = new Scope();
      s.spawn(obedient(clock));
      const joined = rejection(s.join());
      await s.close();
      expect(await joined).toMatchObject({ source: 'scope' });
    });
    expect(unhandled).toEqual([]);
  });

  it('an option whose getter ends the block is read before anything starts', async () => {
    const ends: Promise<void>[] = [];
    const end = (s: Scope): string => {
      ends.push(s.join());
      return 'the end';
    };
    let started = 0;
    const options: ((s: Scope) => SpawnOptions)[] = [
      (s) => ({
        get name() {
          return end(s);
        },
      }),
      (s) => ({
        get daemon() {
          return end(s) === '';
        },
      }),
    ];
    for (const option of options) {
      const s = new Scope();
      expect(() => s.spawn(() => started++, option(s))).toThrow(ClosedError);
    }
    await Promise.all(ends);
    expect(started).toBe(0);
  });

  it('a clock that ends the block when a task is spawned does so before the task starts', async () => {
    const clock = new VirtualClock();
    const s = new Scope({ clock });
    let end: Promise<void> | undefined;
    clock.now = () => {
      end ??= s.join();
      return 0;
    };
    expect(() => s.spawn(() => {})).toThrow(ClosedError);
    await end;
    expect(s.tree().children).toEqual([]);
  });

  it('a loop over a set that ends early leaves the remaining tasks to be joined', async () => {
    const set = new JoinSet<number>();
    set.extend([1, 2, 3].map((n) => () => n));
    for await (const joined of set) if (joined.status === 'fulfilled') break;
    expect(set.length).toBe(2);
    expect(await set.joinAll()).toEqual([2, 3]);
  });
});

describe('a cleanup timeout of 0', () => {
  it('gives up on work that does not end in the same step, and still cleans up', async () => {
    const clock = new VirtualClock();
    const log: string[] = [];
    const done = scope(
      (s) => {
        s.defer(() => log.push('synchronous'));
        s.spawn(() => sleep(1, { clock }), { name: 'slow' });
        s.cancel();
      },
      { clock, cleanupTimeout: 0 },
    );
    expect(await rejection(clock.run(() => done))).toMatchObject({ unfinished: [{ name: 'slow', ageMs: 0 }] });
    expect(log).toEqual(['synchronous']);
  });
});
