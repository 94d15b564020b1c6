// Each behaviour of JoinSet that Tokio's own tests and documentation state (tokio 1.53), as far as it applies here.
import { CancellationToken, isCancellation, PENDING, source } from '@quiesce/cancellation-token';
import { VirtualClock } from '@quiesce/cancellation-token/testing';
import { type Joined, JoinSet, ScopeError, type Task } from '@quiesce/scope';
import { select, sleep } from '@quiesce/select';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { deaf, failing, obedient, rejection, turn, uncaughtIn, unhandledIn } from './vocabulary.ts';

const a = new Error('a');
const b = new Error('b');

function values<T>(joined: readonly Joined<T>[]): unknown[] {
  return joined.map((one) => (one.status === 'fulfilled' ? one.value : one.status));
}

async function drain<T>(set: JoinSet<T>): Promise<Joined<T>[]> {
  const all: Joined<T>[] = [];
  for await (const joined of set) all.push(joined);
  return all;
}

describe('spawn', () => {
  it('starts the task synchronously, and length counts ended tasks that were not joined', async () => {
    const set = new JoinSet<string>();
    let started = false;
    const task = set.spawn(() => {
      started = true;
      return 'value';
    });
    expect([started, set.length, set.isEmpty]).toEqual([true, 1, false]);
    await task;
    expect(set.length).toBe(1);
    expect(await set.joinNext()).toEqual({ task, status: 'fulfilled', value: 'value' });
    expect([set.length, set.isEmpty]).toEqual([0, true]);
  });

  it('returns a task that can be awaited and has a name', async () => {
    const set = new JoinSet<number>();
    const task: Task<number> = set.spawn(async () => 1, { name: 'one' });
    expect([await task, task.name, set.spawn(() => 2).name]).toEqual([1, 'one', undefined]);
  });

  it('accepts several functions with extend, and starts none of them when one is no function', async () => {
    const set = new JoinSet<number>();
    expect(() => set.extend([() => 1, 2 as never])).toThrow('extend: expected a function, got the number 2');
    expect(() => set.spawn(3 as never)).toThrow(TypeError);
    expect(set.length).toBe(0);
    set.extend([1, 2, 3].map((n) => () => n));
    expect(await set.joinAll()).toEqual([1, 2, 3]);
  });
});

