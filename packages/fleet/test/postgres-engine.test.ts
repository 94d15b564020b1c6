// The contract of every engine and what the PostgreSQL engine promises beyond it, as far as PGlite shows it.
import { PGlite } from '@electric-sql/pglite';
import { PGLiteSocketServer } from '@electric-sql/pglite-socket';
import { CancelledError, TimeoutError } from '@quiesce/cancellation-token';
import {
  createPostgresSchema,
  encodeReason,
  joinFleet,
  type PostgresClient,
  postgresEngine,
  postgresSchema,
} from '@quiesce/fleet';
import { engineContract } from '@quiesce/fleet/testing';
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cancel, connected, newNamespace, poolOn, RETENTION, readOn, until } from './postgres-vocabulary.ts';

let db: PGlite;
let server: PGLiteSocketServer;
let pool: pg.Pool;

// It compiles 12 MB of WebAssembly.
beforeAll(async () => {
  db = await PGlite.create();
  await createPostgresSchema(db);
  server = new PGLiteSocketServer({ db, host: '127.0.0.1', port: 0, maxConnections: 10 });
  await server.start();
  pool = poolOn(Number(server.getServerConn().split(':').pop()), { max: 10 });
}, 300_000);

afterAll(async () => {
  await pool?.end();
  await server?.stop();
  await db?.close();
});

describe('an engine on PGlite', () => {
  it.concurrent.each(engineContract.map((one) => [one.name, one] as const))('%s', (_, { run }) =>
    run(postgresEngine(db, { poll: 50 })),
  );
});

describe('an engine on the socket of PGlite', () => {
  // postgres-contract.slow.test.ts has all of them with the driver.
  const some = engineContract.filter(({ name }) => /E5: cancels|E6: the same holder|E3: 501/.test(name));
  it.concurrent.each(some.map((one) => [one.name, one] as const))('%s', (_, { run }) => {
    expect(some.length).toBe(3);
    return run(postgresEngine(pool, { listen: false, poll: 50 }));
  });
});

/** Runs a query, and returns the values of its first column. */
async function values(sql: string, ...params: unknown[]): Promise<unknown[]> {
  const { rows } = await db.query(sql, params);
  return rows.map((row) => Object.values(row as object)[0]);
}

describe('the schema', () => {
  it('is created once, and again without a change', async () => {
    const connection = await connected(postgresEngine(db));
    await connection.append([cancel('1')]);
    await createPostgresSchema(db);
    expect((await readOn(connection, undefined)).ids).toEqual(['1']);
  });

  it('can have another name, and shares nothing with the first', async () => {
    const schema = 'Jobs_2';
    await createPostgresSchema(db, { schema });
    const namespace = newNamespace();
    const one = await connected(postgresEngine(db), namespace);
    const other = await connected(postgresEngine(db, { schema }), namespace);
    await one.append([cancel('1')]);
    expect((await readOn(other, undefined)).ids).toEqual([]);
    await values(`SELECT "Jobs_2".cancel($1, 'jobs/1')`, namespace);
    expect((await readOn(other, undefined)).ids.length).toBe(1);
    expect(await values('SELECT quiesce.channel($1, $2) <> "Jobs_2".channel($1, $2)', namespace, 'cancels')).toEqual([
      true,
    ]);
  });

  it('is one statement, which a migration can run', () => {
    expect(postgresSchema()).toMatch(/^DO \$schema\$ BEGIN\n[\s\S]*\nEND \$schema\$$/);
    expect(postgresSchema({ schema: 'jobs' })).not.toContain('"quiesce"');
  });

  it.each([
    [
      'is missing',
      "call createPostgresSchema(pool, { schema: 'none' }) once, or run the SQL of postgresSchema",
      'none',
    ],
    ['is of version 0, not 1', "call createPostgresSchema(pool, { schema: 'older' }) once", 'older'],
  ])('that %s is a SchemaError with the call to make', async (what, call, schema) => {
    if (schema === 'older') {
      await createPostgresSchema(db, { schema });
      await db.exec(
        `CREATE OR REPLACE FUNCTION older.connect(_ns text, _retention float8) RETURNS text LANGUAGE sql
         AS $$ SELECT '{"version": 0, "retention": 1}' $$`,
      );
    }
    const error = await joinFleet({ engine: postgresEngine(db, { schema }) }).catch((error) => error);
    expect(error).toMatchObject({ name: 'SchemaError', code: 'ERR_FLEET_SCHEMA' });
    expect(error.message).toContain(`postgresEngine: the schema "${schema}" ${what}: `);
    expect(error.message).toContain(call);
  });

  it.each(['', 'a-b', 'a"b', '1a', 'ä', 'a'.repeat(64), 1, null])('the name %j is refused', async (schema) => {
    const options = { schema: schema as string };
    const text = 'schema must have letters, digits and underscores only, 63 at most and no digit first, got ';
    expect(() => postgresSchema(options)).toThrow(`postgresSchema: ${text}`);
    expect(() => postgresEngine(db, options)).toThrow(`postgresEngine: ${text}`);
    await expect(createPostgresSchema(db, options)).rejects.toThrow(`createPostgresSchema: ${text}`);
  });
});

