// `QUIESCE_STORM=10000` runs that many cancels; the seed of a storm that fails is in its verdict.
import { describe, expect, it } from 'vitest';
import { nats, postgres, redis, startNats, startPostgres, startRedis } from '../../adapters/test/servers.ts';
import { LONG, storm } from './storm/on-servers.ts';

const cancels = Number(process.env['QUIESCE_STORM'] ?? 100);

/** What is left of a verdict when nothing is wrong. */
const clean = { lost: [], hit: [], untrue: [], unsettled: [], shared: [] };

const durable = ['--appendonly', 'yes', '--appendfsync', 'always'];

describe('a storm loses no cancel, hits nothing else, makes no receipt untrue, and shares no lease', {
  concurrent: true,
}, () => {
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
      expect(await storm(() => startRedis(), { kind: 'redis', isForgetful: true, cancels })).toMatchObject(clean);
    },
  );

  it.skipIf(nats.isMissing)(`on NATS${nats.note}`, { timeout: LONG }, async () => {
    expect(await storm(startNats, { kind: 'nats', cancels })).toMatchObject(clean);
  });
});
