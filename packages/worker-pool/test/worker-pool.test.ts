import { AsyncLocalStorage } from 'node:async_hooks';
import { CancellationToken, ClosedError, TimeoutError } from '@quiesce/cancellation-token';
import { VirtualClock } from '@quiesce/cancellation-token/testing';
import type { Drainable } from '@quiesce/scope';
import { sleep } from '@quiesce/select';
import { QueueFullError, WorkerPool, type WorkerPoolOptions } from '@quiesce/worker-pool';
import { describe, expect, it } from 'vitest';
import { macrotask, rejection, uncancellable } from './vocabulary.ts';

const never = CancellationToken.never;

function counts(pool: WorkerPool): number[] {
  return [pool.activeCount, pool.queuedCount, pool.waitingCount, pool.inFlightCount];
}

describe('a job', () => {
  it('starts within execute when a worker is free, and returns its result', async () => {
    const pool = new WorkerPool({ concurrency: 1 });
    const log: string[] = [];
    const result = pool.execute(async () => log.push('started'));
    expect(log).toEqual(['started']);
    expect(counts(pool)).toEqual([1, 0, 0, 1]);
    expect(await result).toBe(1);
    expect(counts(pool)).toEqual([0, 0, 0, 0]);
  });

  it('queues for a worker, first in, first out', async () => {
    const pool = new WorkerPool({ concurrency: 2 });
    const works = [uncancellable(), uncancellable(), uncancellable(), uncancellable()];
    const started: number[] = [];
    const results = works.map((work, i) =>
      pool.execute(() => work.run(), { name: `${i}` }).then(() => started.push(i)),
    );
    expect(counts(pool)).toEqual([2, 2, 0, 4]);
    works[1]?.fulfil();
    await macrotask();
    expect(counts(pool)).toEqual([2, 1, 0, 3]);
    for (const work of works) work.fulfil();
    await Promise.all(results);
    expect(started).toEqual([1, 0, 2, 3]);
  });

  it('runs before jobs of lower priority, and after earlier jobs of its own priority', async () => {
    const pool = new WorkerPool({ concurrency: 1 });
    const first = uncancellable();
    const order: string[] = [];
    const jobs = [pool.execute(first.run)];
    for (const [name, priority] of [
      ['a0', 0],
      ['b5', 5],
      ['c-1', -1],
      ['d5', 5],
      ['e0', 0],
    ] as const) {
      jobs.push(pool.execute(() => void order.push(name), { priority }));
    }
    first.fulfil();
    await Promise.all(jobs);
    expect(order).toEqual(['b5', 'd5', 'a0', 'e0', 'c-1']);
  });

  it('rejects only to its caller when it fails, and frees its worker', async () => {
    const pool = new WorkerPool({ concurrency: 1 });
    const error = new Error('job');
    const thrown = rejection(
      pool.execute((): number => {
        throw error;
      }),
    );
    const rejected = rejection(pool.execute(() => Promise.reject(error)));
    expect([await thrown, await rejected]).toEqual([error, error]);
    expect(await pool.execute(() => 'fine')).toBe('fine');
  });

  it('runs in the asynchronous context of the caller of execute', async () => {
    const storage = new AsyncLocalStorage<string>();
    const pool = new WorkerPool({ concurrency: 1 });
    const first = uncancellable();
    const blocker = storage.run('blocker', () => pool.execute(first.run));
    const seen = storage.run('caller', () => pool.execute(() => storage.getStore()));
    first.fulfil();
    await blocker;
    expect(await seen).toBe('caller');
    // While a storage is enabled, Node 20.19 ends the process when a later test overflows the stack.
    storage.disable();
  });

  it('may return any thenable, which is awaited, even one that throws or settles twice', async () => {
    const pool = new WorkerPool({ concurrency: 1 });
    const thenable = (then: (resolve: (value: string) => void, reject: (error: unknown) => void) => void): never =>
      ({ then }) as never;
    const fine = pool.execute(() => thenable((resolve) => setImmediate(resolve, 'late')));
    const throwing = rejection(
      pool.execute(() =>
        thenable(() => {
          throw 'thrown';
        }),
      ),
    );
    const twice = pool.execute(() =>
      thenable((resolve, reject) => {
        resolve('first');
        reject('second');
      }),
    );
    expect([await fine, await throwing, await twice]).toEqual(['late', 'thrown', 'first']);
    expect(counts(pool)).toEqual([0, 0, 0, 0]);
  });

  it('may give the pool another job, also synchronously', async () => {
    const pool = new WorkerPool({ concurrency: 1 });
    const inner: Promise<string>[] = [];
    await pool.execute(() => void inner.push(pool.execute(() => 'inner')));
    expect(await inner[0]).toBe('inner');
  });

  it('has its token cancelled by its time limit, and is still awaited', async () => {
    const clock = new VirtualClock();
    const pool = new WorkerPool({ concurrency: 1, timeout: 100, clock });
    const obeying = pool.execute(async (token) => {
      await token.cancelled();
      token.throwIfCancelled();
    });
    const error = rejection(obeying);
    await clock.advance(100);
    expect(await error).toBeInstanceOf(TimeoutError);
    const late = pool.execute((token) => token.cancelled().then(() => 'late, but done'), { timeout: 5 });
    await clock.advance(5);
    expect(await late).toBe('late, but done');
    expect(clock.pendingCount).toBe(0);
  });

  it('holds the process until its time limit, even when it never reads its token', async () => {
    const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
    const pool = new WorkerPool({ concurrency: 1 });
    const work = uncancellable();
    const before = timers();
    const job = pool.execute(work.run, { timeout: 60_000 });
    expect(timers()).toBe(before + 1);
    work.fulfil();
    await job;
    expect(timers()).toBe(before);
  });

  it('has its time limit counted from its start, not from the call', async () => {
    const clock = new VirtualClock();
    const pool = new WorkerPool({ concurrency: 1, clock });
    const first = uncancellable();
    const blocker = pool.execute(first.run);
    const second = pool.execute(async (token) => (token.deadline?.getTime() ?? 0) - clock.wall(), { timeout: 50 });
    await clock.advance(1_000);
    first.fulfil();
    await blocker;
    expect(await second).toBe(50);
  });

  it('never starts when its signal is cancelled before, in every queue', async () => {
    const pool = new WorkerPool({ concurrency: 1, capacity: 1 });
    const first = uncancellable();
    const blocker = pool.execute(first.run);
    const [queued, waiting] = [new CancellationToken(), new AbortController()];
    const inQueue = rejection(pool.execute(() => expect.unreachable(), { signal: queued }));
    const inLine = rejection(pool.execute(() => expect.unreachable(), { signal: waiting.signal }));
    const behind = pool.execute(() => 'behind');
    expect(counts(pool)).toEqual([1, 1, 2, 2]);
    waiting.abort('left');
    expect(counts(pool)).toEqual([1, 1, 1, 2]);
    queued.cancel('gone');
    expect(counts(pool)).toEqual([1, 1, 0, 2]);
    expect([await inQueue, await inLine]).toEqual(['gone', 'left']);
    expect(await rejection(pool.execute(() => expect.unreachable(), { signal: queued }))).toBe('gone');
    first.fulfil();
    await blocker;
    expect(await behind).toBe('behind');
  });

  it('has its token cancelled when its signal is cancelled while it runs, and rejects with the reason', async () => {
    const pool = new WorkerPool({ concurrency: 1 });
    const signal = new CancellationToken();
    const job = rejection(
      pool.execute(
        async (token) => {
          await token.cancelled();
          throw new DOMException('gave up', 'AbortError');
        },
        { signal },
      ),
    );
    signal.cancel('enough');
    expect(await job).toBe('enough');
    expect(signal.isCancelled).toBe(true);
  });

  it('never starts when its signal is cancelled between getting a worker and starting', async () => {
    const pool = new WorkerPool({ concurrency: 1 });
    const first = uncancellable();
    const signal = new CancellationToken();
    const blocker = pool.execute(first.run);
    const next = rejection(pool.execute(() => expect.unreachable(), { signal }));
    first.fulfil();
    // The worker is passed on in one of these microtasks. Cancelling in any of them must keep the job from starting.
    void blocker.then(() => signal.cancel('now'));
    expect(await next).toBe('now');
    expect(counts(pool)).toEqual([0, 0, 0, 0]);
  });
});

