import { setImmediate } from 'node:timers/promises';
import { postgresEngine } from '@quiesce/fleet';
import pg from 'pg';
import { expect, it } from 'vitest';
import { collectUncaught, startOnePacketPostgres } from '../../adapters/test/one-packet-postgres.ts';
import { rejection } from './vocabulary.ts';

it('a connection that opens and ends with one packet rejects the call, and ends no process', async () => {
  const pool = new pg.Pool({ host: '127.0.0.1', port: await startOnePacketPostgres(), user: 'postgres' });
  pool.on('error', () => {});
  const uncaught = collectUncaught();
  const failure = await rejection(postgresEngine(pool).connect('test', 60_000, { requestTimeout: 500 }));
  await setImmediate();
  expect(failure).toBeInstanceOf(Error);
  expect(uncaught).toEqual([]);
  await pool.end();
});
