// Runs the real pg-boss, in each supported version, against a real PostgreSQL.
import {
  type DrainableQueueOptions,
  drainableQueue,
  LockLostError,
  type QueueBoss,
  type QueueJob,
} from '@quiesce/adapters/pg-boss';
import { CancellationToken, CleanupTimeoutError } from '@quiesce/cancellation-token';
import { Shutdown } from '@quiesce/shutdown';
import pg from 'pg';
import PgBoss10 from 'pg-boss';
import PgBoss11 from 'pg-boss-11';
import { PgBoss as PgBoss12 } from 'pg-boss-12';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { postgres, startPostgres, type TestServer } from './servers.ts';
import { gate, openHandleCount, rejection, until } from './vocabulary.ts';

type Work = (job: QueueJob<object>, token: CancellationToken) => unknown;

const versions = [
  { version: 10, Boss: PgBoss10 },
  { version: 11, Boss: PgBoss11 },
  { version: 12, Boss: PgBoss12 },
];

describe.skipIf(postgres.isMissing)(`a drainable queue of pg-boss${postgres.note}`, () => {
  let server: TestServer;
  let client: pg.Client;

  beforeAll(async () => {
    server = await startPostgres();
    client = new pg.Client(connection());
    await client.connect();
  });
  afterAll(async () => {
    await client.end();
    await server.stop();
  });

  const connection = () => ({ host: '127.0.0.1', port: server.port, user: 'postgres', database: 'postgres' });

  describe.each(versions)('version $version', ({ version, Boss }) => {
    const schema = `boss${version}`;
    let boss: PgBoss10;
    let queue: string;
    let queueCount = 0;
    let errors: string[];

    beforeAll(async () => {
      boss = new (Boss as typeof PgBoss10)({ ...connection(), schema });
      boss.on('error', ({ message }) => errors.push(message));
      errors = [];
      await boss.start();
    });
    beforeEach(() => {
      errors = [];
      queue = `queue-${++queueCount}`;
    });
    afterAll(() => boss.stop({ graceful: false }));

    /** Makes the queue of the test, and starts a consumer of it. */
    async function start(work: Work, options: DrainableQueueOptions = {}) {
      await boss.createQueue(queue);
      return startNext(work, options);
    }

    function startNext(work: Work, options: DrainableQueueOptions = {}) {
      return drainableQueue(boss, queue, work, { pollingInterval: 20, ...options });
    }

    /** The same boss, with another `fetch`. */
    function withFetch(
      fetch: (name: string, options: { includeMetadata: true; batchSize: number }) => Promise<unknown>,
    ): QueueBoss {
      const methods = [
        'complete',
        'fail',
        'cancel',
        'resume',
        'getJobById',
        'emit',
        ...(version > 11 ? ['touch'] : []),
      ];
      const bound = methods.map((name) => [name, (Reflect.get(boss, name) as () => unknown).bind(boss)]);
      return { ...(Object.fromEntries(bound) as QueueBoss), fetch: fetch as QueueBoss['fetch'] };
    }

    const send = async (options = {}): Promise<string> => (await boss.send(queue, {}, options)) as string;
    const stored = async (id: string) => (await boss.getJobById<object>(queue, id)) as QueueJob<object> & StoredJob;
    const state = async (id: string): Promise<string> => (await stored(id)).state;

    it('waits for the running job, and leaves the waiting ones in the queue', async () => {
      const [begun, released] = [gate(), gate()];
      const drainable = await start(async () => {
        begun.open();
        await released;
        return { sent: true };
      });
      const first = await send();
      await begun;
      const second = await send();
      expect(drainable).toMatchObject({ name: queue, inFlightNames: [`${queue} ${first}`], inFlightCount: 1 });
      drainable.stop();
      expect(drainable.isAccepting).toBe(false);
      const drained = drainable.drain(CancellationToken.never);
      released.open();
      await drained;
      expect(await stored(first)).toMatchObject({ state: 'completed', output: { sent: true } });
      expect(await stored(second)).toMatchObject({ state: 'created', retryCount: 0 });
      expect(errors).toEqual([]);
    });

    it('runs up to `concurrency` jobs at the same time', async () => {
      const full = gate();
      let [activeCount, maxCount, completedCount] = [0, 0, 0];
      const drainable = await start(
        async () => {
          maxCount = Math.max(maxCount, ++activeCount);
          if (activeCount === 3) full.open();
          await full;
          // A fourth job would start now.
          await new Promise((resolve) => setTimeout(resolve, 5));
          activeCount--;
          completedCount++;
        },
        { concurrency: 3 },
      );
      for (let i = 0; i < 10; i++) await send();
      await until(() => completedCount, 10);
      await drainable.drain(CancellationToken.never);
      expect(maxCount).toBe(3);
    });

    it('fetches the next jobs at once while a fetch finds as many as it asks for', async () => {
      await boss.createQueue(queue);
      for (let n = 0; n < 4; n++) await send();
      const [secondRuns, firstEnded, secondReleased, allDone] = [gate(), gate(), gate(), gate()];
      let [fetchCount, startCount] = [0, 0];
      // While the second fetch is on its way, the second job ends as well. Then one place more is free than it asks for.
      const slow = withFetch(async (...args) => {
        const jobs = await boss.fetch(...args);
        if (++fetchCount !== 2) return jobs;
        secondReleased.open();
        await firstEnded;
        return jobs;
      });
      const work = async () => {
        const number = ++startCount;
        if (number === 1) await secondRuns;
        if (number === 2) {
          secondRuns.open();
          await secondReleased;
        }
        if (number === 4) allDone.open();
      };
      const complete = slow.complete;
      let completedCount = 0;
      slow.complete = async (...args) => {
        await complete(...args);
        // The loop sees the end of the job before the jobs of the fetch.
        if (++completedCount === 2) setTimeout(firstEnded.open, 20);
      };
      const drainable = drainableQueue(slow, queue, work, { concurrency: 2, pollingInterval: 3_600_000 });
      await allDone;
      await drainable.drain(CancellationToken.never);
      expect(startCount).toBe(4);
    });

    it('leaves the next run of a job alone when the answer to its outcome was lost', async () => {
      const [lost, released] = [gate(), gate()];
      await boss.createQueue(queue);
      const id = await send({ retryLimit: 3 });
      const unanswered = withFetch((...args) => boss.fetch(...args));
      const { fail } = unanswered;
      let failCount = 0;
      unanswered.fail = async (...args) => {
        await fail(...args);
        if (++failCount > 1) return;
        await lost;
        throw new Error('Connection terminated');
      };
      const first = drainableQueue(unanswered, queue, () => Promise.reject(new Error('no')), { pollingInterval: 20 });
      await until(() => state(id), 'retry');
      first.stop();
      const next = startNext(() => {
        lost.open();
        return released;
      });
      await first.drain(CancellationToken.never);
      expect(await stored(id)).toMatchObject({ state: 'active', retryCount: 1 });
      released.open();
      await next.drain(CancellationToken.never);
      expect(await state(id)).toBe('completed');
    });

    it.runIf(version === 12)('records the outcome after a restart of PostgreSQL that takes some seconds', async () => {
      await boss.createQueue(queue);
      const id = await send();
      const restarting = withFetch((...args) => boss.fetch(...args));
      const { complete } = restarting;
      let callCount = 0;
      restarting.complete = async (...args) => {
        if (++callCount < 7) throw new Error('the database system is starting up');
        return await complete(...args);
      };
      const drainable = drainableQueue(restarting, queue, () => ({}), { pollingInterval: 20 });
      await until(() => callCount > 0, true);
      await drainable.drain(CancellationToken.never);
      expect([await state(id), errors]).toEqual(['completed', []]);
    });

    it.runIf(version === 12)('gives the outcome up at the end of its drain, and reports that', async () => {
      const begun = gate();
      await boss.createQueue(queue);
      const id = await send();
      const lost = withFetch((...args) => boss.fetch(...args));
      lost.fail = () => Promise.reject(new Error('Connection terminated'));
      const work = async (_: unknown, token: CancellationToken) => {
        begun.open();
        await token.cancelled();
        throw token.reason;
      };
      const drainable = drainableQueue(lost, queue, work, { cleanupTimeout: 0 });
      await begun;
      drainable.abort('deploy');
      await drainable.drain(CancellationToken.never).catch(() => {});
      await until(() => errors.length, 1);
      expect(errors[0]).toContain('was drained before the outcome of a job was recorded. The job expires');
      expect(await state(id)).toBe('active');
    });

    it('cancels the token with the reason of `abort`, and gives the job back for a retry', async () => {
      const begun = gate();
      const drainable = await start(async (_, token) => {
        begun.open();
        await token.cancelled();
        throw token.reason;
      });
      const id = await send();
      await begun;
      drainable.abort('deploy');
      await drainable.drain(CancellationToken.never);
      expect(await stored(id)).toMatchObject({
        state: 'retry',
        output: { message: 'Cancelled, and given back: deploy' },
      });
      const next = startNext(async () => ({ sent: 'later' }));
      await until(() => state(id), 'completed');
      await next.drain(CancellationToken.never);
    });

    it('gives the job back also when it has no retry left', async () => {
      const begun = gate();
      const drainable = await start(async (_, token) => {
        begun.open();
        await token.cancelled();
        throw token.reason;
      });
      const id = await send({ retryLimit: 0 });
      await begun;
      drainable.abort('deploy');
      await drainable.drain(CancellationToken.never);
      expect(await state(id)).toBe('created');
      const next = startNext(async () => ({}));
      await until(() => state(id), 'completed');
      await next.drain(CancellationToken.never);
    });

    it('cancels the token when the signal of `drain` is cancelled, and rejects with its reason', async () => {
      const begun = gate();
      const drainable = await start(async (_, token) => {
        begun.open();
        await token.cancelled();
        throw token.reason;
      });
      const id = await send();
      await begun;
      const deadline = new CancellationToken();
      const drained = rejection(drainable.drain(deadline));
      deadline.cancel('deadline');
      expect([await drained, await state(id)]).toEqual(['deadline', 'retry']);
    });

    it('records a value that the job returns, and an error of its own, after the cancellation', async () => {
      const begun = gate();
      const drainable = await start(
        async ({ data }, token) => {
          if ('fails' in data) begun.open();
          await token.cancelled();
          if ('fails' in data) throw new Error('rollback failed');
          return { done: 'at last' };
        },
        { concurrency: 2 },
      );
      const returns = await send();
      const fails = (await boss.send(queue, { fails: true }, { retryLimit: 0 })) as string;
      await begun;
      drainable.abort('deploy');
      await drainable.drain(CancellationToken.never);
      expect(await stored(returns)).toMatchObject({ state: 'completed', output: { done: 'at last' } });
      expect(await stored(fails)).toMatchObject({ state: 'failed', output: { message: 'rollback failed' } });
    });

    it('gives back a job that ignores its token after `cleanupTimeout`, names it, and drops its result', async () => {
      const [begun, released] = [gate(), gate()];
      const drainable = await start(
        async () => {
          begun.open();
          await released;
          return { sent: 'too late' };
        },
        { name: 'mails', cleanupTimeout: 20 },
      );
      const id = await send();
      await begun;
      drainable.abort('deploy');
      const error = (await rejection(drainable.drain(CancellationToken.never))) as CleanupTimeoutError;
      expect(error).toBeInstanceOf(CleanupTimeoutError);
      expect(error.unfinished).toMatchObject([{ name: `${queue} ${id}` }]);
      released.open();
      await new Promise(setImmediate);
      expect(await state(id)).toBe('retry');
    });

    it('cancels the token of a job whose state was changed, and records no outcome', async () => {
      const begun = gate();
      let reason: unknown;
      const lost = gate();
      const drainable = await start(
        async (job, token) => {
          if (job.retryCount > 0) return { run: 'second' };
          begun.open();
          await token.cancelled();
          reason = token.reason;
          lost.open();
          return { run: 'first' };
        },
        { lockCheckInterval: 20 },
      );
      const id = await send();
      await begun;
      await client.query(`update ${schema}.job set state = 'created' where id = $1`, [id]);
      await lost;
      await until(() => state(id), 'completed');
      await drainable.drain(CancellationToken.never);
      expect(reason).toBeInstanceOf(LockLostError);
      expect(String(reason)).toBe(
        `LockLostError: The lock of job "${queue} ${id}" is lost: its state was changed. Another worker may run it`,
      );
      expect((await stored(id)).output).toEqual({ run: 'second' });
    });

    it('cancels the token when the time limit of the job is over', async () => {
      let reason: unknown;
      const lost = gate();
      const drainable = await start(async (_, token) => {
        await token.cancelled();
        reason = token.reason;
        lost.open();
        return {};
      });
      const id = await send({ expireInSeconds: 1 });
      await lost;
      await drainable.drain(CancellationToken.never);
      expect(String(reason)).toContain('its time limit of 1000 ms is over');
      expect(await state(id)).toBe('active');
    });

    it('records the outcome after its connections were killed', async () => {
      const [begun, released] = [gate(), gate()];
      const drainable = await start(async () => {
        begun.open();
        await released;
        return { sent: true };
      });
      const id = await send();
      await begun;
      await client.query('select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid()');
      const drained = drainable.drain(CancellationToken.never);
      released.open();
      await drained;
      expect(await state(id)).toBe('completed');
    });

    it('ends when PostgreSQL does not answer', async () => {
      const begun = gate();
      const drainable = await start(
        async (_, token) => {
          begun.open();
          await token.cancelled();
          throw token.reason;
        },
        { cleanupTimeout: 20 },
      );
      const id = await send();
      await begun;
      await client.query('begin');
      await client.query(`lock table ${schema}.job in access exclusive mode`);
      drainable.abort('deploy');
      await drainable.drain(CancellationToken.never);
      await client.query('commit');
      // The statement had been sent, and is executed later.
      await until(() => state(id), 'retry');
    });

    it('drains in a shutdown, which reports the job that was cut off', async () => {
      const begun = gate();
      const drainable = await start(async (_, token) => {
        begun.open();
        await token.cancelled();
        throw token.reason;
      });
      const id = await send();
      await begun;
      const shutdown = new Shutdown({ drainTimeout: 50 });
      shutdown.add(drainable);
      shutdown.request('SIGTERM');
      const { cutOff, errors } = await shutdown.stopped();
      expect([cutOff, errors]).toEqual([[{ name: queue, inFlightCount: 1, names: [`${queue} ${id}`] }], []]);
    });

    it('reports a failed fetch as pg-boss does, and fetches again', async () => {
      const done = gate();
      await boss.createQueue(queue);
      await send();
      let isBroken = true;
      const flaky = withFetch(async (...args) => {
        if (!isBroken) return await boss.fetch(...args);
        isBroken = false;
        throw new Error('no connection');
      });
      const drainable = drainableQueue(flaky, queue, () => done.open(), { pollingInterval: 1 });
      await done;
      await drainable.drain(CancellationToken.never);
      expect(errors).toEqual(['no connection']);
    });

    it('gives back a job that was fetched before the queue stopped, without starting it', async () => {
      const fetching = gate();
      await boss.createQueue(queue);
      const id = await send();
      const slow = withFetch(async (...args) => {
        const jobs = await boss.fetch(...args);
        fetching.open();
        await new Promise(setImmediate);
        return jobs;
      });
      let startCount = 0;
      const drainable = drainableQueue(slow, queue, () => startCount++);
      await fetching;
      await drainable.drain(CancellationToken.never);
      expect([startCount, await state(id)]).toEqual([0, 'retry']);
    });

    it('leaves no timer and no connection open', async () => {
      const before = openHandleCount();
      const drainable = await start(async () => {}, { pollingInterval: 60_000 });
      await drainable.drain(CancellationToken.never);
      await until(() => openHandleCount() <= before, true);
    });

    it.runIf(version === 12)('sends the heartbeats of a job, and loses the job when they come too late', async () => {
      const lost = gate();
      let reason: unknown;
      await boss.createQueue(queue, { heartbeatSeconds: 10 } as object as PgBoss10.Queue);
      const id = await send();
      let isAnswered = true;
      // The minimum of pg-boss is 10 seconds. A busy machine misses none of 4.
      const unheard = withFetch(async (...args) => {
        const jobs = await boss.fetch(...args);
        return jobs.map((job) => ({ ...job, heartbeatSeconds: 4 }));
      }) as QueueBoss & { touch(...args: unknown[]): Promise<unknown> };
      const { touch } = unheard;
      unheard.touch = (...args) => (isAnswered ? touch(...args) : new Promise(() => {}));
      const drainable = drainableQueue(unheard, queue, async (_, token) => {
        await token.cancelled();
        reason = token.reason;
        lost.open();
      });
      const beats = async () => {
        const { rows } = await client.query(
          `select heartbeat_on - started_on > '0.4s' as late from boss12.job where id = $1`,
          [id],
        );
        return rows[0].late;
      };
      await until(beats, true);
      isAnswered = false;
      await lost;
      await drainable.drain(CancellationToken.never);
      expect(String(reason)).toContain('there was no heartbeat for 4000 ms');
    });
  });
});

/** The columns of a job that `QueueJob` leaves out. */
interface StoredJob {
  readonly state: string;
  readonly output: object;
}