describe('a full queue', () => {
  const full = (options?: Partial<WorkerPoolOptions>): WorkerPool => {
    const pool = new WorkerPool({ concurrency: 1, capacity: 1, ...options });
    pool.execute(uncancellable().run).catch(() => {});
    pool.execute(() => 'queued').catch(() => {});
    return pool;
  };

  it('makes execute wait for room', async () => {
    const [first, log] = [uncancellable(), [] as string[]];
    const pool = new WorkerPool({ concurrency: 1, capacity: 1 });
    const all = [pool.execute(first.run), ...['a', 'b', 'c'].map((name) => pool.execute(() => void log.push(name)))];
    expect(counts(pool)).toEqual([1, 1, 2, 2]);
    first.fulfil();
    await Promise.all(all);
    expect(log).toEqual(['a', 'b', 'c']);
  });

  it('rejects with QueueFullError when `whenFull` is `refuse`, and loses no job', async () => {
    const pool = full({ whenFull: 'refuse' });
    const error = await rejection(pool.execute(() => expect.unreachable()));
    expect(error).toBeInstanceOf(QueueFullError);
    expect(error).toMatchObject({ name: 'QueueFullError', code: 'ERR_QUEUE_FULL', maxCapacity: 1 });
    expect(String(error)).toContain('the queue of pool "workers" is full (1)');
    expect(counts(pool)).toEqual([1, 1, 0, 2]);
  });

  it('passes jobs only to free workers when its capacity is 0', async () => {
    const pool = new WorkerPool({ concurrency: 1, capacity: 0 });
    const first = uncancellable<string>();
    const results = [pool.execute(first.run), pool.execute(() => 'second')];
    expect(counts(pool)).toEqual([1, 0, 1, 1]);
    first.fulfil('first');
    expect(await Promise.all(results)).toEqual(['first', 'second']);
  });

  it('rejects jobs that wait for room when the pool is closed, and runs the queued ones', async () => {
    const first = uncancellable();
    const pool = new WorkerPool({ concurrency: 1, capacity: 1 });
    const blocker = pool.execute(first.run);
    const queued = pool.execute(() => 'queued');
    const waiting = rejection(pool.execute(() => expect.unreachable()));
    pool.stop();
    pool.stop();
    expect(await waiting).toBeInstanceOf(ClosedError);
    expect(String(await rejection(pool.execute(() => expect.unreachable())))).toContain('pool "workers" is closed');
    first.fulfil();
    await blocker;
    expect(await queued).toBe('queued');
  });
});

