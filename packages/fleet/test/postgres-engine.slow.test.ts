// What only a PostgreSQL server shows: transactions, locks, crashes, standbys, and the cost of a read.
import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { createPostgresSchema, type EngineConnection, joinFleet, postgresEngine } from '@quiesce/fleet';
import { sleep } from '@quiesce/select';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { postgres, startPostgres, type TestServer } from '../../adapters/test/servers.ts';
import { expectRepair } from './engine-vocabulary.ts';
import {
  ask,
  cancel,
  clientOf,
  connected,
  listening,
  newNamespace,
  poolOn,
  RETENTION,
  readOn,
  until,
} from './postgres-vocabulary.ts';

describe.skipIf(postgres.isMissing)(`transactions and locks${postgres.note}`, () => {
  let server: TestServer;
  let pool: pg.Pool;
  beforeAll(async () => {
    server = await startPostgres();
    pool = poolOn(server.port, { max: 40 });
    await createPostgresSchema(pool);
  }, 300_000);
  afterAll(async () => {
    await pool?.end();
    await server?.stop();
  });

  it('cancels of a transaction that commits late are read, each exactly once', async () => {
    const namespace = newNamespace();
    const connection = await connected(postgresEngine(pool), namespace);
    const client = await clientOf(pool);
    await client.query('BEGIN');
    const late: unknown[] = [];
    for (let i = 0; i < 10; i++) {
      late.push(...(await ask(client, 'SELECT quiesce.cancel($1, $2)', [namespace, `jobs/late${i}`])));
    }
    const seen: string[] = [];
    let cursor: unknown;
    for (let i = 0; i < 30; i++) {
      await connection.append([cancel(`${i}`)]);
      const read = await readOn(connection, cursor);
      expect([read.ids, read.whole]).toEqual([[`${i}`], i === 0]);
      seen.push(...read.ids);
      cursor = read.cursor;
    }
    await client.query('COMMIT');
    const last = await readOn(connection, cursor);
    expect(last.whole).toBe(false);
    expect([...last.ids].sort()).toEqual([...late].sort());
    expect((await readOn(connection, last.cursor)).ids).toEqual([]);
    expect((await readOn(connection, undefined)).ids.sort()).toEqual([...seen, ...late].sort());
  });

  it('a rollback leaves no cancel and no hint', async () => {
    const namespace = newNamespace();
    const { connection, changes, close } = await listening(postgresEngine(pool), namespace);
    const { cursor } = await readOn(connection, undefined);
    const client = await clientOf(pool);
    await client.query('BEGIN');
    await ask(client, 'SELECT quiesce.cancel($1, $2)', [namespace, 'jobs/1']);
    await client.query('ROLLBACK');
    expect(await readOn(connection, cursor)).toMatchObject({ ids: [], whole: false });
    // A hint of the rollback would come before this one.
    await connection.append([cancel('1')]);
    await until(() => changes.length > 0);
    expect(changes).toEqual(['cancels']);
    await close();
  });

  it('while an old transaction is open, nothing is read twice', async () => {
    const namespace = newNamespace();
    const connection = await connected(postgresEngine(pool), namespace);
    const client = await clientOf(pool);
    await client.query('BEGIN');
    await ask(client, 'SELECT quiesce.cancel($1, $2)', [namespace, 'jobs/old']);
    let cursor = (await readOn(connection, undefined)).cursor;
    const seen: string[] = [];
    for (let i = 0; i < 60; i++) {
      const written = Array.from({ length: 20 }, (_, k) => cancel(`${i}-${k}`));
      await Promise.all([connection.append(written.slice(0, 10)), connection.append(written.slice(10))]);
      const read = await readOn(connection, cursor);
      expect(read.whole).toBe(false);
      seen.push(...read.ids);
      cursor = read.cursor;
    }
    expect(new Set(seen).size).toBe(1_200);
    expect(seen.length).toBe(1_200);
    await client.query('ROLLBACK');
  });

  it('more cancels than a page in one transaction are read page by page', async () => {
    const namespace = newNamespace();
    const connection = await connected(postgresEngine(pool), namespace);
    const { cursor } = await readOn(connection, undefined);
    await ask(pool, "SELECT quiesce.cancel($1, 'jobs/' || i) FROM generate_series(1, 1200) i", [namespace]);
    const pages: number[] = [];
    const ids = new Set<string>();
    for (let after = cursor; ; ) {
      const page = await connection.read('cancels', after);
      pages.push(page.records.length);
      for (const { id } of page.records) ids.add(id);
      after = page.cursor;
      if (!page.more) break;
    }
    expect([pages, ids.size]).toEqual([[500, 500, 200], 1_200]);
  });

  it('a transaction that commits between two pages is read after them', async () => {
    const namespace = newNamespace();
    const connection = await connected(postgresEngine(pool), namespace);
    const client = await clientOf(pool);
    await client.query('BEGIN');
    const late = await ask(client, 'SELECT quiesce.cancel($1, $2)', [namespace, 'jobs/late']);
    for (const k of [0, 1]) await connection.append(Array.from({ length: 400 }, (_, i) => cancel(`${k}-${i}`)));
    const first = await connection.read('cancels', undefined);
    expect([first.records.length, first.more]).toEqual([500, true]);
    await client.query('COMMIT');
    const rest = await readOn(connection, first.cursor);
    expect([rest.ids.length, rest.ids.includes(late[0] as string)]).toEqual([300, false]);
    expect((await readOn(connection, rest.cursor)).ids).toEqual(late);
  });

  it('repairs of several members at once do not deadlock', async () => {
    const namespace = newNamespace();
    const members = await Promise.all(Array.from({ length: 6 }, () => connected(postgresEngine(pool), namespace)));
    for (let round = 0; round < 10; round++) {
      const records = Array.from({ length: 100 }, (_, i) => cancel(`${round}-${i}`));
      const shuffled = (): typeof records => [...records].sort(() => Math.random() - 0.5);
      await Promise.all(members.map((member) => member.append(shuffled())));
    }
    expect((await readOn(members[0] as EngineConnection, undefined)).ids.length).toBe(1_000);
  });

  it('roles need the rights that the README names, and no others', async () => {
    await pool.query(
      `CREATE ROLE caller LOGIN; GRANT USAGE ON SCHEMA quiesce TO caller;
       GRANT SELECT, INSERT ON quiesce.log TO caller; GRANT SELECT ON quiesce.about TO caller;
       CREATE ROLE member LOGIN; GRANT USAGE ON SCHEMA quiesce TO member;
       GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA quiesce TO member`,
    );
    const [callers, members] = [poolOn(server.port, { user: 'caller' }), poolOn(server.port, { user: 'member' })];
    onTestFinished(async () => void (await Promise.all([callers.end(), members.end()])));
    const namespace = newNamespace();
    const { hints, connection, close } = await listening(postgresEngine(members), namespace);
    const ids = await ask(callers, 'SELECT quiesce.cancel($1, $2)', [namespace, 'jobs/1']);
    expect([(await readOn(connection, undefined)).ids, hints]).toEqual([ids, 'push']);
    for (const call of Object.values(calls)) await call(connection);
    await close();
    await expect(connected(postgresEngine(callers))).rejects.toMatchObject({ code: '42501' });
  });

  const calls: Record<string, (connection: EngineConnection) => Promise<unknown>> = {
    append: (connection) => connection.append([cancel('1')]),
    read: (connection) => connection.read('cancels', undefined),
    meet: (connection) => connection.meet({ id: 'worker/0a1b2c3d', ttl: 15_000, keep: 600_000 }),
    leave: (connection) => connection.leave('worker/0a1b2c3d'),
    hold: (connection) => connection.hold({ name: 's', holder: 'h', ttl: 60_000, permits: 1 }),
    release: (connection) => connection.release({ name: 's', holder: 'h', fence: 1 }),
  };

  it('a call before a locked table gives up in the server, and keeps its connection', async () => {
    const own = poolOn(server.port, { max: 10 });
    onTestFinished(() => own.end());
    const connection = await connected(postgresEngine(own));
    await Promise.all(Object.values(calls).map((call) => call(connection)));
    const locking = await clientOf(pool);
    await locking.query('BEGIN');
    await locking.query('LOCK TABLE quiesce.log, quiesce.member, quiesce.slot');
    const before = own.totalCount;
    const failures = await Promise.all(
      Object.entries(calls).map(async ([name, call]) => [name, await call(connection).catch((error) => error.code)]),
    );
    expect(failures).toEqual(Object.keys(calls).map((name) => [name, '55P03']));
    expect(own.totalCount).toBe(before);
    await locking.query('ROLLBACK');
    await Promise.all(Object.values(calls).map((call) => call(connection)));
  });

  it('a call over its limit costs its connection, and no backend stays before the locked table', async () => {
    const own = poolOn(server.port, { max: 4 });
    onTestFinished(() => own.end());
    const namespace = newNamespace();
    const connection = await postgresEngine(own).connect(namespace, RETENTION, { requestTimeout: 1_000 });
    let removedCount = 0;
    own.on('remove', () => removedCount++);
    const locking = await clientOf(pool);
    await locking.query('BEGIN');
    await locking.query('LOCK TABLE quiesce.log');
    while (removedCount < 3) {
      const error = await connection.append([cancel('1')]).catch((error) => error);
      expect(error).toMatchObject({ code: 'ERR_ENGINE_UNAVAILABLE' });
      await sleep(0);
    }
    await until(() => own.idleCount === own.totalCount);
    // The lock is still held: the backends give up by themselves.
    const waiting = "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%quiesce%'";
    await until(async () => (await ask(pool, waiting)).length === 0);
    await locking.query('ROLLBACK');
    const after = await connected(postgresEngine(own), namespace);
    await after.append([cancel('2')]);
    expect((await readOn(after, undefined)).ids).toEqual(['2']);
  });

  it('an empty read beside 100,000 live cancels costs at most 3 times one beside none', async () => {
    const blocks = async (namespace: string): Promise<number> => {
      const connection = await connected(postgresEngine(pool), namespace);
      const { cursor } = await connection.read('cancels', (await readOn(connection, undefined)).cursor);
      const client = await clientOf(pool);
      const explain = 'EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) SELECT quiesce.read($1, $2, $3)';
      const values = [namespace, 'cancels', JSON.stringify(cursor)];
      // Plans of a session are cached after the fifth call.
      for (let i = 0; i < 10; i++) await client.query('SELECT quiesce.read($1, $2, $3)', values);
      const [[plan]] = (await ask(client, explain, values)) as [[{ Plan: Record<string, number> }]];
      return (plan.Plan['Shared Hit Blocks'] ?? 0) + (plan.Plan['Shared Read Blocks'] ?? 0);
    };
    // An old transaction, without which one condition would be as good.
    const client = await clientOf(pool);
    await client.query('BEGIN');
    await ask(client, 'SELECT pg_current_xact_id()');
    const [full, empty] = [newNamespace(), newNamespace()];
    await ask(
      pool,
      `INSERT INTO quiesce.log (namespace, log, id, body, expires_at)
       SELECT $1, 'cancels', gen_random_uuid(), '', now() + interval '1 h' FROM generate_series(1, 100000)`,
      [full],
    );
    const none = await blocks(empty);
    const many = await blocks(full);
    expect(none).toBeGreaterThan(0);
    expect(many).toBeLessThanOrEqual(3 * none);
    const [size] = await ask(pool, "SELECT pg_total_relation_size('quiesce.log') / 100000");
    expect(Number(size)).toBeLessThanOrEqual(400);
    await client.query('ROLLBACK');
  });

  it('each method is one query', async () => {
    const queries: unknown[] = [];
    const counted = poolOn(server.port, { max: 2 });
    onTestFinished(() => counted.end());
    counted.on('connect', (client) => {
      const query = client.query as (...args: unknown[]) => unknown;
      Object.assign(client, {
        query(...args: unknown[]) {
          queries.push(args[0]);
          return query.apply(client, args);
        },
      });
    });
    const connection = await connected(postgresEngine(counted));
    expect(queries.splice(0).length).toBe(1);
    for (const [name, call] of Object.entries(calls)) {
      await call(connection);
      expect([name, queries.splice(0).length]).toEqual([name, 1]);
    }
    const { check, close } = await listening(postgresEngine(counted));
    queries.splice(0);
    await check();
    expect(queries.splice(0)).toEqual(['SELECT 1']);
    await close();
  });

  it('a subscription whose connection hangs fails its check, and ends without an answer', async () => {
    const own = poolOn(server.port, { max: 3 });
    onTestFinished(() => own.end());
    const { hints, check, close } = await listening(postgresEngine(own), newNamespace(), { requestTimeout: 3_000 });
    expect(hints).toBe('push');
    const listener = "SELECT pid FROM pg_stat_activity WHERE query LIKE '%.listen(%' AND pid <> pg_backend_pid()";
    const [pid] = (await ask(pool, listener)) as number[];
    process.kill(Number(pid), 'SIGSTOP');
    onTestFinished(() => void process.kill(Number(pid), 'SIGCONT'));
    expect(await check().catch((error) => error)).toMatchObject({ code: 'ERR_ENGINE_UNAVAILABLE' });
    await close();
    await until(() => own.totalCount === own.idleCount);
    await (await connected(postgresEngine(own))).append([cancel('1')]);
  });

  it('with one connection in the pool it polls, and does not wait for itself', async () => {
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
    const single = poolOn(server.port, { max: 1 });
    onTestFinished(() => single.end());
    const { hints, connection, changes, close } = await listening(postgresEngine(single, { poll: 50 }));
    expect(hints).toBe('polling');
    await connection.append([cancel('1')]);
    await until(() => changes.includes('cancels'));
    await close();
    expect(warn).toHaveBeenCalledTimes(1);
    warn.mockRestore();
  });

  it('rows of a dump, which come from the future, are read until the next connect, and once after it', async () => {
    const namespace = newNamespace();
    const connection = await connected(postgresEngine(pool), namespace);
    const { cursor } = await readOn(connection, undefined);
    await ask(
      pool,
      "INSERT INTO quiesce.log SELECT $1, 'cancels', 'r' || i, '9000000000000', now() + interval '1 h', 'jobs/1' FROM generate_series(1, 600) i",
      [namespace],
    );
    const first = await readOn(connection, cursor);
    const second = await readOn(connection, first.cursor);
    expect([first.ids.length, second.ids.length, first.whole, second.whole]).toEqual([600, 600, false, false]);
    const other = await connected(postgresEngine(pool), namespace);
    const third = await readOn(connection, second.cursor);
    expect(third.ids.length).toBe(600);
    expect((await readOn(connection, third.cursor)).ids).toEqual([]);
    expect((await readOn(other, undefined)).ids.length).toBe(600);
  });

  it('cancels that living members saw survive the deletion of their rows', async () => {
    const engines = [1, 2, 3].map(() => postgresEngine(pool));
    await expectRepair(engines, async () => {
      await pool.query(`DELETE FROM quiesce.log WHERE namespace LIKE 'repair-%' AND body LIKE 'jobs/%'`);
    });
  });

  it('expired rows can be deleted, and cursors stay valid', async () => {
    const namespace = newNamespace();
    const connection = await connected(postgresEngine(pool), namespace);
    await connection.append([cancel('live'), { ...cancel('short'), ttl: 1 }]);
    const { cursor } = await readOn(connection, undefined);
    await until(async () => {
      const { rowCount } = await pool.query('DELETE FROM quiesce.log WHERE namespace = $1 AND expires_at < now()', [
        namespace,
      ]);
      return rowCount === 1;
    });
    expect((await readOn(connection, cursor)).whole).toBe(false);
  });

  it('a heartbeat does not wait for a transaction that has deleted rows', async () => {
    const namespace = newNamespace();
    const connection = await connected(postgresEngine(pool), namespace);
    await connection.append([cancel('1')]);
    const user = await pool.connect();
    try {
      await user.query('BEGIN');
      await user.query('DELETE FROM quiesce.log WHERE namespace = $1', [namespace]);
      await pool.query('SELECT pg_sleep(1.1)'); // a heartbeat cleans at most once a second
      await connection.meet({ id: 'me', ttl: 60_000, keep: 60_000 });
      await connection.append([cancel('2')]);
    } finally {
      await user.query('ROLLBACK');
      user.release();
    }
  });

  it('data that was deleted as a whole makes a read whole', async () => {
    const schema = 'whole_test';
    await createPostgresSchema(pool, { schema });
    const engine = postgresEngine(pool, { schema });
    const namespace = newNamespace();
    const connection = await connected(engine, namespace);
    await connection.append([cancel('1')]);
    let { cursor } = await readOn(connection, undefined);
    const losses = ['TRUNCATE whole_test.log', 'DROP SCHEMA whole_test CASCADE'];
    for (const [i, loss] of losses.entries()) {
      await ask(pool, loss);
      if (i === 1) {
        const error = await connection.read('cancels', cursor).catch((error) => error);
        expect(error).toMatchObject({
          code: 'ERR_FLEET_SCHEMA',
          message: expect.stringContaining("call createPostgresSchema(pool, { schema: 'whole_test' }) once"),
        });
        await createPostgresSchema(pool, { schema });
      }
      await connection.append([cancel(`after ${i}`)]);
      const read = await readOn(connection, cursor);
      expect([read.ids, read.whole]).toEqual([[`after ${i}`], true]);
      cursor = read.cursor;
    }
    await ask(pool, 'DROP SCHEMA whole_test CASCADE');
  });
});

