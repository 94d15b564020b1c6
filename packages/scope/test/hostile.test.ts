import { VirtualClock } from '@quiesce/cancellation-token/testing';
import { JoinSet, KeyConflictError, Scope, scope, TaskTracker } from '@quiesce/scope';
import { describe, expect, it } from 'vitest';
import { rejection, turn } from './vocabulary.ts';

/** An error that cannot be read: its `name` throws. */
const unreadable = {
  get name(): string {
    throw new Error('this error cannot be read');
  },
};

describe('an error that cannot be read', () => {
  it('of a task is its failure, and the scope ends', async () => {
    const result = scope(async (s) => {
      s.spawn(async (token) => {
        await token.cancelled();
        throw unreadable;
      });
      s.cancel('stop');
    });
    expect(await result.catch((error: unknown) => error)).toBe(unreadable);
  });

  it('of the body keeps neither the children from being awaited nor the cleanups from running', async () => {
    const log: string[] = [];
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    for (const thrown of [unreadable, proxy]) {
      const result = scope(async (s) => {
        s.defer(() => void log.push('cleanup'));
        s.spawn(async (token) => {
          await token.cancelled();
          log.push('child');
        });
        s.cancel('stop');
        throw thrown;
      });
      const isSame = await result.then(
        () => false,
        (error: unknown) => error === thrown,
      );
      expect(isSame).toBe(true);
    }
    expect(log).toEqual(['child', 'cleanup', 'child', 'cleanup']);
  });
});

describe('a loop over scopes that end at once', () => {
  it('lets a macrotask run', async () => {
    let isThrough = false;
    setImmediate(() => {
      isThrough = true;
    });
    let count = 0;
    for (; !isThrough && count < 5_000; count++) await scope(() => count);
    expect(isThrough).toBe(true);
  });
});

describe('a key that cannot be printed', () => {
  it('conflicts like any other', async () => {
    const unprintable: unknown = Object.create(null);
    const thrown = await rejection(
      scope((s) => {
        s.spawn((token) => token.cancelled(), { key: unprintable, daemon: true });
        s.spawn(() => {}, { key: unprintable, onConflict: 'refuse' });
      }),
    );
    expect(thrown).toBeInstanceOf(KeyConflictError);
    expect((thrown as KeyConflictError).key).toBe(unprintable);
  });
});

describe('a promise of a task that has a `then` of its own', () => {
  it('ends the task once, and never during spawn', async () => {
    const twice = (): Promise<number> =>
      Object.assign(Promise.resolve(1), {
        // biome-ignore lint/suspicious/noThenProperty: that is the point
        then(fulfilled: (value: number) => void) {
          fulfilled(2);
          fulfilled(3);
          return Promise.resolve();
        },
      }) as unknown as Promise<number>;
    const s = new Scope();
    const task = s.spawn(twice);
    expect(task.status).toBe('running');
    expect(await task).toBe(1);
    await s.join();
  });
});

describe('a cleanup whose promise is poisoned', () => {
  it('fails the scope and leaves no timer of the cleanup timeout', async () => {
    const clock = new VirtualClock();
    const poison = new Error('poison');
    const poisoned = (key: 'constructor' | 'then', lives: number): Promise<never> =>
      Object.defineProperty(new Promise<never>(() => {}), key, {
        get() {
          if (lives-- > 0) return key === 'then' ? Promise.prototype.then : Promise;
          throw poison;
        },
      });
    for (const key of ['constructor', 'then'] as const) {
      for (const lives of [0, 1]) {
        let isOver = false;
        const done = scope((s) => s.defer(() => poisoned(key, lives)), { clock, cleanupTimeout: 1_000 });
        void done.catch(() => {}).then(() => (isOver = true));
        await turn();
        if (isOver) expect(await rejection(done)).toBe(poison);
        else await rejection(clock.run(() => done));
        expect(clock.pendingCount).toBe(0);
      }
    }
  });
});

describe('a runaway recursion', () => {
  /** Acts thirty times, as deep in the stack as there is room, starting at its very end. */
  const atTheEnd = (offset: number, act: () => void): void => {
    let acted = 0;
    const sink = (): void => {
      try {
        sink();
      } catch {
        // The end of the stack.
      }
      if (acted >= 30) return;
      try {
        act();
        acted++;
      } catch {
        // Not enough room: the caller has more.
      }
    };
    const pad = (levels: number): void => (levels > 0 ? pad(levels - 1) : sink());
    pad(offset);
  };

  it('leaves no scope that never settles, whatever was spawned at the end of the stack', async () => {
    for (let offset = 0; offset < 20; offset++) {
      const spawns: ((s: Scope) => unknown)[] = [
        (s) => s.spawn(async () => {}),
        (s) => s.spawn(() => {}, { key: 'k' }),
        (s) => s.spawn(async () => {}, { name: 'x', daemon: true }),
      ];
      for (const spawn of spawns) {
        let own: Scope | undefined;
        const body = (s: Scope): void => {
          own = s;
          atTheEnd(offset, () => spawn(s));
        };
        let isSettled = false;
        const settle = (): void => {
          isSettled = true;
        };
        scope(body).then(settle, settle);
        for (let i = 0; i < 10 && !isSettled; i++) await turn();
        expect(isSettled, `${spawn} at ${offset}: ${own?.tree().children.length} tasks`).toBe(true);
      }
    }
  });

  it('leaves nothing counted by a tracker or a set', async () => {
    for (let offset = 0; offset < 4; offset++) {
      const tracker = new TaskTracker();
      const tracked: Promise<void>[] = new Array(1_000);
      let count = 0;
      atTheEnd(offset, () => {
        tracked[count++] = tracker.track(Promise.resolve());
      });
      // Work for which there was no room has rejected, and is not counted.
      await Promise.allSettled(tracked);
      const set = new JoinSet<void>();
      atTheEnd(offset, () => void set.spawn(async () => {}));
      await turn();
      while (set.tryJoinNext().ok);
      expect([tracker.length, set.length]).toEqual([0, 0]);
    }
  });
});
