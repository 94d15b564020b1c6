// Fleets with a known mistake. A storm that finds none of them would prove nothing.
import { describe, expect, it } from 'vitest';
import { postgres, redis, startPostgres, startRedis, type TestServer } from '../../adapters/test/servers.ts';
import { LONG, storm } from './storm/on-servers.ts';
import type { StormOptions } from './storm/storm.ts';

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
