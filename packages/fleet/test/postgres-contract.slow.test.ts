// The cases of every engine on a PostgreSQL server, directly and through PgBouncer in transaction mode.

import { createPostgresSchema, joinFleet, postgresEngine } from '@quiesce/fleet';
import { engineContract } from '@quiesce/fleet/testing';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { pgbouncer, postgres, startPgBouncer, startPostgres, type TestServer } from '../../adapters/test/servers.ts';
import { ask, listening, newNamespace, poolOn, until } from './postgres-vocabulary.ts';

let server: TestServer;
let pool: pg.Pool;

beforeAll(async () => {
  server = await startPostgres();
  pool = poolOn(server.port, { max: 80 });
  // Processes of one deployment do this at the same time.
  await Promise.all(Array.from({ length: 5 }, () => createPostgresSchema(pool)));
}, 300_000);

afterAll(async () => {
  await pool?.end();
  await server?.stop();
});

describe.skipIf(postgres.isMissing)(`postgresEngine on a PostgreSQL server${postgres.note}`, () => {
  it.concurrent.each(engineContract.map((one) => [one.name, one] as const))('%s', (_, { run }) =>
    run(postgresEngine(pool)),
  );

  it('polls after a probe that was lost, and listens again once a later one arrives', async () => {
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
    let connectionCount = 0;
    const engine = postgresEngine(pool, {
      poll: 50,
      listen: async () => {
        const client = new pg.Client({ host: '127.0.0.1', port: server.port, user: 'postgres', database: 'postgres' });
        await client.connect();
        if (connectionCount++ > 0) return client;
        // Notifications of the first connection do not arrive.
        return { query: (text, values) => client.query(text, values), end: () => client.end() };
      },
    });
    await using fleet = await joinFleet({ engine, namespace: newNamespace(), reread: 100, requestTimeout: 30_000 });
    expect(fleet.state.borrow().hints).toBe('polling');
    await until(() => fleet.state.borrow().hints === 'push' && fleet.state.borrow().link === 'up');
    // The lost probe, the next one, and the subscription.
    expect([connectionCount, warn.mock.calls.length]).toEqual([3, 1]);
    warn.mockRestore();
  }, 120_000);

  it('hints are pushed', async () => {
    const { hints, close } = await listening(postgresEngine(pool));
    expect(hints).toBe('push');
    await close();
  });
});

describe.skipIf(pgbouncer.isMissing)(`postgresEngine through PgBouncer in transaction mode${pgbouncer.note}`, () => {
  let bouncer: TestServer;
  let pooled: pg.Pool;
  beforeAll(async () => {
    bouncer = await startPgBouncer(server.port);
    pooled = poolOn(bouncer.port, { max: 40 });
  });
  afterAll(async () => {
    await pooled?.end();
    await bouncer?.stop();
  });

  it('finds out that notifications do not arrive, and warns once', async () => {
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
    const engine = postgresEngine(pooled, { poll: 50 });
    const all = [await listening(engine), await listening(engine)];
    expect(all.map(({ hints }) => hints)).toEqual(['polling', 'polling']);
    expect(warn.mock.calls.map(([text]) => text)).toEqual([
      'postgresEngine: notifications do not arrive, probably because of a pooler: polling every 50 ms. ' +
        'Pass a direct connection, { listen: async () => client }, or { listen: false }',
    ]);
    warn.mockRestore();
    expect(await ask(pooled, 'SELECT pg_listening_channels()')).toEqual([]);
    for (const { close } of all) await close();
  });

  it('gets notifications on a direct connection', async () => {
    const direct: pg.Client[] = [];
    const listen = async (): Promise<pg.Client> => {
      const client = new pg.Client({ host: '127.0.0.1', port: server.port, user: 'postgres' });
      direct.push(client);
      await client.connect();
      return client;
    };
    const { hints, close } = await listening(postgresEngine(pooled, { listen }));
    expect([hints, direct.length]).toEqual(['push', 1]);
    const ended = new Promise((resolve) => direct[0]?.once('end', resolve));
    await close();
    await ended;
    const listeners = "SELECT pid FROM pg_stat_activity WHERE query LIKE '%listen(%' AND pid <> pg_backend_pid()";
    await until(async () => (await ask(pool, listeners)).length === 0);
  });

  // Leases are exclusive, too: E6.
  it.concurrent.each(engineContract.map((one) => [one.name, one] as const))('%s', (_, { run }) =>
    run(postgresEngine(pooled, { listen: false, poll: 50 })),
  );
});