describe('a paused pool', () => {
  it('starts no job until it is resumed, while running jobs continue', async () => {
    const pool = new WorkerPool({ concurrency: 2 });
    const first = uncancellable<string>();
    const running = pool.execute(first.run);
    pool.pause();
    expect(pool.isPaused).toBe(true);
    const queued = pool.execute(() => 'queued');
    first.fulfil('first');
    expect(await running).toBe('first');
    await macrotask();
    expect(counts(pool)).toEqual([0, 1, 0, 1]);
    pool.resume();
    expect(await queued).toBe('queued');
  });

  it('is resumed by drain', async () => {
    const pool = new WorkerPool({ concurrency: 1 });
    pool.pause();
    const queued = pool.execute(() => 'queued');
    await pool.drain(never);
    expect(await queued).toBe('queued');
  });
});

describe('shutdown', () => {
  it('lets accepted jobs end, and reports how many finished and which failed', async () => {
    const pool = new WorkerPool({ concurrency: 1 });
    const error = new Error('no paper');
    const before = pool.execute(() => 'before');
    await before;
    const failing = rejection(pool.execute(() => Promise.reject(error), { name: 'print' }));
    const fine = pool.execute(() => 'fine');
    const report = await pool.shutdown({ timeout: 1_000 });
    expect(report).toEqual({
      completedCount: 1,
      failed: [{ name: 'print', error }],
      cancelled: [],
      dropped: [],
      unfinished: [],
    });
    expect([await failing, await fine]).toEqual([error, 'fine']);
  });

  it('drops the queue at its time limit, cancels running jobs, and awaits them', async () => {
    const clock = new VirtualClock();
    const pool = new WorkerPool({ concurrency: 2, clock });
    const ended: string[] = [];
    const obeying = rejection(
      pool.execute(
        async (token) => {
          await token.cancelled();
          ended.push('cleaned up');
          token.throwIfCancelled();
        },
        { name: 'obeying' },
      ),
    );
    const insisting = pool.execute((token) => token.cancelled().then(() => 'still done'), { name: 'insisting' });
    const queued = rejection(pool.execute(() => expect.unreachable(), { name: 'queued' }));
    const shutdown = pool.shutdown({ timeout: 100 });
    await clock.advance(99);
    expect(ended).toEqual([]);
    await clock.advance(1);
    expect(await shutdown).toEqual({
      completedCount: 1,
      failed: [],
      cancelled: ['obeying'],
      dropped: ['queued'],
      unfinished: [],
    });
    expect(ended).toEqual(['cleaned up']);
    expect(await obeying).toBeInstanceOf(TimeoutError);
    expect(await queued).toBeInstanceOf(TimeoutError);
    expect(await insisting).toBe('still done');
    expect(clock.pendingCount).toBe(0);
  });

  it('names jobs that ignore their cancellation, with their running time, and their callers still get the results', async () => {
    const clock = new VirtualClock();
    const pool = new WorkerPool({ concurrency: 1, clock });
    const work = uncancellable<string>();
    const job = pool.execute(work.run, { name: 'uncancellable' });
    const shutdown = pool.shutdown({ timeout: 100, cleanupTimeout: 50 });
    await clock.advance(150);
    expect(await shutdown).toMatchObject({ cancelled: [], unfinished: [{ name: 'uncancellable', ageMs: 150 }] });
    work.fulfil('after all');
    expect(await job).toBe('after all');
    expect(pool.report()).toMatchObject({ completedCount: 1, unfinished: [] });
  });

  it('names jobs that never ran, also when their own signal or the deadline cancels them in the last microtask', async () => {
    const clock = new VirtualClock();
    const pool = new WorkerPool({ concurrency: 1, clock });
    const first = uncancellable();
    const [signal, deadline] = [new CancellationToken(), new CancellationToken()];
    const jobs = [
      pool.execute(first.run, { name: 'first' }),
      pool.execute(() => expect.unreachable(), { name: 'last' }).catch((error) => error),
      pool.execute(() => expect.unreachable(), { name: 'withdrawn', signal }).catch((error) => error),
    ];
    await clock.advance(70);
    const over = rejection(pool.drain(deadline));
    signal.cancel('withdrawn');
    first.fulfil();
    // The second job gets its worker when the first one has ended, and starts a microtask later.
    const reports = [pool.report()];
    while (pool.queuedCount > 0) await undefined;
    reports.push(pool.report());
    deadline.cancel('late');
    expect([await over, await Promise.all(jobs)]).toEqual(['late', [undefined, 'late', 'withdrawn']]);
    expect(reports.map(({ unfinished }) => unfinished)).toEqual([
      [{ name: 'first', ageMs: 70 }],
      [{ name: 'last', ageMs: 0 }],
    ]);
    expect(pool.report()).toMatchObject({
      completedCount: 1,
      cancelled: [],
      dropped: ['withdrawn', 'last'],
      unfinished: [],
    });
  });

  it('rejects a bad time and leaves the pool unchanged', async () => {
    const pool = new WorkerPool({ concurrency: 1 });
    expect(await rejection(pool.shutdown({ timeout: -1 }))).toBeInstanceOf(RangeError);
    expect(await rejection(pool.shutdown({ timeout: 1, cleanupTimeout: Number.NaN }))).toBeInstanceOf(RangeError);
    expect(pool.isClosed).toBe(false);
  });

  it('ends an idle pool at once, also with a time limit of 0, and twice', async () => {
    const pool = new WorkerPool({ concurrency: 1 });
    expect(await pool.shutdown({ timeout: 0 })).toMatchObject({ completedCount: 0, unfinished: [] });
    expect(await pool.shutdown({ timeout: 0 })).toMatchObject({ completedCount: 0, unfinished: [] });
  });
});