describe('joinNext', () => {
  it('returns the tasks in the order in which they end, then undefined, and the set can be used again', async () => {
    const clock = new VirtualClock();
    const set = new JoinSet<number>();
    for (const ms of [30, 10, 20]) set.spawn(() => sleep(ms, { clock }).then(() => ms));
    expect(values(await clock.run(() => drain(set)))).toEqual([10, 20, 30]);
    expect(await set.joinNext()).toBe(undefined);
    set.spawn(() => 1);
    expect(await set.joinNext()).toMatchObject({ value: 1 });
  });

  it('joins each task as soon as it has ended when spawning and joining alternate', async () => {
    const clock = new VirtualClock();
    const set = new JoinSet<number>();
    const seen: number[] = [];
    await clock.run(async () => {
      for (let n = 0; n < 5; n++) {
        set.spawn(() => sleep(1, { clock }).then(() => n));
        const joined = await set.joinNext();
        if (joined?.status === 'fulfilled') seen.push(joined.value);
      }
    });
    expect(seen).toEqual([0, 1, 2, 3, 4]);
  });

  it('returns how a task has ended, and a failure cancels no other task', async () => {
    const clock = new VirtualClock();
    const set = new JoinSet<string>();
    const failed = set.spawn(failing(clock, 1, a));
    const fine = set.spawn(() => sleep(2, { clock }).then(() => 'fine'));
    const cancelled = set.spawn(obedient(clock, 3));
    cancelled.cancel('stop');
    expect(await clock.run(() => drain(set))).toEqual([
      { task: failed, status: 'rejected', reason: a },
      { task: fine, status: 'fulfilled', value: 'fine' },
      { task: cancelled, status: 'cancelled', reason: 'stop' },
    ]);
  });

  it('takes no task when it is given up', async () => {
    const clock = new VirtualClock();
    const set = new JoinSet<string>();
    set.spawn(() => sleep(5, { clock }).then(() => 'value'));
    await clock.run(async () => {
      expect(await select({ next: set.joinNext(), tick: sleep(1, { clock }) })).toMatchObject({ branch: 'tick' });
      const outcome = await select({ next: set.joinNext(), tick: sleep(100, { clock }) });
      expect(outcome).toMatchObject({ branch: 'next', value: { value: 'value' } });
    });
    expect(set.isEmpty).toBe(true);
  });

  it('is a stream, and is off when the set is empty', async () => {
    const set = new JoinSet<number>();
    const next = set.joinNext();
    expect(next[source].once).toBe(undefined);
    expect(next[source].poll()).toBe(undefined);
    expect(next[source].once).toBe(true);
    set.spawn(() => 1);
    expect(next[source].poll()).toBe(PENDING);
    expect(next[source].once).toBe(undefined);
    await turn();
    expect(next[source].poll()).toMatchObject({ value: 1 });
    expect(next[source].poll()).toBe(undefined);
  });

  it('serves several waiters in order, and wakes all others when the set is empty', async () => {
    const clock = new VirtualClock();
    const set = new JoinSet<number>();
    const log: unknown[] = [];
    for (const ms of [1, 2]) set.spawn(() => sleep(ms, { clock }).then(() => ms));
    const waits = ['first', 'second', 'third'].map(async (name) => {
      const joined = await set.joinNext();
      log.push([name, joined?.status === 'fulfilled' ? joined.value : joined]);
    });
    await clock.run(() => Promise.all(waits));
    expect(log).toEqual([
      ['first', 1],
      ['second', 2],
      ['third', undefined],
    ]);
  });

  it('lets a macrotask run in a long loop over ended tasks', async () => {
    const set = new JoinSet<number>();
    for (let n = 0; n < 5_000; n++) set.spawn(() => n);
    await turn();
    let isThrough = false;
    setImmediate(() => {
      isThrough = true;
    });
    let count = 0;
    while (!isThrough && (await set.joinNext()) !== undefined) count++;
    expect(count).toBeLessThan(5_000);
  });
});

describe('tryJoinNext', () => {
  it('never waits: it returns an ended task, or why there is none', async () => {
    const set = new JoinSet<number>();
    expect(set.tryJoinNext()).toEqual({ ok: false, why: 'empty' });
    const { work, fulfil } = deaf<number>();
    const task = set.spawn(work);
    expect(set.tryJoinNext()).toEqual({ ok: false, why: 'pending' });
    fulfil(7);
    await turn();
    expect(set.tryJoinNext()).toEqual({ ok: true, value: { task, status: 'fulfilled', value: 7 } });
    expect(set.tryJoinNext()).toEqual({ ok: false, why: 'empty' });
  });
});

