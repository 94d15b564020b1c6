import { inspect } from 'node:util';
import { CancellationToken, ClosedError } from '@quiesce/cancellation-token';
import { VirtualClock } from '@quiesce/cancellation-token/testing';
import { type Lease, ResourcePool, WorkerPool, type WorkerPoolReport } from '@quiesce/worker-pool';
import { threadTask } from '@quiesce/worker-pool/node';
import { describe, expect, it } from 'vitest';
import { macrotask, rejection, uncancellable, uncaught } from './vocabulary.ts';

describe('a hostile job', () => {
  it('is awaited within limits when it shuts its own pool down', async () => {
    const clock = new VirtualClock();
    const pool = new WorkerPool({ concurrency: 1, clock });
    const inner = pool.execute(() => pool.shutdown({ timeout: 100, cleanupTimeout: 50 }), { name: 'suicidal' });
    await clock.advance(150);
    expect(await inner).toMatchObject({
      unfinished: [{ name: 'suicidal', ageMs: 150 }],
    } satisfies Partial<WorkerPoolReport>);
    expect(pool.inFlightCount).toBe(0);
  });

  it('gets a ClosedError when it executes other jobs while it is cancelled', async () => {
    const pool = new WorkerPool({ concurrency: 1 });
    const others: Promise<unknown>[] = [];
    const job = rejection(
      pool.execute((token) => {
        token.onCancelled(() => others.push(rejection(pool.execute(() => expect.unreachable()))));
        return token.cancelled().then(() => token.throwIfCancelled());
      }),
    );
    await rejection(pool.drain(CancellationToken.alreadyCancelled('now')));
    expect(await job).toBe('now');
    expect(await others[0]).toBeInstanceOf(ClosedError);
  });

  it.each([
    ['undefined', () => undefined],
    ['null', () => null],
    ['a frozen object', () => Object.freeze({})],
    ['a revoked proxy', revoked],
  ])('rejects with %s when it throws that, and frees its worker', async (_, make) => {
    const thrown = make();
    const pool = new WorkerPool({ concurrency: 1 });
    const signal = new CancellationToken();
    const run = (): never => {
      signal.cancel('stop');
      throw thrown;
    };
    // In an object, because a promise would read `then` of the proxy.
    const failed = await pool.execute(run, { signal }).then(
      () => undefined,
      (error) => ({ error }),
    );
    expect(failed !== undefined && Object.is(failed.error, thrown)).toBe(true);
    expect(await pool.execute(() => 'next')).toBe('next');
  });

  it('stops no other job when its cancellation callback throws', async () => {
    const errors = uncaught();
    const pool = new WorkerPool({ concurrency: 2 });
    const jobs = [1, 2].map((n) =>
      rejection(
        pool.execute(async (token) => {
          token.onCancelled(() => {
            throw `callback ${n}`;
          });
          await token.cancelled();
          token.throwIfCancelled();
        }),
      ),
    );
    await rejection(pool.drain(CancellationToken.alreadyCancelled('now')));
    expect(await Promise.all(jobs)).toEqual(['now', 'now']);
    expect(errors).toEqual(['callback 1', 'callback 2']);
  });

  it('loses no other job when it pauses and closes the pool', async () => {
    const pool = new WorkerPool({ concurrency: 1 });
    const first = pool.execute(async () => {
      await macrotask();
      pool.pause();
      pool.stop();
    });
    const second = pool.execute(() => 'second');
    await first;
    await pool.drain(CancellationToken.never);
    expect(await second).toBe('second');
  });
});

describe('a hostile resource', () => {
  it('is still lent to its acquire, and closed afterwards, when making it stops the pool', async () => {
    const closed: number[] = [];
    const pool = new ResourcePool<number>({
      create: () => {
        pool.stop();
        return 1;
      },
      close: (id) => void closed.push(id),
      max: 1,
    });
    const lease = await pool.acquire();
    lease.release();
    await pool.drain(CancellationToken.never);
    expect(closed).toEqual([1]);
  });

  it('does not affect the others when its closer throws, rejects or acquires from the pool', async () => {
    const refused: Promise<unknown>[] = [];
    const closers = [
      () => {
        throw new Error('throws');
      },
      () => Promise.reject(new Error('rejects')),
      () => void refused.push(rejection(pool.acquire())),
    ];
    const pool: ResourcePool<() => unknown> = new ResourcePool({
      create: () => closers.shift() ?? (() => {}),
      close: (closer) => closer(),
      max: 4,
    });
    const leases: Lease<() => unknown>[] = [];
    for (let n = 0; n < 4; n++) leases.push(await pool.acquire());
    for (const lease of leases) lease.release();
    const report = await pool.shutdown({ timeout: 1_000 });
    expect(report).toMatchObject({
      closedCount: 2,
      cutOffCount: 0,
      timedOutCount: 0,
      failed: [{ message: 'throws' }, { message: 'rejects' }],
    });
    expect(await refused[0]).toBeInstanceOf(ClosedError);
  });

  it('is lent and closed like any other when it is undefined or falsy', async () => {
    const closed: unknown[] = [];
    const values: unknown[] = [undefined, 0, null];
    const pool = new ResourcePool<unknown>({
      create: () => values.shift(),
      close: (value) => void closed.push(value),
      max: 3,
    });
    const leases = [await pool.acquire(), await pool.acquire(), await pool.acquire()];
    expect(leases.map(({ resource }) => resource)).toEqual([undefined, 0, null]);
    for (const lease of leases) lease.release();
    expect(pool.idleCount).toBe(3);
    await pool.shutdown({ timeout: 1_000 });
    expect(closed).toEqual([null, 0, undefined]);
  });

  it('is closed once when it is released exactly at the deadline', async () => {
    const closed: number[] = [];
    const work = uncancellable();
    const close = (id: number): Promise<void> => {
      closed.push(id);
      return work.run();
    };
    const pool = new ResourcePool<number>({ create: () => 1, close, max: 1 });
    const lease = await pool.acquire();
    const deadline = new CancellationToken();
    deadline.onCancelled(() => lease.release());
    const over = rejection(pool.drain(deadline));
    deadline.cancel('now');
    lease.destroy();
    await macrotask();
    work.fulfil();
    expect(await over).toBe('now');
    expect(closed).toEqual([1]);
  });
});