describe('the pool as a Drainable', () => {
  it('has a name, counts jobs in flight, stops, and drains with a deadline', async () => {
    const pool = new WorkerPool({ concurrency: 1, name: 'mails' });
    const part: Drainable = pool;
    const job = rejection(pool.execute((token) => token.cancelled().then(() => token.throwIfCancelled())));
    expect([part.name, part.inFlightCount]).toEqual(['mails', 1]);
    part.stop();
    const deadline = new CancellationToken();
    const over = rejection(part.drain(deadline));
    deadline.cancel('late');
    expect([await over, await job]).toEqual(['late', 'late']);
    expect(part.inFlightCount).toBe(0);
    await pool.drain(new AbortController().signal);
  });

  it('drops queued jobs and cancels running ones by `abort`, and `drain` fulfils when they have ended', async () => {
    const clock = new VirtualClock();
    const pool = new WorkerPool({ concurrency: 1, cleanupTimeout: 0, clock });
    const part: Drainable = pool;
    const slow = rejection(
      pool.execute(async (token) => {
        await token.cancelled();
        await sleep(50, { clock });
        throw token.reason;
      }),
    );
    const queued = rejection(pool.execute(() => expect.unreachable(), { name: 'queued' }));
    const drained = part.drain(CancellationToken.never).then(() => clock.now());
    part.abort?.('late');
    part.abort?.('later');
    expect(pool.queuedCount).toBe(0);
    expect(await clock.run(() => Promise.all([slow, queued, drained]))).toEqual(['late', 'late', 50]);
    expect(pool.report()).toMatchObject({ dropped: ['queued'], cancelled: ['job'], unfinished: [] });
  });

  it('is closed by `abort`, also without `stop`', async () => {
    const pool = new WorkerPool({ concurrency: 1 });
    pool.pause();
    const queued = rejection(pool.execute(() => expect.unreachable()));
    pool.abort('now');
    expect([pool.isClosed, await queued]).toEqual([true, 'now']);
    expect(await rejection(pool.execute(() => {}))).toBeInstanceOf(ClosedError);
    await pool.drain(CancellationToken.never);
  });
});