describe('joinAll', () => {
  it('returns the values in the order in which the tasks end, including tasks that are spawned later', async () => {
    const clock = new VirtualClock();
    const set = new JoinSet<number>();
    set.spawn(() => sleep(20, { clock }).then(() => 20));
    set.spawn(() =>
      sleep(10, { clock }).then(() => {
        set.spawn(() => sleep(5, { clock }).then(() => 15));
        return 10;
      }),
    );
    expect(await clock.run(() => set.joinAll())).toEqual([10, 15, 20]);
  });

  it('cancels the others at the first failure, awaits them, and rejects with it', async () => {
    const clock = new VirtualClock();
    const set = new JoinSet<void>();
    const log: number[] = [];
    set.spawn(failing(clock, 5, a));
    set.spawn(obedient(clock, 10, () => log.push(clock.now())));
    expect(await rejection(clock.run(() => set.joinAll()))).toBe(a);
    expect(log).toEqual([15]);
    expect(set.isEmpty).toBe(true);
  });

  it('loses no second failure', async () => {
    const set = new JoinSet<void>({ name: 'batch' });
    set.spawn(() => Promise.reject(a));
    set.spawn(async (token) => {
      await token.cancelled();
      throw b;
    });
    const error = await rejection(set.joinAll());
    expect(error).toBeInstanceOf(ScopeError);
    expect((error as ScopeError).errors).toEqual([a, b]);
  });

  it('rejects with the reason of a cancelled task, where Tokio panics', async () => {
    const set = new JoinSet<void>();
    set.spawn(obedient(new VirtualClock())).cancel();
    expect(isCancellation(await rejection(set.joinAll()))).toBe(true);
  });
});

describe('a cancelled task of a set', () => {
  it('is counted until it is joined', async () => {
    const set = new JoinSet<void>();
    const task = set.spawn(obedient(new VirtualClock()));
    task.cancel();
    await task.settled();
    expect(set.length).toBe(1);
    expect(await set.joinNext()).toMatchObject({ status: 'cancelled' });
  });

  it('still has its value when it had ended before', async () => {
    const set = new JoinSet<number>();
    const task = set.spawn(() => 7);
    await turn();
    expect(task.cancel()).toBe(false);
    set.cancelAll();
    expect(await set.joinNext()).toMatchObject({ status: 'fulfilled', value: 7 });
  });

  it('is cancelled at the end of its block with `using`, and not without it', async () => {
    const set = new JoinSet<void>();
    {
      using guarded = set.spawn(obedient(new VirtualClock()));
      expect(guarded.status).toBe('running');
    }
    expect(await set.joinNext()).toMatchObject({ status: 'cancelled' });
  });
});

describe('cancelAll', () => {
  it('cancels every task, keeps them in the set, and does not cancel tasks that a callback spawns', async () => {
    const clock = new VirtualClock();
    const set = new JoinSet<string>();
    set.spawn((token) => {
      token.onCancelled(() =>
        set.spawn(async (own) => {
          await turn();
          return own.isCancelled ? 'meant as well' : 'spawned';
        }),
      );
      return obedient(clock)(token);
    });
    set.spawn(obedient(clock));
    set.cancelAll('stop');
    expect(set.length).toBe(3);
    expect(values(await drain(set)).sort()).toEqual(['cancelled', 'cancelled', 'spawned']);
  });
});

describe('shutdown', () => {
  it('cancels everything, waits until the set is empty, never rejects, and loses no failure', async () => {
    const clock = new VirtualClock();
    const set = new JoinSet<string>();
    set.spawn(() => 'done before');
    set.spawn(obedient(clock, 5));
    set.spawn(async (token) => {
      await token.cancelled();
      throw a;
    });
    await turn();
    expect(values(await clock.run(() => set.shutdown('stop')))).toEqual(['done before', 'rejected', 'cancelled']);
    expect(set.isEmpty).toBe(true);
  });

  it('is called by `await using`', async () => {
    const clock = new VirtualClock();
    const log: string[] = [];
    await clock.run(async () => {
      await using set = new JoinSet<void>();
      set.spawn(obedient(clock, 5, () => log.push('stopped')));
    });
    expect(log).toEqual(['stopped']);
  });
});

