// Storms over real servers.
import { createPostgresSchema } from '@quiesce/fleet';
import pg from 'pg';
import { expect } from 'vitest';
import type { TestServer } from '../../../adapters/test/servers.ts';
import { runStorm, type StormOptions, type Verdict } from './storm.ts';

const seed = Number(process.env['QUIESCE_STORM_SEED'] ?? Math.floor(Math.random() * 1e9));
/** Only a storm that hangs takes this long, in ms. */
export const LONG = 600_000;

/** How many cancels. The seed of a storm that fails is in its verdict. */
const cancels = Number(process.env['QUIESCE_STORM'] ?? 100);
/** The lists of a verdict in which nothing is wrong. */
const clean = { lost: [], hit: [], untrue: [], unsettled: [], shared: [] };

/** Runs a storm, and expects that nothing is wrong. `QUIESCE_STORM=10000` runs that many cancels. */
export async function expectCleanStorm(
  start: () => Promise<TestServer>,
  options: Omit<StormOptions, 'server' | 'seed' | 'cancels'>,
): Promise<void> {
  expect(await storm(start, { ...options, cancels })).toMatchObject(clean);
}

/** @param more is added to the seed, which is the same for all storms of a process */
export async function storm(
  start: () => Promise<TestServer>,
  options: Omit<StormOptions, 'server' | 'seed'>,
  more = 0,
): Promise<Verdict> {
  const server = await start();
  try {
    if (options.kind === 'postgres') await prepare(server.port);
    const verdict = await runStorm({ ...options, server, seed: seed + more });
    // biome-ignore lint/suspicious/noConsole: the seed and the figures of a storm
    console.log(
      `${options.kind}: ${JSON.stringify({ ...verdict, ...options, lost: verdict.lost.length, untrue: verdict.untrue.length })}`,
    );
    return verdict;
  } finally {
    await server.stop();
  }
}

async function prepare(port: number): Promise<void> {
  const pool = new pg.Pool({ host: '127.0.0.1', port, user: 'postgres' });
  await createPostgresSchema(pool as never);
  await pool.end();
}
