// Queries against a real PostgreSQL, which is the only judge of a cancel request.
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CancellablePool, type CancellablePoolOptions } from '@quiesce/adapters/pg';
import { CancellationToken, ClosedError, isTimeoutError } from '@quiesce/cancellation-token';
import { scope } from '@quiesce/scope';
import { sleep } from '@quiesce/select';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { startProxy } from './postgres-proxy.ts';
import { postgres, startPostgres, type TestServer } from './servers.ts';
import { until } from './socket-clients.ts';

const never = CancellationToken.never;
let server: TestServer;
/** Sees what the server does. Not under test. */
let observer: pg.Client;

describe.skipIf(postgres.isMissing)(`CancellablePool${postgres.note}`, () => {
  beforeAll(async () => {
    server = await startPostgres();
    observer = new pg.Client({ host: '127.0.0.1', port: server.port, user: 'postgres', database: 'postgres' });
    await observer.connect();
    await observer.query('create table note (text text)');
  }, 60_000);

  afterAll(async () => {
    await observer?.end();
    await server?.stop();
  });

  function open(config: pg.PoolConfig = {}, options?: CancellablePoolOptions): CancellablePool {
    const settings = { host: '127.0.0.1', port: server.port, user: 'postgres', database: 'postgres', max: 1 };
    const pool = new pg.Pool({ ...settings, ...config });
    pool.on('error', () => {});
    const db = new CancellablePool(pool, options);
    onTestFinished(() => db.close());
    return db;
  }

  /** How many sessions run a statement with this text. */
  async function runningCount(text: string): Promise<number> {
    const found = await observer.query(
      "select 1 from pg_stat_activity where state = 'active' and pid <> pg_backend_pid() and query like $1",
      [`%${text}%`],
    );
    return found.rows.length;
  }

  async function running(text: string): Promise<void> {
    while ((await runningCount(text)) === 0) await sleep(1);
  }

  /** Cancels a query while it runs. */
  async function cancelOne(db: CancellablePool, text: string): Promise<void> {
    const token = new CancellationToken();
    const query = db.query(token, `select pg_sleep(60) as ${text}`);
    query.catch(() => {});
    await running(text);
    token.cancel('gone');
    await expect(query).rejects.toBe('gone');
  }

  async function inTransaction(pid: number): Promise<boolean> {
    const { rows } = await observer.query('select state from pg_stat_activity where pid = $1', [pid]);
    return rows[0].state !== 'idle';
  }

  async function pidOf(db: CancellablePool): Promise<number> {
    const { rows } = await db.query<{ pid: number }>(never, 'select pg_backend_pid() as pid');
    return rows[0]?.pid ?? 0;
  }

  describe('query', () => {
    it('returns rows, as objects and as arrays, and takes values', async () => {
      const db = open();
      const { rows } = await db.query<{ answer: number }>(never, 'select $1::int as answer', [42]);
      expect(rows).toEqual([{ answer: 42 }]);
      const arrays = await db.query<[number]>(never, { text: 'select $1::int', rowMode: 'array' }, [42]);
      expect(arrays.rows).toEqual([[42]]);
    });

    it('rejects with the failure of the server', async () => {
      await expect(open().query(never, 'select nothing')).rejects.toMatchObject({ code: '42703' });
    });

    it('ends on the server at the deadline, and its connection is used again', async () => {
      const db = open();
      const pid = await pidOf(db);
      using deadline = CancellationToken.timeout(50);
      const error = await db.query(deadline, 'select pg_sleep(60) as at_deadline').catch((reason) => reason);
      expect(error).toBe(deadline.reason);
      expect(isTimeoutError(error)).toBe(true);
      expect(await runningCount('at_deadline')).toBe(0);
      expect(db.inFlightCount).toBe(0);
      expect(await pidOf(db)).toBe(pid);
    });

    it('takes an `AbortSignal`, and rejects with its reason', async () => {
      const controller = new AbortController();
      const db = open();
      const query = db.query(controller.signal, 'select pg_sleep(60) as by_signal');
      await running('by_signal');
      controller.abort('client gone');
      await expect(query).rejects.toBe('client gone');
    });

    it('starts nothing when the token is cancelled already', async () => {
      const db = open();
      await expect(db.query(CancellationToken.alreadyCancelled('gone'), 'select 1')).rejects.toBe('gone');
      expect(db.pool.totalCount).toBe(0);
    });

    it('gives up the wait for a connection at once, and loses no connection', async () => {
      const db = open();
      const first = db.query(never, 'select pg_sleep(0.1)');
      const token = new CancellationToken();
      const second = db.query(token, 'select 1');
      token.cancel('gone');
      await expect(second).rejects.toBe('gone');
      await first;
      await db.query(never, 'select 1');
      expect(db.pool).toMatchObject({ totalCount: 1, idleCount: 1, waitingCount: 0 });
    });

    it('leaves no listener behind: a token that is cancelled later cancels no other query', async () => {
      const db = open();
      const client = await db.pool.connect();
      client.release();
      const before = client.listenerCount('error');
      const token = new CancellationToken();
      await db.query(token, 'select 1');
      expect(client.listenerCount('error')).toBe(before);
      token.cancel('later');
      await db.query(never, 'select pg_sleep(0.05)');
    });

    it('fails with its own error when the connection is lost, and the pool continues', async () => {
      const db = open();
      const pid = await pidOf(db);
      const query = db.query(never, 'select pg_sleep(60) as lost');
      query.catch(() => {});
      await running('lost');
      await observer.query('select pg_terminate_backend($1)', [pid]);
      await expect(query).rejects.toMatchObject({ code: '57P01' });
      expect(await pidOf(db)).not.toBe(pid);
    });
  });

  describe('a cancel request', () => {
    it('that is late delays the release of the connection, and does not hit the next query', async () => {
      const proxy = await startProxy(server.port);
      const db = open({ port: proxy.port });
      let forward: () => void = () => {};
      proxy.onCancel = (pass) => {
        forward = pass;
      };
      const token = new CancellationToken();
      let isSettled = false;
      const first = db.query(token, "select 'done' as result, pg_sleep(0.2)").finally(() => {
        isSettled = true;
      });
      await running("'done' as result");
      token.cancel('gone');
      const second = db.query(never, 'select pg_sleep(0.2) as next');
      while ((await runningCount("'done' as result")) > 0) await sleep(1);
      await sleep(50);
      // The query has ended on the server. The request has not arrived there.
      expect([isSettled, db.inFlightCount, db.pool.waitingCount]).toEqual([false, 1, 1]);
      forward();
      expect((await first).rows).toMatchObject([{ result: 'done' }]);
      await second;
      expect(proxy.sessions.length).toBe(1);
    });

    it('that is late hits the next query of a program that does not wait for it', async () => {
      const proxy = await startProxy(server.port);
      let forward: () => void = () => {};
      proxy.onCancel = (pass) => {
        forward = pass;
      };
      const { pool } = open({ port: proxy.port });
      const client = await pool.connect();
      const { sendCancelRequest } = await import('../src/node/cancel-request.ts');
      void sendCancelRequest(client, new AbortController().signal);
      await until(() => proxy.cancelCount === 1);
      client.release();
      const next = pool.query('select pg_sleep(60) as innocent');
      next.catch(() => {});
      await running('innocent');
      forward();
      await expect(next).rejects.toMatchObject({ code: '57014' });
    });

    it('that arrives before its query is repeated until the query has ended', async () => {
      const proxy = await startProxy(server.port);
      const db = open({ port: proxy.port });
      await db.query(never, 'select 1');
      proxy.sessions[0]?.pause();
      const token = new CancellationToken();
      const query = db.query(token, 'select pg_sleep(60) as early');
      query.catch(() => {});
      await sleep(20);
      token.cancel('gone');
      await until(() => proxy.cancelCount >= 2);
      proxy.sessions[0]?.resume();
      await expect(query).rejects.toBe('gone');
      expect(await runningCount('early')).toBe(0);
      await db.query(never, 'select pg_sleep(0.05)');
      expect(proxy.sessions.length).toBe(1);
    });

    it('that is sent at any time hits no other query', async () => {
      const db = open();
      const pid = await pidOf(db);
      const outcomes = { cancelled: 0, done: 0 };
      for (let i = 0; i < 400; i++) {
        const token = new CancellationToken();
        const query = db.query(token, 'select pg_sleep(0.001)').then(
          () => outcomes.done++,
          (error) => {
            expect(error).toBe('gone');
            outcomes.cancelled++;
          },
        );
        await sleep((i % 40) / 10);
        token.cancel('gone');
        await Promise.all([query, db.query(never, 'select pg_sleep(0.001)')]);
      }
      expect(outcomes.done).toBeGreaterThan(0);
      expect(outcomes.cancelled).toBeGreaterThan(0);
      expect(await pidOf(db)).toBe(pid);
    });

    it('that fails is repeated, and the connection is destroyed afterwards, because the request may still arrive', async () => {
      const proxy = await startProxy(server.port);
      const db = open({ port: proxy.port });
      proxy.onCancel = (pass, socket) => {
        if (proxy.cancelCount < 3) socket.resetAndDestroy();
        else pass();
      };
      const token = new CancellationToken();
      const query = db.query(token, 'select pg_sleep(60) as repeated');
      query.catch(() => {});
      await running('repeated');
      token.cancel('gone');
      await expect(query).rejects.toBe('gone');
      expect(proxy.cancelCount).toBe(3);
      expect(db.pool.totalCount).toBe(0);
      await db.query(never, 'select 1');
    });

    it('that gets no answer within `cleanupTimeout` destroys the connection, and the error names the query', async () => {
      const proxy = await startProxy(server.port);
      const db = open({ port: proxy.port }, { cleanupTimeout: 100, name: 'orders' });
      proxy.onCancel = () => {};
      const token = new CancellationToken();
      const query = db.query(token, 'select pg_sleep(60) as stuck');
      query.catch(() => {});
      await running('stuck');
      token.cancel('gone');
      await expect(query).rejects.toMatchObject({
        name: 'CleanupTimeoutError',
        ms: 100,
        unfinished: [{ name: 'select pg_sleep(60) as stuck' }],
        message: expect.stringContaining('orders: cancelled work'),
      });
      expect(db.pool.totalCount).toBe(0);
      await db.query(never, 'select 1');
      await observer.query("select pg_cancel_backend(pid) from pg_stat_activity where query like '%stuck'");
    });

    it('goes through a Unix socket', async () => {
      const folder = mkdtempSync(join(tmpdir(), 'quiesce-pg-'));
      onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
      const proxy = await startProxy(server.port, join(folder, '.s.PGSQL.5432'));
      const db = open({ host: folder, port: 5432 });
      await cancelOne(db, 'through_socket');
      expect(proxy.cancelCount).toBeGreaterThan(0);
    });

    it('is encrypted when the connection is', async () => {
      const { cert, key } = await import('../../http-drain/test/certificate.ts');
      const { rows } = await observer.query('show data_directory');
      const folder = rows[0].data_directory;
      for (const [file, text] of [
        ['server.crt', cert],
        ['server.key', key],
      ] as const) {
        await observer.query(`copy (select regexp_split_to_table('${text}', '\\n')) to '${folder}/${file}'`);
        chmodSync(`${folder}/${file}`, 0o600);
      }
      await observer.query('alter system set ssl = on');
      await observer.query('select pg_reload_conf()');
      const proxy = await startProxy(server.port);
      const db = open({ port: proxy.port, ssl: { ca: cert } });
      await cancelOne(db, 'encrypted');
      // A plain request would have arrived as one.
      expect(proxy.cancelCount).toBe(0);
      expect(proxy.otherCount).toBeGreaterThan(1);
    });
  });

  describe('transaction', () => {
    async function notes(): Promise<string[]> {
      const { rows } = await observer.query('select text from note order by text');
      return rows.map(({ text }) => text);
    }

    it('commits, and returns the value of its work', async () => {
      const db = open();
      const value = await db.transaction(never, async (client) => {
        await client.query("insert into note values ('kept')");
        return 'value';
      });
      expect(value).toBe('value');
      expect(await notes()).toEqual(['kept']);
    });

    it('rolls back when its work fails, and rejects with the error', async () => {
      const db = open();
      const pid = await pidOf(db);
      const work = async (client: pg.PoolClient): Promise<void> => {
        await client.query("insert into note values ('lost')");
        throw new Error('no stock');
      };
      await expect(db.transaction(never, work)).rejects.toThrow('no stock');
      expect(await notes()).toEqual(['kept']);
      expect(await pidOf(db)).toBe(pid);
    });

    it('rolls back when its token is cancelled during a query, and its connection is used again', async () => {
      const db = open();
      const pid = await pidOf(db);
      const token = new CancellationToken();
      const transaction = db.transaction(token, async (client) => {
        await client.query("insert into note values ('lost')");
        await client.query('select pg_sleep(60) as in_transaction');
      });
      transaction.catch(() => {});
      await running('in_transaction');
      token.cancel('gone');
      await expect(transaction).rejects.toBe('gone');
      expect(await notes()).toEqual(['kept']);
      expect(await pidOf(db)).toBe(pid);
    });

    it('cancels a query that starts after the cancellation', async () => {
      const db = open();
      const token = new CancellationToken();
      const transaction = db.transaction(token, async (client) => {
        token.cancel('gone');
        await sleep(50);
        await client.query('select pg_sleep(60)');
      });
      await expect(transaction).rejects.toBe('gone');
      await db.query(never, 'select pg_sleep(0.05)');
    });

    it('rolls back when its token is cancelled at the end of its work', async () => {
      const db = open();
      const token = new CancellationToken();
      const transaction = db.transaction(token, async (client) => {
        await client.query("insert into note values ('lost')");
        token.cancel('gone');
      });
      await expect(transaction).rejects.toBe('gone');
      expect(await notes()).toEqual(['kept']);
    });

    it('rejects when its work has hidden the failure of a query', async () => {
      const db = open();
      const transaction = db.transaction(never, async (client) => {
        await client.query("insert into note values ('lost')");
        await client.query('select nothing').catch(() => {});
      });
      await expect(transaction).rejects.toThrow('transaction: a query has failed, so the server has rolled back');
      expect(await notes()).toEqual(['kept']);
    });
  });

  describe('withClient', () => {
    it('gives COMMIT `cleanupTimeout` after a cancellation, and then says that its outcome is not known', async () => {
      const proxy = await startProxy(server.port);
      const db = open({ port: proxy.port }, { cleanupTimeout: 50 });
      const token = new CancellationToken();
      const work = db.transaction(token, async (client) => {
        await client.query('select 1');
        proxy.sessions[0]?.pause();
        const query = client.query.bind(client);
        Object.assign(client, {
          query: (text: string) => {
            queueMicrotask(() => token.cancel('gone'));
            return query(text);
          },
        });
      });
      await expect(work).rejects.toMatchObject({ name: 'CleanupTimeoutError', unfinished: [{ name: 'COMMIT' }] });
      expect(proxy.cancelCount).toBe(0);
      expect(db.pool.totalCount).toBe(0);
    });

    it('cancels all queries that its work runs together', async () => {
      const db = open();
      const pid = await pidOf(db);
      const token = new CancellationToken();
      const texts = ['first', 'second', 'third', 'fourth'].map((name) => `select pg_sleep(60) as ${name}_of_all`);
      const work = db.transaction(token, (client) => Promise.all(texts.map((text) => client.query(text))));
      work.catch(() => {});
      await running('first_of_all');
      token.cancel('gone');
      await expect(work).rejects.toBe('gone');
      expect(await runningCount('_of_all')).toBe(0);
      expect(await pidOf(db)).toBe(pid);
    });

    it('cancels what the work runs, and sees through the error of a query builder', async () => {
      const db = open();
      const token = new CancellationToken();
      const work = db.withClient(token, async (client) => {
        try {
          await client.query('select pg_sleep(60) as built');
        } catch (error) {
          throw new Error('Failed query: select …', { cause: error });
        }
      });
      work.catch(() => {});
      await running('built');
      token.cancel('gone');
      await expect(work).rejects.toBe('gone');
    });

    it('does not return a connection with an open transaction to the pool', async () => {
      const db = open();
      const pid = await pidOf(db);
      await db.withClient(never, (client) => client.query('begin'));
      expect(await pidOf(db)).not.toBe(pid);
    });

    it('awaits a query that its work has left, so that no other token cancels it', async () => {
      const db = open();
      let left: Promise<unknown> | undefined;
      await db.withClient(never, (client) => {
        left = client.query('select pg_sleep(0.1) as left_behind');
      });
      const token = new CancellationToken();
      const next = db.query(token, 'select pg_sleep(60) as next_lease');
      next.catch(() => {});
      while (db.inFlightCount === 0) await sleep(1);
      token.cancel('gone');
      await expect(next).rejects.toBe('gone');
      await expect(left).resolves.toMatchObject({ rowCount: 1 });
    });

    it('destroys the connection when a query that its work has left does not end within `cleanupTimeout`', async () => {
      const db = open({}, { cleanupTimeout: 50 });
      let left: Promise<unknown> | undefined;
      await db.withClient(never, (client) => {
        left = client.query('select pg_sleep(5) as too_long').catch((error) => error);
      });
      expect(db.pool.totalCount).toBe(0);
      expect(String(await left)).toContain('Connection terminated');
    });

    it('rolls back a transaction that failed work has left, and its connection is used again', async () => {
      const db = open();
      const pid = await pidOf(db);
      const work = async (client: pg.PoolClient): Promise<void> => {
        await client.query('begin');
        throw new Error('no stock');
      };
      await expect(db.withClient(never, work)).rejects.toThrow('no stock');
      await expect(db.query(never, 'begin; select nothing')).rejects.toMatchObject({ code: '42703' });
      const { rows } = await db.query(never, 'select pg_backend_pid() as pid');
      expect(rows).toEqual([{ pid }]);
      expect(await inTransaction(pid)).toBe(false);
    });
  });

  it('is closed by its scope, after the tasks that use it', async () => {
    const events: string[] = [];
    const db = open();
    await scope(async (s) => {
      await s.use(db);
      s.spawn(async () => {
        await db.query(never, 'select pg_sleep(0.05)');
        events.push('query ended');
      });
    });
    expect([...events, db.pool.ended]).toEqual(['query ended', true]);
    await expect(db.query(never, 'select 1')).rejects.toThrow(new ClosedError('pg: the pool is closed'));
  });

  it('rejects the calls that wait for a connection when it is closed, and waits for those that have one', async () => {
    const db = open();
    await observer.query('select pg_advisory_lock(1)');
    const first = db.query(never, 'select pg_advisory_xact_lock(1) as first_at_close');
    const second = db.query(never, 'select 1');
    await running('first_at_close');
    const closing = db.close();
    await expect(second).rejects.toBeInstanceOf(ClosedError);
    await observer.query('select pg_advisory_unlock(1)');
    await expect(first).resolves.toMatchObject({ rowCount: 1 });
    await closing;
    expect(db.pool.ended).toBe(true);
  });

  it('waits for its queries in `close` also when other code has ended the pool', async () => {
    const db = open();
    const events: string[] = [];
    await observer.query('select pg_advisory_lock(1)');
    const text = 'select pg_advisory_xact_lock(1) as ended_by_other';
    const query = db.query(never, text).then(() => events.push('query ended'));
    await running('ended_by_other');
    const ending = db.pool.end();
    const closing = db.close().then(() => events.push('closed'));
    await observer.query('select pg_advisory_unlock(1)');
    await Promise.all([query, ending, closing]);
    expect(events).toEqual(['query ended', 'closed']);
  });
});
