// Runs the real driver against a real PostgreSQL: PGlite in this process, behind a socket.
import type { Socket } from 'node:net';
import { PGlite } from '@electric-sql/pglite';
import { PGLiteSocketServer } from '@electric-sql/pglite-socket';
import { CancellationToken } from '@quiesce/cancellation-token';
import { ResourcePool, WorkerPool } from '@quiesce/worker-pool';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { macrotask, rejection } from './vocabulary.ts';

const size = 3;
let db: PGlite;
let server: PGLiteSocketServer;
let port: number;

beforeAll(async () => {
  db = await PGlite.create();
  server = new PGLiteSocketServer({ db, host: '127.0.0.1', port: 0, maxConnections: 2 * size });
  await server.start();
  port = Number(server.getServerConn().split(':').pop());
}, 60_000);

afterAll(async () => {
  await server.stop();
  await db.close();
});

/** Makes a pool of connections to the server, and counts the connections that were ended. */
function connections(): { pool: ResourcePool<pg.Client>; ended: () => number } {
  let ended = 0;
  const gone = new WeakSet<pg.Client>();
  const pool = new ResourcePool<pg.Client>({
    name: 'postgres',
    max: size,
    create: async () => {
      const client = new pg.Client({ host: '127.0.0.1', port, user: 'postgres', database: 'postgres' });
      client.on('end', () => {
        ended++;
        gone.add(client);
      });
      client.on('error', () => {});
      await client.connect();
      return client;
    },
    isUsable: (client) => !gone.has(client),
    close: (client) => client.end(),
  });
  return { pool, ended: () => ended };
}

describe('a pool of PostgreSQL connections', { timeout: 60_000 }, () => {
  it('serves more queries than it has connections, and closes every connection', async () => {
    const { pool, ended } = connections();
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, n) => pool.use((client) => client.query('select $1::int * 2 as twice', [n]))),
    );
    expect(answers.map(({ rows }) => rows[0].twice)).toEqual(Array.from({ length: 20 }, (_, n) => 2 * n));
    expect(pool.idleCount).toBe(size);
    expect(await pool.shutdown({ timeout: 10_000 })).toEqual({
      closedCount: size,
      createFailedCount: 0,
      failed: [],
      timedOutCount: 0,
      cutOffCount: 0,
      creatingCount: 0,
    });
    expect(ended()).toBe(size);
  });

  it('continues after a failed query', async () => {
    const { pool } = connections();
    expect(await rejection(pool.use((client) => client.query('select nothing from nowhere')))).toMatchObject({
      code: '42P01',
    });
    expect((await pool.use((client) => client.query('select 1 as one'))).rows).toEqual([{ one: 1 }]);
    await pool.shutdown({ timeout: 10_000 });
  });

  it('lets a running query finish before it closes the connection', async () => {
    const { pool, ended } = connections();
    const lease = await pool.acquire();
    const closing = pool.drain(CancellationToken.never);
    const { rows } = await lease.resource.query('select 40 + 2 as answer');
    expect(ended()).toBe(0);
    lease.release();
    await closing;
    expect([rows, ended()]).toEqual([[{ answer: 42 }], 1]);
  });

  it('replaces a connection that broke while it was idle', async () => {
    const { pool, ended } = connections();
    const broken = await pool.use(async (client) => client);
    // As after a restart of the server, or on a network that drops idle connections.
    (broken as unknown as { connection: { stream: Socket } }).connection.stream.destroy();
    while (ended() === 0) await macrotask();
    expect((await pool.use((client) => client.query('select 1 as one'))).rows).toEqual([{ one: 1 }]);
    expect(await pool.shutdown({ timeout: 10_000 })).toMatchObject({ closedCount: 2, failed: [], timedOutCount: 0 });
  });

  it('keeps each acknowledged job exactly once when a worker pool on top is shut down', async () => {
    const { pool, ended } = connections();
    await pool.use((client) => client.query('create table done (job int)'));
    const workers = new WorkerPool({ concurrency: 5, capacity: 10 });
    const acknowledged: number[] = [];
    const jobs = Array.from({ length: 200 }, async (_, job) => {
      await workers.execute(() => pool.use((client) => client.query('insert into done values ($1)', [job])));
      acknowledged.push(job);
      if (acknowledged.length === 50) workers.stop();
    });
    const outcomes = await Promise.allSettled(jobs);
    const report = await workers.shutdown({ timeout: 10_000 });
    const { rows } = await pool.use((client) => client.query('select job from done order by job'));
    expect(rows.map(({ job }) => job)).toEqual(acknowledged.sort((a, b) => a - b));
    expect(acknowledged.length).toBeGreaterThanOrEqual(50);
    expect(outcomes.filter(({ status }) => status === 'rejected').length).toBe(200 - acknowledged.length);
    expect(report).toMatchObject({ failed: [], dropped: [], unfinished: [] });
    await pool.shutdown({ timeout: 10_000 });
    expect(ended()).toBe(size);
  });
});
