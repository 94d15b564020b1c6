// Runs the real BullMQ against a real Redis.
import { type DrainableWorkerOptions, drainableWorker, LockLostError } from '@quiesce/adapters/bullmq';
import { CancellationToken, CleanupTimeoutError } from '@quiesce/cancellation-token';
import { Shutdown } from '@quiesce/shutdown';
import { DelayedError, type Job, type Processor, Queue, Worker, type WorkerOptions } from 'bullmq';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { redis, startRedis, type TestServer } from './servers.ts';
import { gate, openHandleCount, rejection, until } from './vocabulary.ts';

type Work = (job: Job, token: CancellationToken) => unknown;

describe.skipIf(redis.isMissing)(`a drainable worker of BullMQ${redis.note}`, () => {
  let server: TestServer;
  let client: Redis;
  let queue: Queue;
  let queueCount = 0;

  beforeAll(async () => {
    server = await startRedis();
    client = new Redis(server.port, '127.0.0.1');
  });
  afterEach(async () => {
    server.thaw();
    await queue.close();
  });
  afterAll(async () => {
    client.disconnect();
    await server.stop();
  });

  const connection = (): { host: string; port: number } => ({ host: '127.0.0.1', port: server.port });

  /** Makes a queue, and starts a worker for it. */
  function start(work: Work, options: DrainableWorkerOptions = {}, more: Partial<WorkerOptions> = {}) {
    queue = new Queue(`queue-${++queueCount}`, { connection: connection() });
    return startNext(work, options, more);
  }

  /** Starts another worker for the same queue. */
  function startNext(work: Work, options: DrainableWorkerOptions = {}, more: Partial<WorkerOptions> = {}) {
    const events: string[] = [];
    const create = (processor: Processor) => {
      const worker = new Worker(queue.name, processor, { connection: connection(), ...more });
      worker.on('failed', (_, error) => events.push(`failed: ${error.message}`));
      worker.on('error', (error) => events.push(`error: ${error.message}`));
      return worker;
    };
    return { drainable: drainableWorker(create, work, options), events };
  }

  /** The state, the attempts and the result of a job in Redis. */
  async function stored({ id = '' }: Job) {
    const { attemptsMade, returnvalue } = (await queue.getJob(id)) as Job;
    return { state: await queue.getJobState(id), attemptsMade, returnvalue };
  }

  it('waits for the running job, and leaves the waiting ones in the queue', async () => {
    const [begun, released] = [gate(), gate()];
    const { drainable, events } = start(async () => {
      begun.open();
      await released;
      return 'sent';
    });
    const [first, second] = [await queue.add('mail', {}), await queue.add('mail', {})];
    await begun;
    expect(drainable).toMatchObject({
      name: queue.name,
      inFlightNames: ['mail 1'],
      inFlightCount: 1,
      isAccepting: true,
    });
    drainable.stop();
    expect(drainable.isAccepting).toBe(false);
    const drained = drainable.drain(CancellationToken.never);
    released.open();
    await drained;
    expect(await stored(first)).toMatchObject({ state: 'completed', returnvalue: 'sent' });
    expect(await stored(second)).toMatchObject({ state: 'waiting' });
    expect([drainable.inFlightCount, events]).toEqual([0, []]);
  });

  it('cancels the token with the reason of `abort`, and gives the job back without an attempt', async () => {
    const begun = gate();
    const { drainable, events } = start(async (_, token) => {
      begun.open();
      await token.cancelled();
      throw token.reason;
    });
    const job = await queue.add('mail', {}, { attempts: 1 });
    await begun;
    drainable.stop();
    const drained = drainable.drain(CancellationToken.never);
    drainable.abort('deploy');
    await drained;
    expect(await stored(job)).toMatchObject({ state: 'waiting', attemptsMade: 0 });
    const next = startNext(async () => 'sent later');
    await until(() => queue.getJobState(job.id as string), 'completed');
    await next.drainable.drain(CancellationToken.never);
    expect(await stored(job)).toMatchObject({ attemptsMade: 1, returnvalue: 'sent later' });
    expect(events).toEqual([]);
  });

  it('waits for the running job of a worker that the program has paused, until the deadline', async () => {
    const begun = gate();
    const { drainable } = start(async (_, token) => {
      begun.open();
      await fetchForever(token);
    });
    const job = await queue.add('mail', {});
    await begun;
    await drainable.worker.pause(true);
    const deadline = new CancellationToken();
    const drained = rejection(drainable.drain(deadline));
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(drainable.inFlightCount).toBe(1);
    deadline.cancel('deadline');
    expect([await drained, (await stored(job)).state]).toEqual(['deadline', 'waiting']);
  });

  it('gives a job with a priority back to its place', async () => {
    const begun = gate();
    const { drainable } = start(async (_, token) => {
      begun.open();
      await fetchForever(token);
    });
    const job = await queue.add('mail', {}, { priority: 3 });
    await begun;
    drainable.abort('deploy');
    await drainable.drain(CancellationToken.never);
    expect(await stored(job)).toMatchObject({ state: 'prioritized', attemptsMade: 0 });
  });

  it('cancels the token when the signal of `drain` is cancelled, and rejects with its reason', async () => {
    const begun = gate();
    let reason: unknown;
    const { drainable } = start(async (_, token) => {
      begun.open();
      await token.cancelled();
      reason = token.reason;
      throw reason;
    });
    const job = await queue.add('mail', {});
    await begun;
    const deadline = new CancellationToken();
    const drained = rejection(drainable.drain(deadline));
    deadline.cancel('deadline');
    expect([await drained, reason]).toEqual(['deadline', 'deadline']);
    expect(await stored(job)).toMatchObject({ state: 'waiting', attemptsMade: 0 });
  });

  it('records a value that the job returns, and an error of its own, after the cancellation', async () => {
    const begun = gate();
    const { drainable, events } = start(
      async (job, token) => {
        if (job.name === 'fails') begun.open();
        await token.cancelled();
        if (job.name === 'fails') throw new Error('rollback failed');
        return 'done at last';
      },
      {},
      { concurrency: 2 },
    );
    const [returns, fails] = [await queue.add('returns', {}), await queue.add('fails', {})];
    await begun;
    drainable.abort('deploy');
    await drainable.drain(CancellationToken.never);
    expect(await stored(returns)).toMatchObject({ state: 'completed', returnvalue: 'done at last' });
    expect(await stored(fails)).toMatchObject({ state: 'failed', attemptsMade: 1 });
    expect(events).toEqual(['failed: rollback failed']);
  });

  it('gives back a job that ignores its token after `cleanupTimeout`, names it, and drops its result', async () => {
    const [begun, released] = [gate(), gate()];
    const { drainable, events } = start(
      async () => {
        begun.open();
        await released;
        return 'too late';
      },
      { name: 'mails', cleanupTimeout: 20 },
    );
    const job = await queue.add('mail', {});
    await begun;
    drainable.abort('deploy');
    const error = (await rejection(drainable.drain(CancellationToken.never))) as CleanupTimeoutError;
    expect(error).toBeInstanceOf(CleanupTimeoutError);
    expect(error.message).toMatch(/^"mails": cancelled work did not end within 20 ms: "mail 1" \(running for \d+ ms\)/);
    released.open();
    expect(await stored(job)).toMatchObject({ state: 'waiting', attemptsMade: 0, returnvalue: null });
    expect(events).toEqual([]);
  });

  it('gives back a job that was fetched before the worker stopped, without starting it', async () => {
    let startCount = 0;
    const { drainable } = start(async () => startCount++);
    drainable.worker.on('active', () => drainable.stop());
    const job = await queue.add('mail', {});
    await until(() => drainable.isAccepting, false);
    await drainable.drain(CancellationToken.never);
    expect([startCount, await stored(job)]).toMatchObject([0, { state: 'waiting', attemptsMade: 0 }]);
  });

  it('cancels the token of a job whose lock was taken, and leaves the job to the next worker', async () => {
    const [begun, lost] = [gate(), gate()];
    let reason: unknown;
    const locks = { lockDuration: 1_000, stalledInterval: 100 };
    const { drainable, events } = start(
      async (job, token) => {
        if (job.stalledCounter > 0) return 'second run';
        begun.open();
        await token.cancelled();
        reason = token.reason;
        lost.open();
        return 'first run';
      },
      {},
      locks,
    );
    const job = await queue.add('mail', {});
    await begun;
    await client.del(`bull:${queue.name}:${job.id}:lock`);
    await lost;
    await until(() => queue.getJobState(job.id as string), 'completed');
    await drainable.drain(CancellationToken.never);
    expect(reason).toBeInstanceOf(LockLostError);
    expect(reason).toMatchObject({ code: 'ERR_LOCK_LOST', job: 'mail 1' });
    expect((await stored(job)).returnvalue).toBe('second run');
    expect(events).toEqual(['error: could not renew lock for job 1']);
  });

  it('cancels the token when Redis cannot be reached for as long as the lock lasts', async () => {
    const begun = gate();
    const lost = gate();
    let reason: unknown;
    const { drainable } = start(
      async (_, token) => {
        begun.open();
        await token.cancelled();
        reason = token.reason;
        lost.open();
        throw reason;
      },
      {},
      { lockDuration: 200 },
    );
    await queue.add('mail', {});
    await begun;
    server.freeze();
    await lost;
    expect(String(reason)).toBe(
      'LockLostError: The lock of job "mail 1" is lost: its lock of 200 ms was not renewed. Another worker may run it',
    );
    server.thaw();
    await drainable.drain(CancellationToken.never);
  });

  it('keeps the token of a long job whose lock is renewed', async () => {
    const { drainable } = start(
      async (_, token) => {
        await new Promise((resolve) => setTimeout(resolve, 2_500));
        return token.isCancelled;
      },
      {},
      { lockDuration: 1_000 },
    );
    const job = await queue.add('mail', {});
    await until(() => queue.getJobState(job.id as string), 'completed');
    await drainable.drain(CancellationToken.never);
    expect((await stored(job)).returnvalue).toBe(false);
  });

  it('takes a `lockDuration` and a `cleanupTimeout` of more than 2^31-1 ms', async () => {
    const cancelled = gate();
    let isLost: boolean | undefined;
    const { drainable } = start(
      async (_, token) => {
        await new Promise((resolve) => setTimeout(resolve, 20));
        isLost = token.isCancelled;
        cancelled.open();
        await token.cancelled();
        await new Promise((resolve) => setTimeout(resolve, 20));
        return 'cleaned up';
      },
      { cleanupTimeout: 2 ** 31 },
      { lockDuration: 2 ** 31 },
    );
    const job = await queue.add('mail', {});
    await cancelled;
    drainable.abort('deploy');
    await drainable.drain(CancellationToken.never);
    expect([isLost, (await stored(job)).returnvalue]).toEqual([false, 'cleaned up']);
  });

  it('starts no job when the program resumes its worker after `stop`', async () => {
    let startCount = 0;
    const { drainable } = start(() => {
      startCount++;
    });
    await drainable.worker.waitUntilReady();
    drainable.stop();
    await drainable.worker.resume();
    const job = await queue.add('mail', {});
    await drainable.drain(CancellationToken.never);
    expect([startCount, (await stored(job)).state]).toEqual([0, 'waiting']);
  });

  it('lets a job delay itself, by the lock token of the job', async () => {
    const { drainable, events } = start(async (job) => {
      if (job.attemptsStarted > 1) return 'second run';
      await job.moveToDelayed(Date.now() + 20, job.token);
      throw new DelayedError();
    });
    const job = await queue.add('mail', {});
    await until(() => queue.getJobState(job.id as string), 'completed');
    await drainable.drain(CancellationToken.never);
    expect([events, (await stored(job)).returnvalue]).toEqual([[], 'second run']);
  });

  it('records the outcome of a job whose connection was killed', async () => {
    const [begun, released] = [gate(), gate()];
    const { drainable } = start(async () => {
      begun.open();
      await released;
      return 'sent';
    });
    const job = await queue.add('mail', {});
    await begun;
    const drained = drainable.drain(CancellationToken.never);
    await client.client('KILL', 'TYPE', 'normal');
    released.open();
    await drained;
    expect(await stored(job)).toMatchObject({ state: 'completed', returnvalue: 'sent' });
  });

  it('ends when Redis cannot be reached', async () => {
    const begun = gate();
    const { drainable } = start(
      async (_, token) => {
        begun.open();
        await fetchForever(token);
      },
      { cleanupTimeout: 20 },
    );
    const job = await queue.add('mail', {});
    await begun;
    server.freeze();
    drainable.abort('deploy');
    await drainable.drain(CancellationToken.never);
    server.thaw();
    // Redis may still execute what it had received when the connection was closed.
    expect((await stored(job)).state).toMatch(/active|waiting/);
  });

  it('`worker.cancelJob` cancels the token, and the job fails with the reason', async () => {
    const begun = gate();
    const { drainable, events } = start(async (_, token) => {
      begun.open();
      await token.cancelled();
      throw new Error(`stopped: ${token.reason}`);
    });
    const job = await queue.add('mail', {});
    await begun;
    drainable.worker.cancelJob(job.id as string, 'not needed');
    await until(() => queue.getJobState(job.id as string), 'failed');
    await drainable.drain(CancellationToken.never);
    expect(events).toEqual(['failed: stopped: not needed']);
  });

  it('drains in a shutdown, which reports the job that was cut off', async () => {
    const begun = gate();
    const { drainable } = start(async (_, token) => {
      begun.open();
      await fetchForever(token);
    });
    await queue.add('mail', {});
    await begun;
    const shutdown = new Shutdown({ drainTimeout: 50 });
    shutdown.add(drainable);
    shutdown.request('SIGTERM');
    const report = await shutdown.stopped();
    expect(report.cutOff).toEqual([{ name: queue.name, inFlightCount: 1, names: ['mail 1'] }]);
    expect(report.errors).toEqual([]);
  });

  it('leaves no socket and no timer open', async () => {
    const before = openHandleCount();
    const { drainable } = start(async () => {});
    const job = await queue.add('mail', {});
    await until(() => queue.getJobState(job.id as string), 'completed');
    await drainable.drain(CancellationToken.never);
    await queue.close();
    await until(() => openHandleCount() <= before, true);
  });
});

/** Waits as a request does: rejects with an `AbortError` when its signal is aborted. */
async function fetchForever(token: CancellationToken): Promise<never> {
  await token.cancelled();
  throw new DOMException('This operation was aborted', 'AbortError');
}