describe('quiesce.cancel', () => {
  it('cancels a run when the transaction commits, and not before', async () => {
    const namespace = newNamespace();
    await using fleet = await joinFleet({ engine: postgresEngine(db, { poll: 50 }), namespace });
    expect(fleet.state.borrow().hints).toBe('polling');
    const running = fleet.run('jobs/1', (token) => token.cancelled().then(() => token.reason));
    const beside = fleet.run('jobs/10', (token) => token.cancelled().then(() => token.reason));
    const reason = encodeReason(Object.assign(new Error('out of stock'), { code: 'E_STOCK' }));
    await db.transaction(async (tx) => {
      await tx.query('SELECT quiesce.cancel($1, $2, $3)', [namespace, 'jobs/1', reason]);
      expect(fleet.inspect().runs.map(({ isCancelled }) => isCancelled)).toEqual([false, false]);
    });
    expect(await running).toMatchObject({ name: 'Error', message: 'out of stock', code: 'E_STOCK' });
    expect(fleet.inspect().runs.map(({ key }) => key)).toEqual(['jobs/10']);
    await fleet.cancel('jobs', 'all');
    expect(await beside).toBe('all');
  });

  it('covers later runs, with the default reason, until its ttl', async () => {
    const namespace = newNamespace();
    await values("SELECT quiesce.cancel(namespace => $1, key => 'jobs/long')", namespace);
    await values("SELECT quiesce.cancel(namespace => $1, key => 'jobs/short', ttl => '1 s')", namespace);
    await using fleet = await joinFleet({ engine: postgresEngine(db, { poll: 50 }), namespace });
    const start = (key: string): Promise<unknown> => fleet.run(key, () => 'started').catch((reason) => reason);
    await until(async () => (await start('jobs/short')) === 'started');
    expect(await start('jobs/long')).toBeInstanceOf(CancelledError);
  });

  it.each([
    [{ type: 'value', value: null }, null],
    [{ type: 'value', value: { a: [1, 'ü\u2028'] } }, { a: [1, 'ü\u2028'] }],
    [{ type: 'cancelled' }, expect.any(CancelledError)],
    [{ type: 'timeout', ms: 50, message: 'slow' }, expect.any(TimeoutError)],
  ])('sends the reason %j', async (encoded, reason) => {
    const namespace = newNamespace();
    await values("SELECT quiesce.cancel($1, 'a', $2)", namespace, encoded);
    await using fleet = await joinFleet({ engine: postgresEngine(db), namespace });
    expect(await fleet.run('a', () => 'started').catch((reason) => reason)).toEqual(reason);
  });

  it.each([
    ['the key', "'jobs//1'"],
    ['the key', "'/jobs'"],
    ['the key', "'jobs/'"],
    ['the key', "''"],
    ['the key', 'NULL'],
    ['the key', "E'jobs/\\n'"],
    ['the key', "E'jobs/\\u0085'"],
    ['the key', "repeat('ü', 257)"],
    ['the key', "repeat('a/', 32) || 'a'"],
    ['the reason', "'a', '\"stopped\"'"],
    ['the reason', "'a', '{}'"],
    ['the reason', '\'a\', \'{"type": "other"}\''],
    ['the reason', "'a', jsonb_build_object('type', 'value', 'value', repeat('a', 8200))"],
    ['the ttl', "'a', NULL, '999 ms'"],
    ['the ttl', "'a', NULL, '61 min'"],
  ])('refuses %s of (%s)', async (what, args) => {
    const error = await db.query(`SELECT quiesce.cancel('shop', ${args})`).catch((error) => error);
    expect(error).toMatchObject({ code: '22023', message: expect.stringContaining(`quiesce.cancel: ${what} `) });
  });

  it('refuses a namespace that no fleet can have, and accepts the longest key', async () => {
    for (const namespace of ['', 'a b', 'a'.repeat(33), null]) {
      const error = await db.query("SELECT quiesce.cancel($1, 'a')", [namespace]).catch((error) => error);
      expect(error).toMatchObject({ code: '22023', message: expect.stringContaining('the namespace ') });
    }
    const key = `${'ü/'.repeat(31)}${'a'.repeat(512 - 93)}`;
    const ids = await values('SELECT quiesce.cancel($1, $2)', 'shop', key);
    expect(ids).toEqual([expect.stringMatching(/^[0-9a-f-]{36}$/)]);
  });
});

