// Storms on a server that keeps its data, and on one that loses it. On others: storm.long.test.ts.
import { describe, it } from 'vitest';
import { postgres, redis, startPostgres, startRedis } from '../../adapters/test/servers.ts';
import { expectCleanStorm, LONG } from './storm/on-servers.ts';

describe('a storm loses no cancel, hits nothing else, makes no receipt untrue, and shares no lease', {
  concurrent: true,
}, () => {
  it.skipIf(postgres.isMissing)(`on PostgreSQL${postgres.note}`, { timeout: LONG }, () =>
    expectCleanStorm(startPostgres, { kind: 'postgres' }),
  );

  it.skipIf(redis.isMissing)(
    `on a Redis that forgets everything when it is killed${redis.note}`,
    { timeout: LONG },
    () => expectCleanStorm(() => startRedis(), { kind: 'redis', isForgetful: true }),
  );
});
