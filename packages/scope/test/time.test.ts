import { CancellationToken, TimeoutError } from '@quiesce/cancellation-token';
import { VirtualClock } from '@quiesce/cancellation-token/testing';
import { Scope, ScopeError, type ScopeOptions, scope, shield } from '@quiesce/scope';
import { CleanupTimeoutError, sleep } from '@quiesce/select';
import { describe, expect, it } from 'vitest';
import { deaf, obedient, rejection, uncaughtIn, unhandledIn } from './vocabulary.ts';

const error = new Error('late');

describe('a timeout of a scope', () => {
  it('cancels it with a TimeoutError, with which it rejects when all tasks have ended', async () => {
    const clock = new VirtualClock();
    const log: number[] = [];
    const done = scope((s) => s.spawn(obedient(clock, 10, () => log.push(clock.now()))), { timeout: 5, clock });
    const thrown = await rejection(clock.run(() => done));
    expect(thrown).toBeInstanceOf(TimeoutError);
    expect(thrown).toMatchObject({ ms: 5, code: 'ERR_TIMEOUT' });
    expect(log).toEqual([15]);
    expect(clock.pendingCount).toBe(0);
  });

  it('counts even if it passes while nothing observes it: a body that returns too late has timed out', async () => {
    const clock = new VirtualClock();
    const late = scope(() => sleep(10, { clock }).then(() => 'value'), { timeout: 5, clock });
    expect(await rejection(clock.run(() => late))).toBeInstanceOf(TimeoutError);
    const early = scope(() => sleep(4, { clock }).then(() => 'value'), { timeout: 5, clock });
    expect(await clock.run(() => early)).toBe('value');
  });

  it('that passes after the body has fulfilled cancels the tasks, and the value stays', async () => {
    const clock = new VirtualClock();
    const done = scope(
      (s) => {
        s.spawn(obedient(clock));
        return 'value';
      },
      { timeout: 5, clock },
    );
    expect(await clock.run(() => done)).toBe('value');
    expect(clock.now()).toBe(5);
  });

  it('can be a date, and the earlier of several counts', async () => {
    const clock = new VirtualClock(1_000);
    const options: ScopeOptions = { deadline: new Date(1_007), timeout: 20, clock };
    let deadline: Date | undefined;
    const done = scope((s) => {
      deadline = s.deadline;
      return s.spawn(obedient(clock));
    }, options);
    expect(await rejection(clock.run(() => done))).toBeInstanceOf(TimeoutError);
    expect(clock.now()).toBe(7);
    expect(deadline).toEqual(new Date(1_007));
  });

  it('is inherited by nested scopes, which cannot prolong it', async () => {
    const clock = new VirtualClock(0);
    const seen: (Date | undefined)[] = [];
    const done = scope(
      (s) =>
        s.spawn((signal) =>
          scope(
            (inner) => {
              seen.push(inner.deadline);
              return inner.spawn(obedient(clock));
            },
            { signal, timeout: 1_000 },
          ),
        ),
      { timeout: 5, clock },
    );
    expect(await rejection(clock.run(() => done))).toBeInstanceOf(TimeoutError);
    expect(seen).toEqual([new Date(5)]);
    expect(clock.now()).toBe(5);
  });

  it('throws for a wrong time: as a rejection of scope, and synchronously at new Scope', async () => {
    for (const options of [
      { timeout: -1 },
      { timeout: Number.NaN },
      { cleanupTimeout: -1 },
      { cleanupTimeout: Number.NaN },
    ]) {
      expect(await rejection(scope(() => {}, options))).toBeInstanceOf(RangeError);
      expect(() => new Scope(options)).toThrow(RangeError);
    }
    expect(() => new Scope({ deadline: new Date('never') })).toThrow(RangeError);
  });
});