describe('detachAll', () => {
  it('removes the tasks without cancelling them, and ends every wait', async () => {
    const set = new JoinSet<string>();
    const { work, fulfil } = deaf<string>();
    const task = set.spawn(work);
    const waiting = set.joinNext().then((joined) => joined);
    set.detachAll();
    expect([set.length, await waiting]).toEqual([0, undefined]);
    fulfil('went on');
    expect(await task).toBe('went on');
  });

  it('reports failures without a waiter to the uncaught handler, by name, including unjoined failures', async () => {
    const set = new JoinSet<void>();
    const [late, awaited] = [deaf(), deaf()];
    set.spawn(() => Promise.reject(b), { name: 'unjoined' });
    const asked = set.spawn(() => Promise.reject(b));
    await rejection(asked);
    set.spawn(late.work, { name: 'late' });
    const seen = rejection(set.spawn(awaited.work));
    const uncaught = await uncaughtIn(async () => {
      set.detachAll();
      late.fail(a);
      awaited.fail(a);
      expect(await seen).toBe(a);
    });
    expect(uncaught).toMatchObject([
      { message: 'Task "unjoined" failed after its set had detached it', cause: b },
      { message: 'Task "late" failed after its set had detached it', cause: a },
    ]);
  });
});

describe('a set', () => {
  it('cancels its tasks with its signal, and later ones start cancelled', async () => {
    const outer = new CancellationToken();
    const set = new JoinSet<boolean | undefined>({ signal: outer });
    set.spawn(obedient(new VirtualClock()));
    outer.cancel('deploy');
    set.spawn((token) => token.isCancelled);
    const ends = await drain(set);
    expect(ends).toMatchObject([
      { status: 'fulfilled', value: true },
      { status: 'cancelled', reason: 'deploy' },
    ]);
    expect(() => new JoinSet({ signal: {} as never })).toThrow(TypeError);
  });

  it('causes no unhandled rejection, whatever fails in it', async () => {
    const unhandled = await unhandledIn(async () => {
      const set = new JoinSet<void>();
      set.spawn(() => Promise.reject(a));
      set.spawn(() => {
        throw b;
      });
      await turn();
      await set.shutdown();
    });
    expect(unhandled).toEqual([]);
  });
});

describe('a set under random operations', () => {
  type Op =
    | { spawn: number }
    | { end: number; fails: boolean }
    | { cancel: number }
    | 'try'
    | 'wait'
    | 'abort'
    | 'detach';
  const operation: fc.Arbitrary<Op> = fc.oneof(
    { weight: 3, arbitrary: fc.record({ spawn: fc.nat(99) }) },
    { weight: 3, arbitrary: fc.record({ end: fc.nat(9), fails: fc.boolean() }) },
    fc.record({ cancel: fc.nat(9) }),
    fc.constantFrom('try', 'wait', 'wait'),
    { weight: 1, arbitrary: fc.constantFrom<Op[]>('abort', 'detach') },
  );

  it('joins every task once, in the order in which they end, and serves waits in order', async () => {
    // A failed task that is detached is reported.
    await uncaughtIn(() =>
      fc.assert(
        fc.asyncProperty(fc.array(operation, { maxLength: 40 }), async (operations) => {
          const set = new JoinSet<number>();
          const got: unknown[] = [];
          /** The model: running tasks, ended tasks that were not taken, the number of waits, and the taken tasks. */
          let running: { n: number; end: (fails: boolean) => void; cancel: () => void }[] = [];
          let ended: string[] = [];
          let waiting = 0;
          const expected: unknown[] = [];
          const serve = (): void => {
            for (; waiting > 0 && (ended.length > 0 || running.length === 0); waiting--) expected.push(ended.shift());
          };
          const say = (joined: Joined<number> | undefined): string | undefined =>
            joined === undefined
              ? undefined
              : `${joined.status} ${joined.status === 'fulfilled' ? joined.value : joined.reason}`;
          for (const op of operations) {
            if (op === 'try') {
              const taken = ended.shift();
              const tried = set.tryJoinNext();
              expect(tried.ok ? say(tried.value) : tried.why).toBe(taken ?? (running.length > 0 ? 'pending' : 'empty'));
            } else if (op === 'wait') {
              waiting++;
              void set.joinNext().then((joined) => got.push(say(joined)));
            } else if (op === 'abort') {
              set.cancelAll('stop');
              ended.push(...running.map(() => 'cancelled stop'));
              running = [];
            } else if (op === 'detach') {
              set.detachAll();
              for (const one of running) one.end(false);
              [running, ended] = [[], []];
            } else if ('spawn' in op) {
              const { work, fulfil, fail } = deaf<number>();
              const task = set.spawn((token) => {
                token.onCancelled(fail);
                return work();
              });
              const end = (fails: boolean): void => (fails ? fail('why') : fulfil(op.spawn));
              running.push({ n: op.spawn, end, cancel: () => task.cancel('stop') });
            } else {
              const [one] = running.splice('end' in op ? op.end : op.cancel, 1);
              if (one === undefined) continue;
              if ('end' in op) one.end(op.fails);
              else one.cancel();
              ended.push('end' in op ? (op.fails ? 'rejected why' : `fulfilled ${one.n}`) : 'cancelled stop');
            }
            await turn();
            serve();
            expect(set.length).toBe(running.length + ended.length);
            expect(got).toEqual(expected);
          }
        }),
        { numRuns: 150 },
      ),
    );
  });
});

