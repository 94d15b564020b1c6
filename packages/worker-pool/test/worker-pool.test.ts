import { AsyncLocalStorage } from 'node:async_hooks';
import { CancellationToken, ClosedError, TimeoutError } from '@quiesce/cancellation-token';
import { VirtualClock } from '@quiesce/cancellation-token/testing';
import type { Drainable } from '@quiesce/scope';
import { QueueFullError, WorkerPool, type WorkerPoolOptions } from '@quiesce/worker-pool';
import { describe, expect, it } from 'vitest';
import { deaf, rejection, turn } from './vocabulary.ts';

const never = CancellationToken.never;

function counts(pool: WorkerPool): number[] {
  return [pool.activeCount, pool.queued, pool.waiting, pool.inFlight];
}

describe('a job', () => {
  it('starts inside execute when a worker is free, and gives its result', async () => {
    const pool = new WorkerPool({ concurrency: 1 });
    const log: string[] = [];
    const result = pool.execute(async () => log.push('started'));
    expect(log).toEqual(['started']);
    expect(counts(pool)).toEqual([1, 0, 0, 1]);
    expect(await result).toBe(1);
    expect(counts(pool)).toEqual([0, 0, 0, 0]);
  });

  it('waits in the queue for a worker, first come, first served', async () => {
    const pool = new WorkerPool({ concurrency: 2 });
    const works = [deaf(), deaf(), deaf(), deaf()];
    const started: number[] = [];
    const results = works.map((work, i) =>
      pool.execute(() => work.run(), { name: `${i}` }).then(() => started.push(i)),
    );
    expect(counts(pool)).toEqual([2, 2, 0, 4]);
    works[1]?.fulfil();
    await turn();
    expect(counts(pool)).toEqual([2, 1, 0, 3]);
    for (const work of works) work.fulfil();
    await Promise.all(results);
    expect(started).toEqual([1, 0, 2, 3]);
  });

  it('goes before those of lower priority, and behind those of its own', async () => {
    const pool = new WorkerPool({ concurrency: 1 });
    const first = deaf();
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

  it('that fails rejects to its caller alone, and ends no worker', async () => {
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

  it('runs in the asynchronous context of whoever called execute', async () => {
    const storage = new AsyncLocalStorage<string>();
    const pool = new WorkerPool({ concurrency: 1 });
    const first = deaf();
    const blocker = storage.run('blocker', () => pool.execute(first.run));
    const seen = storage.run('caller', () => pool.execute(() => storage.getStore()));
    first.fulfil();
    await blocker;
    expect(await seen).toBe('caller');
    // While one is enabled, Node 20.19 ends the process when a later test overflows the stack.
    storage.disable();
  });

  it('may return any thenable, which is awaited, also one that throws or settles twice', async () => {
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

  it('has a token that its time limit cancels, and is awaited all the same', async () => {
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
    expect(clock.pending).toBe(0);
  });

  it('holds the process until its time limit, though it never looks at its token', async () => {
    const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
    const pool = new WorkerPool({ concurrency: 1 });
    const work = deaf();
    const before = timers();
    const job = pool.execute(work.run, { timeout: 60_000 });
    expect(timers()).toBe(before + 1);
    work.fulfil();
    await job;
    expect(timers()).toBe(before);
  });

  it('has its time limit counted from its start, and not from its call', async () => {
    const clock = new VirtualClock();
    const pool = new WorkerPool({ concurrency: 1, clock });
    const first = deaf();
    const blocker = pool.execute(first.run);
    const second = pool.execute(async (token) => (token.deadline?.getTime() ?? 0) - clock.wall(), { timeout: 50 });
    await clock.advance(1_000);
    first.fulfil();
    await blocker;
    expect(await second).toBe(50);
  });

  it('never starts when its signal is cancelled before, wherever it stands', async () => {
    const pool = new WorkerPool({ concurrency: 1, capacity: 1 });
    const first = deaf();
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

  it('is told when its signal is cancelled while it runs, and rejects with the reason', async () => {
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

  it('whose signal is cancelled between its turn and its start, never starts', async () => {
    const pool = new WorkerPool({ concurrency: 1 });
    const first = deaf();
    const signal = new CancellationToken();
    const blocker = pool.execute(first.run);
    const next = rejection(pool.execute(() => expect.unreachable(), { signal }));
    first.fulfil();
    // The worker passes on in one of these microtasks; cancelling in each of them must never start the job.
    void blocker.then(() => signal.cancel('now'));
    expect(await next).toBe('now');
    expect(counts(pool)).toEqual([0, 0, 0, 0]);
  });
});

describe('a full queue', () => {
  const full = (options?: Partial<WorkerPoolOptions>): WorkerPool => {
    const pool = new WorkerPool({ concurrency: 1, capacity: 1, ...options });
    pool.execute(deaf().run).catch(() => {});
    pool.execute(() => 'queued').catch(() => {});
    return pool;
  };

  it('lets execute wait for room', async () => {
    const [first, log] = [deaf(), [] as string[]];
    const pool = new WorkerPool({ concurrency: 1, capacity: 1 });
    const all = [pool.execute(first.run), ...['a', 'b', 'c'].map((name) => pool.execute(() => void log.push(name)))];
    expect(counts(pool)).toEqual([1, 1, 2, 2]);
    first.fulfil();
    await Promise.all(all);
    expect(log).toEqual(['a', 'b', 'c']);
  });

  it('refuses, where that is the policy, and loses nothing', async () => {
    const pool = full({ whenFull: 'refuse' });
    const error = await rejection(pool.execute(() => expect.unreachable()));
    expect(error).toBeInstanceOf(QueueFullError);
    expect(error).toMatchObject({ name: 'QueueFullError', code: 'ERR_QUEUE_FULL', capacity: 1 });
    expect(String(error)).toContain('the queue of pool "workers" is full (1)');
    expect(counts(pool)).toEqual([1, 1, 0, 2]);
  });

  it('of capacity 0 hands jobs to free workers only', async () => {
    const pool = new WorkerPool({ concurrency: 1, capacity: 0 });
    const first = deaf<string>();
    const results = [pool.execute(first.run), pool.execute(() => 'second')];
    expect(counts(pool)).toEqual([1, 0, 1, 1]);
    first.fulfil('first');
    expect(await Promise.all(results)).toEqual(['first', 'second']);
  });

  it('when the pool is closed, refuses those that wait for room, and runs those in it', async () => {
    const first = deaf();
    const pool = new WorkerPool({ concurrency: 1, capacity: 1 });
    const blocker = pool.execute(first.run);
    const queued = pool.execute(() => 'queued');
    const waiting = rejection(pool.execute(() => expect.unreachable()));
    pool.close();
    pool.close();
    expect(await waiting).toBeInstanceOf(ClosedError);
    expect(String(await rejection(pool.execute(() => expect.unreachable())))).toContain('pool "workers" is closed');
    first.fulfil();
    await blocker;
    expect(await queued).toBe('queued');
  });
});

describe('a paused pool', () => {
  it('starts nothing until it is resumed; what runs goes on', async () => {
    const pool = new WorkerPool({ concurrency: 2 });
    const first = deaf<string>();
    const running = pool.execute(first.run);
    pool.pause();
    expect(pool.isPaused).toBe(true);
    const queued = pool.execute(() => 'queued');
    first.fulfil('first');
    expect(await running).toBe('first');
    await turn();
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
  it('lets accepted jobs end, and says who finished and who failed', async () => {
    const pool = new WorkerPool({ concurrency: 1 });
    const error = new Error('no paper');
    const before = pool.execute(() => 'before');
    await before;
    const failing = rejection(pool.execute(() => Promise.reject(error), { name: 'print' }));
    const fine = pool.execute(() => 'fine');
    const report = await pool.shutdown({ timeout: 1_000 });
    expect(report).toEqual({
      finished: 1,
      failed: [{ name: 'print', error }],
      cancelled: [],
      dropped: [],
      unfinished: [],
    });
    expect([await failing, await fine]).toEqual([error, 'fine']);
  });

  it('at its time limit drops the queue, cancels what runs, and awaits it', async () => {
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
    const insisting = pool.execute((token) => token.cancelled().then(() => 'done all the same'), { name: 'insisting' });
    const queued = rejection(pool.execute(() => expect.unreachable(), { name: 'queued' }));
    const shutdown = pool.shutdown({ timeout: 100 });
    await clock.advance(99);
    expect(ended).toEqual([]);
    await clock.advance(1);
    expect(await shutdown).toEqual({
      finished: 1,
      failed: [],
      cancelled: ['obeying'],
      dropped: ['queued'],
      unfinished: [],
    });
    expect(ended).toEqual(['cleaned up']);
    expect(await obeying).toBeInstanceOf(TimeoutError);
    expect(await queued).toBeInstanceOf(TimeoutError);
    expect(await insisting).toBe('done all the same');
    expect(clock.pending).toBe(0);
  });

  it('names those that ignore it, and for how long they have run; their outcome is their caller’s', async () => {
    const clock = new VirtualClock();
    const pool = new WorkerPool({ concurrency: 1, clock });
    const work = deaf<string>();
    const job = pool.execute(work.run, { name: 'deaf' });
    const shutdown = pool.shutdown({ timeout: 100, cancelTimeout: 50 });
    await clock.advance(150);
    expect(await shutdown).toMatchObject({ cancelled: [], unfinished: [{ name: 'deaf', ageMs: 150 }] });
    work.fulfil('after all');
    expect(await job).toBe('after all');
    expect(pool.report()).toMatchObject({ finished: 1, unfinished: [] });
  });

  it('names those that never ran, also when their own signal or the deadline takes them in the last microtask', async () => {
    const clock = new VirtualClock();
    const pool = new WorkerPool({ concurrency: 1, clock });
    const first = deaf();
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
    // The second one has its worker when the first one has ended, and starts a microtask later.
    const reports = [pool.report()];
    while (pool.queued > 0) await undefined;
    reports.push(pool.report());
    deadline.cancel('late');
    expect([await over, await Promise.all(jobs)]).toEqual(['late', [undefined, 'late', 'withdrawn']]);
    expect(reports.map(({ unfinished }) => unfinished)).toEqual([
      [{ name: 'first', ageMs: 70 }],
      [{ name: 'last', ageMs: 0 }],
    ]);
    expect(pool.report()).toMatchObject({ finished: 1, cancelled: [], dropped: ['withdrawn', 'last'], unfinished: [] });
  });

  it('refuses a bad time, and nothing has happened then', async () => {
    const pool = new WorkerPool({ concurrency: 1 });
    expect(await rejection(pool.shutdown({ timeout: -1 }))).toBeInstanceOf(RangeError);
    expect(await rejection(pool.shutdown({ timeout: 1, cancelTimeout: Number.NaN }))).toBeInstanceOf(RangeError);
    expect(pool.isClosed).toBe(false);
  });

  it('of an idle pool ends at once, also with a time limit of 0, and twice', async () => {
    const pool = new WorkerPool({ concurrency: 1 });
    expect(await pool.shutdown({ timeout: 0 })).toMatchObject({ finished: 0, unfinished: [] });
    expect(await pool.shutdown({ timeout: 0 })).toMatchObject({ finished: 0, unfinished: [] });
  });
});

describe('the pool as a Drainable', () => {
  it('has a name, counts what is in flight, stops, and drains with a deadline', async () => {
    const pool = new WorkerPool({ concurrency: 1, name: 'mails' });
    const part: Drainable = pool;
    const job = rejection(pool.execute((token) => token.cancelled().then(() => token.throwIfCancelled())));
    expect([part.name, part.inFlight]).toEqual(['mails', 1]);
    part.stop();
    const deadline = new CancellationToken();
    const over = rejection(part.drain(deadline));
    deadline.cancel('late');
    expect([await over, await job]).toEqual(['late', 'late']);
    expect(part.inFlight).toBe(0);
    await pool.drain(new AbortController().signal);
  });
});

describe('what is refused', () => {
  it.each([
    [{ concurrency: 0 }, 'concurrency must be an integer from 1'],
    [{ concurrency: 1.5 }, 'concurrency must be an integer from 1'],
    [{}, 'concurrency must be an integer from 1'],
    [{ concurrency: 1, capacity: -1 }, 'capacity must be an integer from 0'],
    [{ concurrency: 1, timeout: Number.NaN }, 'timeout must be milliseconds'],
    [{ concurrency: 1, cancelTimeout: -5 }, 'cancelTimeout must be milliseconds'],
    [{ concurrency: 1, whenFull: 'drop' }, "whenFull must be 'wait' or 'refuse'"],
  ])('%o', (options, text) => {
    expect(() => new WorkerPool(options as WorkerPoolOptions)).toThrow(text);
  });

  it.each([
    ['no function', 5, {}],
    ['a time limit that is none', () => {}, { timeout: -1 }],
    ['a priority that is none', () => {}, { priority: Number.NaN }],
    ['a signal that is none', () => {}, { signal: {} }],
  ])('%s, and nothing is counted then', async (_, job, options) => {
    const pool = new WorkerPool({ concurrency: 1 });
    expect(await rejection(pool.execute(job as never, options as never))).toBeInstanceOf(Error);
    expect(counts(pool)).toEqual([0, 0, 0, 0]);
  });
});
