// Storms over real servers. `QUIESCE_STORM=10000` runs that many cancels; the seed of a storm that fails is in its verdict.

import { createPostgresSchema } from '@quiesce/fleet';
import pg from 'pg';
import { describe, expect, it } from 'vitest';
import {
  nats,
  postgres,
  redis,
  startNats,
  startPostgres,
  startRedis,
  type TestServer,
} from '../../adapters/test/servers.ts';
import { runStorm, type StormOptions, type Verdict } from './storm/storm.ts';

const cancels = Number(process.env['QUIESCE_STORM'] ?? 100);
const seed = Number(process.env['QUIESCE_STORM_SEED'] ?? Math.floor(Math.random() * 1e9));
const LONG = 600_000;

/** What is left of a verdict when nothing is wrong. */
const clean = { lost: [], hit: [], untrue: [], unsettled: [] };

async function storm(
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

const durable = ['--appendonly', 'yes', '--appendfsync', 'always'];

/** Storms until one finds something wrong. Its verdict is that of the last one. */
async function foundWrong(
  start: () => Promise<TestServer>,
  options: Omit<StormOptions, 'server' | 'seed' | 'cancels'>,
): Promise<boolean> {
  for (let attempt = 0; attempt < 5; attempt++) {
    const { lost, untrue } = await storm(start, { ...options, cancels: 60 }, attempt);
    if (lost.length + untrue.length > 0) return true;
  }
  return false;
}

describe('a storm loses no cancel, hits nothing else, and makes no receipt untrue', { concurrent: true }, () => {
  it.skipIf(postgres.isMissing)(`on PostgreSQL${postgres.note}`, { timeout: LONG }, async () => {
    expect(await storm(startPostgres, { kind: 'postgres', cancels })).toMatchObject(clean);
  });

  it.skipIf(redis.isMissing)(`on Redis${redis.note}`, { timeout: LONG }, async () => {
    expect(await storm(() => startRedis(durable), { kind: 'redis', cancels })).toMatchObject(clean);
  });

  it.skipIf(redis.isMissing)(
    `on a Redis that forgets everything when it is killed${redis.note}`,
    { timeout: LONG },
    async () => {
      expect(await storm(() => startRedis(), { kind: 'redis', cancels })).toMatchObject(clean);
    },
  );

  it.skipIf(nats.isMissing)(`on NATS${nats.note}`, { timeout: LONG }, async () => {
    expect(await storm(startNats, { kind: 'nats', cancels })).toMatchObject(clean);
  });
});

describe('a storm finds', { concurrent: true }, () => {
  const forgetful = (): Promise<TestServer> => startRedis();
  const rows: [string, () => Promise<TestServer>, Omit<StormOptions, 'server' | 'seed' | 'cancels'>][] = [
    ['cancels that are published on Redis once', forgetful, { kind: 'redis', method: 'plain messages' }],
    ['a fleet that reads only after hints', forgetful, { kind: 'redis', mistake: 'no reread' }],
    ['a buffer that is emptied by reading', forgetful, { kind: 'redis', mistake: 'drained mirror' }],
    ['a list of members that takes absence for leaving', forgetful, { kind: 'redis', mistake: 'absence is leaving' }],
    ['a fleet that does not repair what the engine has lost', forgetful, { kind: 'redis', mistake: 'no repair' }],
  ];
  it.skipIf(redis.isMissing).each(rows)(`%s${redis.note}`, { timeout: LONG }, async (_, start, options) => {
    expect(await foundWrong(start, options)).toBe(true);
  });

  it.skipIf(postgres.isMissing)(`cancels that are sent by NOTIFY once${postgres.note}`, { timeout: LONG }, async () => {
    expect(await foundWrong(startPostgres, { kind: 'postgres', method: 'plain messages' })).toBe(true);
  });
});