describe('cleaning', () => {
  it('a heartbeat removes what has expired', async () => {
    const schema = 'cleaned';
    await createPostgresSchema(db, { schema });
    const connection = await connected(postgresEngine(db, { schema }));
    const me = { id: 'worker/0a1b2c3d', ttl: 60_000, keep: 60_000 };
    await connection.append([cancel('short', 1), cancel('long')]);
    await connection.meet({ id: 'worker/lost', ttl: 1, keep: 1 });
    await connection.hold({ name: 'a', holder: 'h', ttl: 1, permits: 1 });
    await connection.hold({ name: 'b', holder: 'h', ttl: 60_000, permits: 1 });
    await values("UPDATE cleaned.slot SET used_at = used_at - interval '2 h' WHERE name = 'a' RETURNING 1");
    const left = async (): Promise<unknown[]> => [
      ...(await values('SELECT id FROM cleaned.log')),
      ...(await values('SELECT id FROM cleaned.member')),
      ...(await values('SELECT name FROM cleaned.holder')),
      ...(await values('SELECT name FROM cleaned.slot')),
    ];
    await until(async () => {
      await connection.meet(me);
      return (await left()).length <= 4;
    });
    expect(await left()).toEqual(['long', me.id, 'b', 'b']);
  });
});

describe('the connections of a pool', () => {
  /** A client that counts, and whose answers a test gives. */
  class FakeClient implements PostgresClient {
    readonly listeners: Map<string, unknown[]> = new Map();
    readonly released: unknown[] = [];
    answer: () => Promise<{ rows: unknown[] }> = async () => ({
      rows: [{ answer: JSON.stringify({ version: 1, retention: RETENTION }) }],
    });
    query(): Promise<{ rows: unknown[] }> {
      return this.answer();
    }
    on(event: string, listener: unknown): void {
      this.listeners.set(event, [...(this.listeners.get(event) ?? []), listener]);
    }
    off(event: string, listener: unknown): void {
      this.listeners.set(
        event,
        (this.listeners.get(event) ?? []).filter((one) => one !== listener),
      );
    }
    release(error?: unknown): void {
      this.released.push(error);
    }
    count(): number {
      return this.listeners.get('error')?.length ?? 0;
    }
  }

  it('go back after each call, without a listener, also when the server refuses', async () => {
    const client = new FakeClient();
    const pool = { query: () => client.query(), connect: async () => client };
    const connection = await postgresEngine(pool).connect('shop', RETENTION);
    client.answer = () => {
      expect(client.count()).toBe(1);
      return Promise.reject(Object.assign(new Error('no'), { code: '40001' }));
    };
    await expect(connection.append([])).rejects.toThrow('no');
    expect([client.released, client.count()]).toEqual([[undefined, undefined], 0]);
  });

  it('are ended, with a listener, after a call over its limit', async () => {
    const client = new FakeClient();
    const pool = { query: () => client.query(), connect: async () => client };
    const connection = await postgresEngine(pool).connect('shop', RETENTION, { requestTimeout: 100 });
    client.answer = () => new Promise(() => {});
    const error = await connection.read('cancels', undefined).catch((error) => error);
    expect(error).toMatchObject({ code: 'ERR_ENGINE_UNAVAILABLE' });
    expect([client.released, client.count()]).toEqual([[undefined, error], 1]);
  });

  it('that come after the limit go back at once', async () => {
    const client = new FakeClient();
    let open: (client: FakeClient) => void = () => {};
    const queue = [Promise.resolve(client)];
    const connect = (): Promise<FakeClient> => queue.shift() ?? new Promise((resolve) => (open = resolve));
    const connection = await postgresEngine({ query: () => client.query(), connect }).connect('shop', RETENTION, {
      requestTimeout: 100,
    });
    const call = connection.read('cancels', undefined);
    await expect(call).rejects.toMatchObject({ code: 'ERR_ENGINE_UNAVAILABLE' });
    const late = new FakeClient();
    open(late);
    await until(() => late.released.length > 0);
    expect([late.released, late.count()]).toEqual([[undefined], 0]);
  });

  it('of a pool that gives no client are a TypeError', async () => {
    const pool = { query: async () => ({ rows: [] }), connect: async () => undefined as never };
    await expect(postgresEngine(pool).connect('shop', RETENTION)).rejects.toThrow(
      'postgresEngine: expected a Pool of pg, got undefined',
    );
  });

  it('have a listener for errors of the pool while a fleet is open', async () => {
    const pool = new FakeClient();
    const engine = postgresEngine(Object.assign(pool, { connect: async () => new FakeClient() }));
    const [one, two] = [await engine.connect('shop', RETENTION), await engine.connect('shop', RETENTION)];
    expect(pool.count()).toBe(2);
    await one.close?.();
    await two.close?.();
    expect(pool.count()).toBe(0);
  });
});

