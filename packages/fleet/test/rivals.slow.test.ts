// What the cancel of job queues reaches when the job runs in another process, in the versions of the lockfile, and what a fleet
// reaches there. Each process is a worker with connections of its own: none of these libraries shares anything else.

import type { CancellationToken } from '@quiesce/cancellation-token';
import {
  createPostgresSchema,
  type Fleet,
  type FleetEngine,
  joinFleet,
  postgresEngine,
  redisEngine,
} from '@quiesce/fleet';
import { type Job, Queue, Worker } from 'bullmq';
import { Redis } from 'ioredis';
import PgBoss10 from 'pg-boss';
import PgBoss11 from 'pg-boss-11';
import { PgBoss as PgBoss12 } from 'pg-boss-12';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { type Gate, gate } from '../../../test/gate.ts';
import { postgres, redis, startPostgres, startRedis, type TestServer } from '../../adapters/test/servers.ts';
import { poolOn, until } from './postgres-vocabulary.ts';
import { startProxy, type TestProxy } from './proxy.ts';

/** A run of a job. */
interface Run {
  readonly queue: string;
  readonly id: string;
  readonly attempt: number;
  /** What the library gives to the handler; `undefined`: nothing. */
  readonly signal: AbortSignal | undefined;
}

type Work = (run: Run) => Promise<unknown>;

const reason = new Error('stopped by user');
const never: Work = () => new Promise(() => {});

/** A fleet of two: the one that runs jobs, and another process. */
async function membersOf(forWorker: FleetEngine, forApi: FleetEngine): Promise<{ member: Fleet; api: Fleet }> {
  const join = async (engine: FleetEngine, node: string): Promise<Fleet> => {
    const fleet = await joinFleet({ engine, node, reread: 300, requestTimeout: 1_000, joinTimeout: 60_000 });
    onTestFinished(() => fleet.close());
    return fleet;
  };
  return { member: await join(forWorker, 'worker'), api: await join(forApi, 'api') };
}

/** Runs a job in a fleet until it is cancelled. */
function runIn(member: Fleet): Work {
  const untilEnd = async (token: CancellationToken): Promise<never> => {
    await token.cancelled();
    throw token.reason;
  };
  return ({ queue, id, attempt }) => member.run(['jobs', queue, id, attempt], untilEnd);
}

/** Cancels a run whose worker is cut off from the engine, and expects that it ends when the worker is connected again. */
async function expectReachedAfterCut(proxy: TestProxy, api: Fleet, { queue, id }: Run): Promise<void> {
  const key = ['jobs', queue, id];
  proxy.cut();
  const early = api.cancel(key, reason, { until: 'ended', timeout: 500 });
  await expect(early).rejects.toThrow(/worker\/\w+ is silent/);
  const receipt = api.cancel(key, reason, { until: 'ended', timeout: 50_000 });
  proxy.heal();
  expect((await receipt).state).toBe('ended');
}

async function proxyTo(port: number): Promise<TestProxy> {
  const proxy = await startProxy(port);
  onTestFinished(() => proxy.close());
  return proxy;
}

describe.skipIf(redis.isMissing)(`BullMQ${redis.note}`, () => {
  let server: TestServer;
  let queueCount = 0;
  beforeAll(async () => {
    server = await startRedis();
  });
  afterAll(() => server?.stop());

  /** Starts two workers of one queue, and a job on one of them. */
  async function start(work: Work): Promise<{ run: Run; job: Job; queue: Queue; runner: Worker; other: Worker }> {
    const connection = { host: '127.0.0.1', port: server.port };
    const name = `queue-${++queueCount}`;
    const queue = new Queue(name, { connection });
    const begun: Gate<{ run: Run; by: number }> = gate();
    const workers = [0, 1].map((by) => {
      const process = async ({ id = '', attemptsStarted }: Job, _?: string, signal?: AbortSignal): Promise<void> => {
        const run = { queue: name, id, attempt: attemptsStarted, signal };
        begun.open({ run, by });
        await work(run);
      };
      return new Worker(name, process, { connection, lockDuration: 1_000 });
    });
    onTestFinished(async () => {
      for (const worker of workers) await worker.close(true);
      await queue.close();
    });
    const job = await queue.add('resize', {});
    const { run, by } = await begun;
    return { run, job, queue, runner: workers[by] as Worker, other: workers[1 - by] as Worker };
  }

  function engineOn(port: number): FleetEngine {
    const client = new Redis(port, '127.0.0.1');
    client.on('error', () => {});
    onTestFinished(() => client.disconnect());
    return redisEngine(client);
  }

  it('`cancelJob` of another process returns false, and the job continues', async () => {
    const { run, job, runner, other } = await start(never);
    expect(other.cancelJob(run.id, 'stop')).toBe(false);
    // Nothing was stored, so the renewal of its lock tells the worker nothing.
    await new Promise<void>((resolve) => void runner.once('locksRenewed', () => resolve()));
    expect([run.signal?.aborted, await job.getState()]).toEqual([false, 'active']);
    expect(runner.cancelJob(run.id, 'stop')).toBe(true);
    expect(run.signal?.aborted).toBe(true);
  });

  it('`job.remove` of another process is refused while the job runs', async () => {
    const { run, job } = await start(never);
    await expect(job.remove()).rejects.toThrow('could not be removed because it is locked');
    expect(run.signal?.aborted).toBe(false);
  });

  it('with a fleet, a cancel of another process ends the job, with a receipt', async () => {
    const { member, api } = await membersOf(engineOn(server.port), engineOn(server.port));
    const { run, job, queue } = await start(runIn(member));
    const receipt = await api.cancel(['jobs', run.queue, run.id], reason, { until: 'ended' });
    expect(receipt.state).toBe('ended');
    await until(async () => (await job.getState()) === 'failed');
    expect((await queue.getJob(run.id))?.failedReason).toBe(reason.message);
  });

  it('with a fleet, a worker that was cut off ends the job when it is connected again', async () => {
    const proxy = await proxyTo(server.port);
    const { member, api } = await membersOf(engineOn(proxy.port), engineOn(server.port));
    const { run } = await start(runIn(member));
    await expectReachedAfterCut(proxy, api, run);
  });
});

