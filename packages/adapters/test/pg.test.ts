// Tests without a PostgreSQL.
import { setImmediate } from 'node:timers/promises';
import { CancellablePool } from '@quiesce/adapters/pg';
import { CancellationToken } from '@quiesce/cancellation-token';
import pg from 'pg';
import { describe, expect, it } from 'vitest';
import { collectUncaught, startOnePacketPostgres } from './one-packet-postgres.ts';

const never = CancellationToken.never;

describe('CancellablePool refuses', () => {
  const pool = new pg.Pool();
  const db = new CancellablePool(pool);

  it.each([
    ['nothing', undefined, {}, 'TypeError: new CancellablePool: expected a Pool of pg, got undefined'],
    ['a client', new pg.Client(), {}, 'TypeError: new CancellablePool: expected a Pool of pg, got a Client'],
    ['an unknown option', pool, { timeout: 1 }, /^TypeError: new CancellablePool: there is no option "timeout"/],
    [
      'a wrong time',
      pool,
      { cleanupTimeout: -1 },
      /^RangeError: new CancellablePool: cleanupTimeout must be milliseconds/,
    ],
    [
      'a name that is no string',
      pool,
      { name: 1 },
      'TypeError: new CancellablePool: name: expected a string, got the number 1',
    ],
  ])('%s', (_, given, options, text) => {
    let error: unknown;
    try {
      new CancellablePool(given as never, options as never);
    } catch (thrown) {
      error = thrown;
    }
    expect(String(error)).toMatch(text);
  });

  it.each([
    ['a query without a token', () => db.query('select 1' as never, 'select 1'), 'query: expected an AbortSignal or'],
    [
      'a query that is a cursor',
      () => db.query(never, { text: 'select 1', submit() {} } as never),
      'use withClient for cursors and streams',
    ],
    ['a transaction without work', () => db.transaction(never, 1 as never), 'transaction: expected a function'],
    ['a client without work', () => db.withClient(never, undefined as never), 'withClient: expected a function'],
    ['a client without a token', () => db.withClient({} as never, () => {}), 'withClient: expected an AbortSignal or'],
  ])('%s', async (_, call, text) => {
    await expect(call()).rejects.toThrow(text);
    await expect(call()).rejects.toBeInstanceOf(TypeError);
  });

  it('a connection that has no key for cancel requests', async () => {
    const client = Object.assign(new pg.Client(), { release: () => {} });
    const keyless = Object.assign(new pg.Pool(), { connect: async () => client });
    await expect(new CancellablePool(keyless as never).query(never, 'select 1')).rejects.toThrow(
      'CancellablePool: the connection cannot be cancelled. It needs pg ^8.21, not pg.native, and a server that sends a key',
    );
  });
});

it('a CancellablePool closes its pool once, also when it has been ended before', async () => {
  const pool = new pg.Pool();
  const db = new CancellablePool(pool, { name: 'orders' });
  await Promise.all([db.close(), db[Symbol.asyncDispose]()]);
  expect(pool.ended).toBe(true);
  await new CancellablePool(pool).close();
  expect(JSON.stringify(db)).toBe('{"name":"orders","inFlightCount":0}');
});

it('a query on a connection that opens and ends with one packet rejects, and ends no process', async () => {
  const pool = new pg.Pool({ host: '127.0.0.1', port: await startOnePacketPostgres(), user: 'postgres' });
  pool.on('error', () => {});
  const uncaught = collectUncaught();
  await expect(new CancellablePool(pool).query(never, 'select 1')).rejects.toThrow('connection error');
  await setImmediate();
  expect(uncaught).toEqual([]);
  await pool.end();
});