describe('a cleanup timeout', () => {
  const options = (clock: VirtualClock): ScopeOptions => ({
    clock,
    cleanupTimeout: 10,
    name: 'page',
    spawnSites: true,
  });

  it('names work that does not stop, with its age and spawn site, and still runs the cleanups', async () => {
    const clock = new VirtualClock();
    const log: string[] = [];
    const done = scope(async (s) => {
      s.defer(() => log.push(`cleanup at ${clock.now()}`));
      s.spawn(deaf().work, { name: 'poller' });
      s.spawn(obedient(clock, 5));
      await sleep(100, { clock });
      s.cancel('stop');
    }, options(clock));
    const thrown = await rejection(clock.run(() => done));
    expect(thrown).toBeInstanceOf(CleanupTimeoutError);
    const { unfinished, message } = thrown as CleanupTimeoutError;
    expect(unfinished).toMatchObject([{ name: 'poller', ageMs: 110 }]);
    expect(unfinished[0]?.site).toMatch(/time\.test\.\w+(\?\S*)?:\d+:\d+/);
    expect(message).toContain(
      'scope "page": cancelled work did not end within 10 ms: "poller" (running for 110 ms, started ',
    );
    expect(log).toEqual(['cleanup at 110']);
    expect(clock.pendingCount).toBe(0);
  });

  it('starts at the cancellation, from any cause, and not before', async () => {
    const clock = new VirtualClock();
    const outer = new CancellationToken();
    const thrown = rejection(scope((s) => s.spawn(deaf().work), { ...options(clock), signal: outer }));
    await clock.advance(1_000);
    outer.cancel();
    await clock.advance(9);
    let isSettled = false;
    void thrown.then(() => (isSettled = true));
    await clock.advance(0);
    expect(isSettled).toBe(false);
    await clock.advance(1);
    expect(await thrown).toMatchObject({ unfinished: [{ name: 'the body' }, { name: 'a task', ageMs: 1_010 }] });
  });

  it('names a body that ignores its cancellation, and a daemon', async () => {
    const clock = new VirtualClock();
    const body = scope((s) => {
      s.cancel();
      return deaf().work();
    }, options(clock));
    expect(await rejection(clock.run(() => body))).toMatchObject({ unfinished: [{ name: 'the body', ageMs: 10 }] });
    const daemon = scope((s) => void s.spawn(deaf().work, { daemon: true, name: 'watcher' }), options(clock));
    expect(await rejection(clock.run(() => daemon))).toMatchObject({ unfinished: [{ name: 'watcher' }] });
  });

  it('comes after earlier failures: no error is lost, and the original is first', async () => {
    const clock = new VirtualClock();
    const done = scope((s) => {
      s.spawn(deaf().work, { name: 'poller' });
      throw error;
    }, options(clock));
    const thrown = await rejection(clock.run(() => done));
    expect(thrown).toBeInstanceOf(ScopeError);
    expect((thrown as ScopeError).errors).toMatchObject([error, { unfinished: [{ name: 'poller' }] }]);
  });

  it('applies to each cleanup again: a cleanup that hangs is named, and the next one runs', async () => {
    const clock = new VirtualClock();
    const log: string[] = [];
    const done = scope((s) => {
      s.defer(() => log.push(`first at ${clock.now()}`));
      s.defer(deaf().work, { name: 'flush' });
      s.defer(() => sleep(9, { clock }).then(() => log.push(`last at ${clock.now()}`)));
    }, options(clock));
    expect(await rejection(clock.run(() => done))).toMatchObject({ unfinished: [{ name: 'flush', ageMs: 10 }] });
    expect(log).toEqual(['last at 9', 'first at 19']);
  });

  it('names a cleanup in a deadlock, and does not hang', async () => {
    const clock = new VirtualClock();
    const uncaught = await uncaughtIn(async () => {
      const done: Promise<void> = scope((s) => {
        s.defer(() => done, { name: 'the snake' });
      }, options(clock));
      expect(await rejection(clock.run(() => done))).toMatchObject({ unfinished: [{ name: 'the snake' }] });
    });
    // It has received that error by then.
    expect(uncaught).toMatchObject([{ cause: { code: 'ERR_CLEANUP_TIMEOUT' } }]);
  });

  it('reports later failures by name: of tasks, the body, and cleanups; a later cancellation is not reported', async () => {
    const clock = new VirtualClock();
    const [task, body, cleanup] = [deaf(), deaf(), deaf()];
    let obey = (): void => {};
    const done = scope((s) => {
      s.defer(cleanup.work, { name: 'flush' });
      s.spawn(task.work, { name: 'poller' });
      s.spawn(
        (token) =>
          new Promise((_, reject) => {
            obey = () => reject(token.reason);
          }),
      );
      s.cancel();
      return body.work();
    }, options(clock));
    expect(await rejection(clock.run(() => done))).toMatchObject({
      unfinished: [{ name: 'the body' }, { name: 'poller' }, { name: 'a task' }, { name: 'flush' }],
    });
    const unhandled = await unhandledIn(async () => {
      const uncaught = await uncaughtIn(() => {
        task.fail(error);
        body.fail(error);
        cleanup.fail(error);
        obey();
      });
      expect(uncaught).toMatchObject([
        { message: 'Task "poller" failed after its scope had given up on it', cause: error },
        { message: 'The body of scope "page" failed after its scope had given up on it', cause: error },
        { message: 'Cleanup "flush" failed after its scope had given up on it', cause: error },
      ]);
    });
    expect(unhandled).toEqual([]);
  });

  it('takes effect at the end of a block, which it cannot stop', async () => {
    const clock = new VirtualClock();
    const s = new Scope(options(clock));
    s.spawn(deaf().work, { name: 'poller' });
    s.cancel();
    await clock.advance(100);
    expect(s.tree()).toMatchObject({ state: 'running' });
    expect(await rejection(s.join())).toMatchObject({ unfinished: [{ name: 'poller', ageMs: 100 }] });
  });

  it('has no effect when everything stops in time', async () => {
    const clock = new VirtualClock();
    const done = scope((s) => {
      s.defer(() => sleep(9, { clock }));
      s.spawn(obedient(clock, 9));
      s.cancel('stop');
      s.token.throwIfCancelled();
    }, options(clock));
    expect(await rejection(clock.run(() => done))).toBe('stop');
    expect(clock.pendingCount).toBe(0);
  });
});