describe('validation', () => {
  it.each([
    [{ concurrency: 0 }, 'concurrency must be an integer from 1'],
    [{ concurrency: 1.5 }, 'concurrency must be an integer from 1'],
    [{}, 'concurrency must be an integer from 1'],
    [{ concurrency: 1, capacity: -1 }, 'capacity must be an integer from 0'],
    [{ concurrency: 1, timeout: Number.NaN }, 'timeout must be milliseconds'],
    [{ concurrency: 1, cleanupTimeout: -5 }, 'cleanupTimeout must be milliseconds'],
    [{ concurrency: 1, whenFull: 'drop' }, "whenFull must be 'wait' or 'refuse'"],
  ])('the constructor rejects %o', (options, text) => {
    expect(() => new WorkerPool(options as WorkerPoolOptions)).toThrow(text);
  });

  it.each([
    ['a value that is not a function', 5, {}],
    ['a bad time limit', () => {}, { timeout: -1 }],
    ['a bad priority', () => {}, { priority: Number.NaN }],
    ['a bad signal', () => {}, { signal: {} }],
  ])('execute rejects %s, and counts nothing', async (_, job, options) => {
    const pool = new WorkerPool({ concurrency: 1 });
    expect(await rejection(pool.execute(job as never, options as never))).toBeInstanceOf(Error);
    expect(counts(pool)).toEqual([0, 0, 0, 0]);
  });
});

it('rejects running and queued jobs with one reason when `abort` gets none', async () => {
  const pool = new WorkerPool({ concurrency: 1, name: 'mails' });
  const errors = [1, 2].map(() =>
    rejection(pool.execute((token) => token.cancelled().then(() => token.throwIfCancelled()))),
  );
  pool.abort();
  const [running, queued] = await Promise.all(errors);
  expect(running).toBe(queued);
  expect(running).toMatchObject({ name: 'AbortError', message: 'Pool "mails" was aborted' });
});