describe('the end of a task', () => {
  it('wakes waiters only until one has taken it', async () => {
    const set = new JoinSet<number>();
    const first = deaf<number>();
    set.spawn(first.work);
    const second = deaf<number>();
    set.spawn(second.work);
    const woken: string[] = [];
    const waiting = (name: string, takes: boolean) => {
      const next = set.joinNext()[source];
      const wake = (): void => {
        woken.push(name);
        if (takes) next.poll();
      };
      next.park({ next: undefined, prev: undefined, owner: undefined, wake });
    };
    waiting('gave up', false);
    waiting('takes', true);
    waiting('stays', true);
    first.fulfil(1);
    await turn();
    expect(woken).toEqual(['gave up', 'takes']);
    waiting('sees the empty set', true);
    second.fulfil(2);
    await turn();
    expect(woken).toEqual(['gave up', 'takes', 'stays', 'sees the empty set']);
  });
});

describe('an iteration', () => {
  it('ends at once at return() or its disposer while a next() is pending, and takes no task', async () => {
    for (const end of ['return', Symbol.asyncDispose] as const) {
      const set = new JoinSet<string>();
      const work = deaf<string>();
      const task = set.spawn(work.work);
      const tasks = set[Symbol.asyncIterator]();
      const waiting = [tasks.next(), tasks.next()];
      await tasks[end]?.();
      expect(await Promise.all(waiting)).toEqual(Array(2).fill({ done: true, value: undefined }));
      work.fulfil('late');
      await task;
      expect([set.length, await tasks.next()]).toEqual([1, { done: true, value: undefined }]);
      expect((await set.joinNext())?.task).toBe(task);
    }
  });

  it('serves several next() in order, ends when the set is empty, and stays ended', async () => {
    const set = new JoinSet<number>();
    set.extend([async () => 1, async () => 2]);
    const tasks = set[Symbol.asyncIterator]();
    const steps = await Promise.all([tasks.next(), tasks.next(), tasks.next()]);
    expect(steps.map(({ done, value }) => [done, value?.status])).toEqual([
      [false, 'fulfilled'],
      [false, 'fulfilled'],
      [true, undefined],
    ]);
    set.spawn(async () => 3);
    expect(await tasks.next()).toEqual({ done: true, value: undefined });
    expect(set.length).toBe(1);
  });

  it('passes on an error that is thrown into `yield*`, and leaves the remaining tasks', async () => {
    const set = new JoinSet<number>();
    set.extend([async () => 1, async () => 2]);
    const outer = (async function* () {
      yield* { [Symbol.asyncIterator]: () => set[Symbol.asyncIterator]() };
    })();
    await outer.next();
    expect(await rejection(outer.throw(a))).toBe(a);
    expect(set.length).toBe(1);
  });
});