describe.skipIf(postgres.isMissing)(`a server that fails${postgres.note}`, () => {
  let server: TestServer;
  let pool: pg.Pool;
  beforeAll(async () => {
    server = await startPostgres();
    pool = poolOn(server.port);
    await createPostgresSchema(pool);
  }, 300_000);
  afterAll(async () => {
    await pool?.end();
    await server?.stop();
  });

  /** The processes of a server that crashed end a little later, and keep the folder until then. */
  async function restart(): Promise<void> {
    while (
      !(await server.restart().then(
        () => true,
        () => false,
      ))
    )
      await sleep(50);
  }

  it('a crash ends a subscription once, costs no data, and the next one works on the same pool', async () => {
    // Without a listener of its own: the engine has one.
    const bare = new pg.Pool({ host: '127.0.0.1', port: server.port, user: 'postgres' });
    const namespace = newNamespace();
    const engine = postgresEngine(bare);
    const first = await listening(engine, namespace);
    expect(first.hints).toBe('push');
    await first.connection.append([cancel('1')]);
    await first.connection.meet({ id: 'worker/0a1b2c3d', ttl: 60_000, keep: 60_000 });
    const fence = await first.connection.hold({ name: 's', holder: 'h', ttl: 60_000, permits: 1 });
    const { cursor } = await readOn(first.connection, undefined);
    await server.kill();
    await until(() => first.broken.length > 0);
    await expect(first.check()).rejects.toThrow('postgresEngine: the subscription has ended');
    await expect(first.connection.read('cancels', cursor)).rejects.toThrow();
    await restart();
    const second = await listening(engine, namespace);
    expect(second.hints).toBe('push');
    const read = await readOn(first.connection, cursor);
    expect([read.ids, read.whole]).toEqual([['1'], true]);
    expect((await second.connection.meet(undefined)).map(({ id }) => id)).toEqual(['worker/0a1b2c3d']);
    expect(await second.connection.hold({ name: 's', holder: 'h', ttl: 60_000, permits: 1 })).toEqual(fence);
    await first.connection.append([cancel('2')]);
    await until(() => second.changes.includes('cancels'));
    expect(first.broken.length).toBe(1);
    await first.close();
    await second.close();
    expect(bare.listenerCount('error')).toBe(0);
    await bare.end();
  });

  it('an older copy of the data makes a read whole, and later records are read', async () => {
    const namespace = newNamespace();
    const connection = await connected(postgresEngine(pool), namespace);
    await connection.append([cancel('old')]);
    const fence = (await connection.hold({ name: 's', holder: 'h', ttl: 1_000, permits: 1 })) as { fence: number };
    const data = join(server.folder, 'data');
    await server.kill();
    execFileSync('cp', ['-a', data, `${data}-copy`]);
    await restart();
    const early = await connected(postgresEngine(pool), namespace);
    await early.append([cancel('lost')]);
    const { ids, cursor } = await readOn(early, undefined);
    expect([...ids].sort()).toEqual(['lost', 'old']);
    await server.kill();
    rmSync(data, { recursive: true });
    execFileSync('mv', [`${data}-copy`, data]);
    await restart();
    // As many transactions as were lost, and more.
    for (let i = 0; i < 20; i++) await early.append([cancel(`new${i}`)]);
    const read = await readOn(early, cursor);
    expect(read.whole).toBe(true);
    expect(read.ids.length).toBe(21);
    expect(read.ids).not.toContain('lost');
    // Fences grow also where the data went back.
    await until(async () => {
      const answer = await early.hold({ name: 's', holder: 'other', ttl: 1_000, permits: 1 });
      return 'fence' in answer && answer.fence > fence.fence;
    });
  });

  it('a cancel that was asked for during a crash ends a run on another member', async () => {
    const engine = postgresEngine(pool);
    const namespace = newNamespace();
    await using worker = await joinFleet({ engine, namespace, node: 'worker' });
    await using api = await joinFleet({ engine, namespace, node: 'api' });
    const lease = worker.lease('billing', (token, held) => token.cancelled().then(() => held.fence), { ttl: 600_000 });
    const run = worker.run(['jobs', 42, 1], (token) => token.cancelled().then(() => token.reason));
    await until(() => worker.inspect().leases.length === 1);
    await server.kill();
    const cancelling = api.cancel(['jobs', 42], 'stopped', { until: 'ended', timeout: 600_000 });
    await until(() => api.state.borrow().link === 'down' && worker.state.borrow().link === 'down');
    await restart();
    const receipt = await cancelling;
    expect(receipt).toMatchObject({ state: 'ended', lost: [] });
    expect(receipt.nodes.map(({ state, runCount: runs }) => [state, runs])).toContainEqual(['ended', 1]);
    expect(await run).toBe('stopped');
    expect(worker.inspect().leases.length).toBe(1);
    await worker.close();
    expect(await lease).toBeGreaterThan(0);
  });

  it('a standby is refused, also by a pool that reaches it later', async () => {
    const connection = await connected(postgresEngine(pool));
    const { cursor } = await readOn(connection, undefined);
    await server.kill();
    const standby = await startPostgres(server.folder);
    onTestFinished(() => standby.stop());
    const replica = poolOn(standby.port);
    onTestFinished(() => replica.end());
    const refusal = { code: '25006', message: 'this server is a standby, and a fleet needs the primary' };
    await expect(connected(postgresEngine(replica))).rejects.toMatchObject(refusal);
    await restart();
    let target = pool;
    const moving = await connected(postgresEngine({ query: pool.query.bind(pool), connect: () => target.connect() }));
    expect((await readOn(moving, cursor)).whole).toBe(true);
    target = replica;
    await expect(moving.read('cancels', undefined)).rejects.toMatchObject(refusal);
    await expect(moving.append([cancel('1')])).rejects.toMatchObject({ code: '25006' });
  });
});