describe('a task for a thread', () => {
  it('names the missing token when it is called without runInPool', async () => {
    const task = threadTask(() => 1);
    expect(String(await rejection(task(undefined as never)))).toContain(
      'expected the `shared` of shareToken(token), got',
    );
    expect(String(await rejection(task({ input: 1 } as never)))).toContain(
      'expected the `shared` of shareToken(token), got',
    );
  });
});

/** Makes a revoked proxy: every access to it throws. */
function revoked(): object {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

describe('misspelt or wrong options', () => {
  it.each([
    [
      () => new WorkerPool({ concurency: 1 } as never),
      'new WorkerPool: there is no option "concurency"; did you mean "concurrency"?',
    ],
    [
      () => new ResourcePool({ create: () => 1, size: 1 } as never),
      'new ResourcePool: there is no option "size"; the options are',
    ],
    [() => new WorkerPool(5 as never), 'new WorkerPool: the options must be an object, got the number 5'],
    [() => new WorkerPool({ concurrency: '5' as never }), 'Infinity, got the string "5"'],
  ])('are named by the constructor: %#', (make, text) => {
    expect(make).toThrow(text);
  });

  it('are named by every call', async () => {
    const token = new CancellationToken();
    const workers = new WorkerPool({ concurrency: 1 });
    const resources = new ResourcePool({ create: () => 1, max: 1 });
    const calls: [Promise<unknown>, string][] = [
      [workers.execute(() => 1, { token } as never), 'execute: there is no option "token"; did you mean "signal"?'],
      [
        workers.execute(() => 1, token as never),
        'execute: the options must be an object, got a CancellationToken: write { signal }',
      ],
      [workers.shutdown({ timeOut: 5 } as never), 'shutdown: there is no option "timeOut"; did you mean "timeout"?'],
      [resources.acquire({ timeOut: 5 } as never), 'acquire: there is no option "timeOut"; did you mean "timeout"?'],
      [resources.use(() => 1, { token } as never), 'acquire: there is no option "token"; did you mean "signal"?'],
      [
        resources.shutdown(5_000 as never),
        'shutdown: the options must be an object, got the number 5000: write { timeout: 5000 }',
      ],
      [workers.shutdown(5 as never), 'shutdown: the options must be an object, got the number 5: write { timeout: 5 }'],
    ];
    for (const [call, text] of calls) expect(await rejection(call)).toMatchObject({ name: 'TypeError', message: text });
    expect([workers.isClosed, resources.isClosed, resources.inFlightCount]).toEqual([false, false, 0]);
  });
});

describe('a method that is called without its handle', () => {
  it('throws an error that shows how to call it', async () => {
    const pool = new ResourcePool({ create: () => 1, max: 1 });
    const { stop } = pool;
    const { execute } = new WorkerPool({ concurrency: 1 });
    const { release } = await pool.acquire();
    expect(() => stop()).toThrow(
      'stop was called without its pool, on undefined: pass a function that calls pool.stop()',
    );
    expect(() => execute(() => 1)).toThrow('execute was called without its pool, on undefined');
    expect(() => release()).toThrow('release was called without its lease, on undefined');
  });
});

describe('inspect', () => {
  it('prints the name and state of a pool and a lease, and no payload', async () => {
    const workers = new WorkerPool({ concurrency: 1, name: 'mails' });
    const resources = new ResourcePool({ create: () => ({ password: 'secret' }), max: 1, name: 'db' });
    const lease = await resources.acquire();
    expect(inspect(workers, { breakLength: Number.POSITIVE_INFINITY })).toBe(
      "WorkerPool { name: 'mails', activeCount: 0, queuedCount: 0, waitingCount: 0, isPaused: false, isClosed: false }",
    );
    expect(inspect([resources, lease], { breakLength: Number.POSITIVE_INFINITY, depth: 5 })).toBe(
      "[ ResourcePool { name: 'db', inFlightCount: 1, idleCount: 0, isClosed: false }, Lease { pool: 'db', isOver: false } ]",
    );
    expect(JSON.stringify(lease)).toBe('{"pool":"db","isOver":false}');
  });
});

describe('missing options', () => {
  it.each([undefined, {}])('are named when the options are %s', async (options) => {
    const wrong = options as never;
    expect(() => new WorkerPool(wrong)).toThrow('concurrency must be an integer from 1, or Infinity, got undefined');
    expect(() => new ResourcePool(wrong)).toThrow('ResourcePool: create: expected a function, got undefined');
    const limits = 'timeout must be milliseconds from 0 to Infinity, got undefined';
    expect(await rejection(new WorkerPool({ concurrency: 1 }).shutdown(wrong))).toMatchObject({
      name: 'TypeError',
      message: `shutdown: ${limits}`,
    });
    expect(await rejection(new ResourcePool({ create: () => 1, max: 1 }).shutdown(wrong))).toMatchObject({
      name: 'TypeError',
      message: `shutdown: ${limits}`,
    });
  });
});
