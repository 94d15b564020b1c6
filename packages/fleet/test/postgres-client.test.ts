// Servers that end a connection in the packet that opens it, as a PostgreSQL does that is killed at that moment.
import { createServer, type Server } from 'node:net';
import { postgresEngine } from '@quiesce/fleet';
import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { rejection } from './vocabulary.ts';

/** A message of PostgreSQL's protocol. */
function message(type: string, body: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeInt32BE(body.length + 4);
  return Buffer.concat([Buffer.from(type), length, body]);
}

const authenticated = message('R', Buffer.alloc(4));
const ready = message('Z', Buffer.from('I'));
const shutDown = message('E', Buffer.from('SFATAL\0C57P01\0Mterminating connection\0\0'));

let server: Server;
let port: number;

beforeAll(async () => {
  server = createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', () => socket.end(Buffer.concat([authenticated, ready, shutDown])));
  });
  server.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  port = (server.address() as { port: number }).port;
});

afterAll(() => new Promise((resolve) => server.close(resolve)));

it('a connection that opens and ends with one packet rejects the call, and ends no process', async () => {
  const pool = new pg.Pool({ host: '127.0.0.1', port, user: 'postgres' });
  pool.on('error', () => {});
  const uncaught: unknown[] = [];
  const onUncaught = (error: unknown): void => void uncaught.push(error);
  process.on('uncaughtException', onUncaught);
  const failure = await rejection(postgresEngine(pool).connect('test', 60_000, { requestTimeout: 500 }));
  await new Promise((resolve) => setImmediate(resolve));
  process.off('uncaughtException', onUncaught);
  expect(failure).toBeInstanceOf(Error);
  expect(uncaught).toEqual([]);
  await pool.end();
});
