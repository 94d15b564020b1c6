// What the tests of the PostgreSQL engine say.

import type { ConnectOptions, EngineConnection, FleetEngine, FleetTopic } from '@quiesce/fleet';
import { sleep } from '@quiesce/select';
import pg from 'pg';
import { onTestFinished } from 'vitest';

export const RETENTION = 3_600_000;
/** How long a call may take where no limit is tested. A busy machine decides no test. */
const PATIENT = { requestTimeout: 30_000 };

let namespaceCount = 0;
export const newNamespace = (): string => `test-${process.pid}-${namespaceCount++}`;

export function poolOn(port: number, more: pg.PoolConfig = {}): pg.Pool {
  const pool = new pg.Pool({ host: '127.0.0.1', port, user: 'postgres', database: 'postgres', ...more });
  // Of idle connections, when a test stops the server.
  pool.on('error', () => {});
  return pool;
}

/** A connection that ends with the test. */
export async function clientOf(pool: pg.Pool): Promise<pg.PoolClient> {
  const client = await pool.connect();
  client.on('error', () => {});
  onTestFinished(() => client.release(true));
  return client;
}

export async function ask(on: Pick<pg.Pool, 'query'>, sql: string, values?: unknown[]): Promise<unknown[]> {
  const { rows } = await on.query({ text: sql, rowMode: 'array', ...(values && { values }) });
  return (rows as unknown as unknown[][]).map((row) => (row.length === 1 ? row[0] : row));
}

export function connected(
  engine: FleetEngine,
  namespace: string = newNamespace(),
  options: ConnectOptions = PATIENT,
): Promise<EngineConnection> {
  return engine.connect(namespace, RETENTION, options);
}

export interface Listening {
  readonly hints: 'push' | 'polling';
  readonly changes: FleetTopic[];
  readonly broken: unknown[];
  readonly connection: EngineConnection;
  check(): Promise<void>;
  close(): Promise<void>;
}

/** Subscribes a member of a new namespace. */
export async function listening(engine: FleetEngine, namespace?: string, options?: ConnectOptions): Promise<Listening> {
  const connection = await connected(engine, namespace, options);
  const changes: FleetTopic[] = [];
  const broken: unknown[] = [];
  const subscription = await connection.listen('worker/0a1b2c3d', {
    changed: (topic) => void changes.push(topic),
    broken: (error) => void broken.push(error),
  });
  const close = async (): Promise<void> => {
    await subscription.close();
    await connection.close?.();
  };
  return { hints: subscription.hints, changes, broken, connection, check: () => subscription.check(), close };
}

/** Waits until a condition holds. */
export async function until(holds: () => unknown): Promise<void> {
  while (!(await holds())) await sleep(5);
}

/** Reads everything since a cursor. */
export async function readOn(
  connection: EngineConnection,
  after: unknown,
): Promise<{ ids: string[]; cursor: unknown; whole: boolean }> {
  const ids: string[] = [];
  let whole = false;
  for (let cursor = after; ; ) {
    const page = await connection.read('cancels', cursor);
    ids.push(...page.records.map(({ id }) => id));
    whole ||= page.whole;
    cursor = page.cursor;
    if (!page.more) return { ids, cursor, whole };
  }
}

export function cancel(id: string, ttl = 60_000): { log: string; id: string; body: string; ttl: number } {
  return { log: 'cancels', id, body: `jobs/${id}\n{}`, ttl };
}
