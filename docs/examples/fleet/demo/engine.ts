// The engine of the demo, from outside.
import type { ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createPostgresSchema } from '@quiesce/fleet';
import pg from 'pg';
import { SCHEMA } from '../engine.ts';
import { freePort, killProcess, startProcess } from './processes.ts';

export interface DemoEngine {
  readonly description: string;
  readonly url: string;
  /** Whether it sends no hints, so that members ask for changes. */
  readonly isPolled: boolean;
  /** `undefined`: it is a server of yours. */
  readonly crash: Crash | undefined;
  close(): Promise<void>;
}

export interface Crash {
  /** Ends the server with SIGKILL. */
  kill(): Promise<void>;
  /** Starts it again, on its port and with its data. */
  restart(): Promise<void>;
}

/** Opens the server of `DATABASE_URL`, `REDIS_URL` or `NATS_URL`, or an embedded PostgreSQL. */
export async function openDemoEngine(): Promise<DemoEngine> {
  const { DATABASE_URL, REDIS_URL, NATS_URL } = process.env;
  const yours = { isPolled: false, crash: undefined, close: async () => {} };
  if (REDIS_URL !== undefined) return { ...yours, url: REDIS_URL, description: 'the Redis of REDIS_URL' };
  if (NATS_URL !== undefined) return { ...yours, url: NATS_URL, description: 'the NATS of NATS_URL' };
  if (DATABASE_URL === undefined) return await startEmbedded();
  await withPool(DATABASE_URL, (pool) => createPostgresSchema(pool, { schema: SCHEMA }));
  const close = (): Promise<void> => withPool(DATABASE_URL, (pool) => pool.query(`drop schema ${SCHEMA} cascade`));
  return { ...yours, url: DATABASE_URL, description: 'the PostgreSQL of DATABASE_URL', close };
}

/** The hub of plain messages, for the demo without a fleet. */
export async function startHub(): Promise<DemoEngine> {
  const port = await freePort();
  const crash = await startServer('hub', [`${port}`]);
  const url = `tcp://127.0.0.1:${port}`;
  return { description: 'a hub of messages', url, isPolled: false, crash, close: crash.kill };
}

async function startEmbedded(): Promise<DemoEngine> {
  const port = await freePort();
  const folder = await mkdtemp(join(tmpdir(), 'quiesce-fleet-'));
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`;
  const crash = await startServer('embedded', [`${port}`, folder]);
  await withPool(url, (pool) => createPostgresSchema(pool, { schema: SCHEMA }));
  const close = async (): Promise<void> => {
    await crash.kill();
    await rm(folder, { recursive: true, force: true });
  };
  return { description: 'PGlite on disk, in a process of its own', url, isPolled: true, crash, close };
}

async function startServer(program: string, args: readonly string[]): Promise<Crash> {
  let child: ChildProcess;
  const restart = async (): Promise<void> => {
    child = startProcess(program, args);
    await new Promise<void>((resolve, reject) => {
      child.once('message', () => resolve());
      child.once('exit', (code) => reject(new Error(`${program}.ts ended with ${code}`)));
    });
  };
  const kill = (): Promise<void> => killProcess(child);
  await restart();
  return { kill, restart };
}

async function withPool(url: string, use: (pool: pg.Pool) => Promise<unknown>): Promise<void> {
  const pool = new pg.Pool({ connectionString: url, max: 1 });
  try {
    await use(pool);
  } finally {
    await pool.end();
  }
}