describe('shield', () => {
  it('is not reached by outer cancellations', async () => {
    const clock = new VirtualClock();
    const log: string[] = [];
    const done = scope(async (s) => {
      s.cancel('stop');
      await shield((token) => sleep(5, { clock }).then(() => log.push(`flushed ${token.isCancelled}`)));
      s.token.throwIfCancelled();
    });
    expect(await rejection(clock.run(() => done))).toBe('stop');
    expect(log).toEqual(['flushed false']);
  });

  it('has a deadline of its own, at which the work is cancelled and awaited', async () => {
    const clock = new VirtualClock();
    const log: number[] = [];
    const done = shield(
      obedient(clock, 3, () => log.push(clock.now())),
      { timeout: 5, clock },
    );
    expect(await rejection(clock.run(() => done))).toBeInstanceOf(TimeoutError);
    expect(log).toEqual([8]);
  });

  it('gives up on work that does not stop after its cancellation, and names it', async () => {
    const clock = new VirtualClock();
    const done = shield(deaf().work, { timeout: 5, cleanupTimeout: 5, clock, name: 'flush' });
    expect(await rejection(clock.run(() => done))).toMatchObject({
      message: expect.stringContaining('scope "flush": cancelled work did not end within 5 ms'),
    });
  });

  it('returns the value, and throws the failure verbatim; a value that is no function is a TypeError', async () => {
    expect(await shield(() => 'value')).toBe('value');
    expect(await rejection(shield(() => Promise.reject(error)))).toBe(error);
    expect(await rejection(shield(1 as never))).toBeInstanceOf(TypeError);
  });
});

describe('a task that is spawned while daemons are cancelled', () => {
  const daemon = (clock: VirtualClock) => async (token: CancellationToken) => {
    await token.cancelled();
    await sleep(8, { clock });
  };

  it('is not limited by the cleanup timeout, since it was not cancelled', async () => {
    const clock = new VirtualClock();
    const log: string[] = [];
    const done = scope(
      (s) => {
        s.spawn(daemon(clock), { daemon: true });
        const join = async (): Promise<void> => {
          await sleep(5, { clock });
          s.spawn((token) => sleep(100, { clock }).then(() => log.push(`served, cancelled: ${token.isCancelled}`)));
        };
        void join();
      },
      { clock, cleanupTimeout: 10 },
    );
    await clock.run(() => done);
    expect(log).toEqual(['served, cancelled: false']);
    expect(clock.now()).toBe(105);
    expect(clock.pendingCount).toBe(0);
  });

  it('is limited by it from its own cancellation on', async () => {
    const clock = new VirtualClock();
    const done = scope(
      (s) => {
        s.spawn(daemon(clock), { daemon: true });
        const join = async (): Promise<void> => {
          await sleep(5, { clock });
          s.spawn(deaf().work, { name: 'late' });
          await sleep(50, { clock });
          s.cancel();
        };
        void join();
      },
      { clock, cleanupTimeout: 10 },
    );
    expect(await rejection(clock.run(() => done))).toMatchObject({ unfinished: [{ name: 'late', ageMs: 60 }] });
  });
});