describe('wrong arguments', () => {
  it.each([undefined, null, 'postgres://', {}, { query: 1 }, { query() {}, connect: 1 }])(
    'the pool %j is refused',
    async (pool) => {
      expect(() => postgresEngine(pool as never)).toThrow('postgresEngine: expected a Pool of pg, got ');
      await expect(createPostgresSchema(pool as never)).rejects.toThrow(
        'createPostgresSchema: expected a Pool of pg, got ',
      );
    },
  );

  it('a Client in place of a Pool is refused', async () => {
    const { Client } = (await import('pg')).default;
    expect(() => postgresEngine(new Client())).toThrow('postgresEngine: expected a Pool of pg, got a Client');
  });

  it.each([49, 60_001, Number.NaN, '500', null])('poll: %j is refused', (poll) => {
    expect(() => postgresEngine(db, { poll: poll as number })).toThrow(
      /^postgresEngine: poll must be milliseconds from 50 to 60,000, got /,
    );
  });

  it.each([true, 'url', {}, null])('listen: %j is refused', (listen) => {
    expect(() => postgresEngine(db, { listen: listen as never })).toThrow(
      'postgresEngine: listen: expected a function that opens a connection, or false, got ',
    );
  });

  it('unknown options are refused', () => {
    expect(() => postgresEngine(db, { shema: 'a' } as never)).toThrow('did you mean "schema"?');
    expect(() => postgresSchema({ poll: 1 } as never)).toThrow('postgresSchema: there is no option "poll"');
  });
});