const versions = [
  { version: 10, Boss: PgBoss10 },
  { version: 11, Boss: PgBoss11 },
  { version: 12, Boss: PgBoss12 },
];

describe.skipIf(postgres.isMissing)(`pg-boss${postgres.note}`, () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startPostgres();
    const pool = poolOn(server.port);
    await createPostgresSchema(pool);
    await pool.end();
  });
  afterAll(() => server?.stop());

  function engineOn(port: number): FleetEngine {
    const pool = poolOn(port, { connectionTimeoutMillis: 1_000 });
    onTestFinished(() => pool.end());
    return postgresEngine(pool);
  }

  describe.each(versions)('version $version', ({ version, Boss }) => {
    let queueCount = 0;
    let worker: PgBoss10;
    let other: PgBoss10;
    beforeAll(async () => {
      worker = await startBoss();
      other = await startBoss();
    });
    afterAll(async () => {
      for (const boss of [worker, other]) await boss?.stop({ graceful: false });
    });

    async function startBoss(): Promise<PgBoss10> {
      const settings = { host: '127.0.0.1', port: server.port, user: 'postgres', database: 'postgres' };
      const boss = new (Boss as typeof PgBoss10)({ ...settings, schema: `boss${version}` });
      boss.on('error', () => {});
      await boss.start();
      return boss;
    }

    /** Starts a job in the one process, which the other one has sent. */
    async function start(work: Work, ofQueue: object = {}, ofWork: object = {}): Promise<Run> {
      const queue = `queue-${++queueCount}`;
      await worker.createQueue(queue, { name: queue, ...ofQueue });
      const begun: Gate<Run> = gate();
      const options = { includeMetadata: true as const, pollingIntervalSeconds: 0.5, ...ofWork };
      await worker.work(queue, options, async ([job]) => {
        const { id, retryCount, signal } = job as PgBoss10.JobWithMetadata & { readonly signal?: AbortSignal };
        const run = { queue, id, attempt: retryCount, signal };
        begun.open(run);
        await work(run);
      });
      await other.send(queue, {}, { retryLimit: 2 });
      return await begun;
    }

    const stateOf = async ({ queue, id }: Run): Promise<string | undefined> =>
      (await other.getJobById(queue, id))?.state;

    it('`cancel` of another process changes the row, and the handler that runs notices nothing', async () => {
      const released = gate();
      const run = await start(() => released);
      await other.cancel(run.queue, run.id);
      expect(await stateOf(run)).toBe('cancelled');
      // The worker polls, and runs another job meanwhile.
      const next = gate();
      const busy = `${run.queue}-next`;
      await worker.createQueue(busy, { name: busy });
      await worker.work(busy, { pollingIntervalSeconds: 0.5 }, async () => next.open());
      await other.send(busy, {});
      await next;
      expect(run.signal?.aborted).toBe(version === 12 ? false : undefined);
      released.open();
    });

    if (version === 12) {
      it('the handler notices it at its next heartbeat, when its queue has heartbeats', async () => {
        const released = gate();
        // 10 is the smallest one. By default, a heartbeat is sent each half of it.
        const run = await start(() => released, { heartbeatSeconds: 10 }, { heartbeatRefreshSeconds: 0.2 });
        await other.cancel(run.queue, run.id);
        // `cancel` does not wait for the handler, which runs still.
        await until(() => run.signal?.aborted);
        expect(String(run.signal?.reason)).toMatch(/is no longer active under this worker's claim/);
        released.open();
      });
    }

    it('with a fleet, a cancel of another process ends the handler, with a receipt', async () => {
      const { member, api } = await membersOf(engineOn(server.port), engineOn(server.port));
      const run = await start(runIn(member));
      await other.cancel(run.queue, run.id); // no retry
      const receipt = await api.cancel(['jobs', run.queue, run.id], reason, { until: 'ended' });
      expect([receipt.state, await stateOf(run)]).toEqual(['ended', 'cancelled']);
    });

    it('with a fleet, a worker that was cut off ends the handler when it is connected again', async () => {
      const proxy = await proxyTo(server.port);
      const { member, api } = await membersOf(engineOn(proxy.port), engineOn(server.port));
      await expectReachedAfterCut(proxy, api, await start(runIn(member)));
    });
  });
});