describe('giving up on work', () => {
  it('also runs cleanups that cancelled work defers after the cleanup timeout', async () => {
    const clock = new VirtualClock();
    const log: string[] = [];
    const done = scope(
      (s) => {
        s.token.onCancelled(() => s.defer(() => log.push('deferred at the last')));
        s.defer(deaf().work, { name: 'hangs' });
      },
      { clock, cleanupTimeout: 10 },
    );
    expect(await rejection(clock.run(() => done))).toMatchObject({ unfinished: [{ name: 'hangs' }] });
    expect(log).toEqual(['deferred at the last']);
  });

  it('leaves an isolated failure to the code that awaits it, and reports any other to the uncaught handler', async () => {
    const clock = new VirtualClock();
    const log: unknown[] = [];
    const caught = await uncaughtIn(async () => {
      const [handled, unhandled] = [deaf(), deaf()];
      const done = scope(
        async (s) => {
          const task = s.spawn(handled.work, { onFailure: 'isolate' });
          s.spawn(unhandled.work, { name: 'not awaited', onFailure: 'isolate' });
          s.cancel();
          log.push(await task.catch((error: unknown) => error));
        },
        { clock, cleanupTimeout: 10 },
      );
      await rejection(clock.run(() => done));
      handled.fail('handled');
      unhandled.fail('unhandled');
    });
    expect(log).toEqual(['handled']);
    expect(caught.map(String)).toEqual(['Error: Task "not awaited" failed after its scope had given up on it']);
  });

  it('names up to ten pieces of work in the message, and all of them in the data', async () => {
    const clock = new VirtualClock();
    const done = scope(
      (s) => {
        for (let i = 0; i < 1_000; i++) s.spawn(deaf().work, { name: `t${i}` });
        s.cancel();
      },
      { clock, cleanupTimeout: 10 },
    );
    const { message, unfinished } = (await rejection(clock.run(() => done))) as CleanupTimeoutError;
    expect(unfinished).toHaveLength(1_000);
    expect(message).toContain('"t9" (running for 10 ms), and 990 more; no longer awaited');
    expect(message).not.toContain('"t10"');
  });
});

describe('shield with a timeout of 0', () => {
  it('starts the work, with a cancelled token', async () => {
    const clock = new VirtualClock();
    const log: unknown[] = [];
    const work = async (token: CancellationToken): Promise<void> => {
      log.push(token.isCancelled);
      await sleep(1, { clock });
      log.push('done');
    };
    expect(await rejection(clock.run(() => shield(work, { timeout: 0, clock })))).toBeInstanceOf(TimeoutError);
    expect(log).toEqual([true, 'done']);
  });
});

describe('a cleanup timeout that is no number', () => {
  it('is a TypeError, for any value', async () => {
    for (const bad of ['5', Symbol('5'), Object.create(null), null, 5n]) {
      expect(await rejection(scope(() => {}, { cleanupTimeout: bad as never }))).toBeInstanceOf(TypeError);
    }
  });
});

describe('a scope below a deadline that is renewed', () => {
  it('shows the present deadline, and is cancelled at the last one with the reason of the deadline', async () => {
    const clock = new VirtualClock();
    const lease = new CancellationToken().renewable(100, { clock, reason: () => error });
    const open = new Scope({ signal: lease.token, clock });
    const nested = new Scope({ signal: open.token, timeout: 500, clock });
    const task = nested.spawn(obedient(clock));
    const seen = (): unknown[] => [
      open.deadline?.getTime(),
      open.tree().deadline?.getTime(),
      nested.deadline?.getTime(),
    ];
    expect(seen()).toEqual([100, 100, 100]);
    await clock.advance(90);
    expect([lease.renew(1_000), ...seen()]).toEqual([true, 1_090, 1_090, 500]);
    expect([lease.renew(200), ...seen()]).toEqual([true, 290, 290, 290]);
    await clock.advance(200);
    expect([open.token.reason, nested.token.reason, (await task.settled()).status]).toEqual([
      error,
      error,
      'cancelled',
    ]);
    await Promise.all([nested.close(), open.close()]);
    expect(clock.pendingCount).toBe(0);
  });
});
