// Storms on each kind of server, and on one that loses its data. On a Redis that keeps its data: storm.long.test.ts.
import { describe, it } from 'vitest';
import { nats, postgres, redis, startNats, startPostgres, startRedis } from '../../adapters/test/servers.ts';
import { expectCleanStorm, LONG } from './storm/on-servers.ts';

describe('a storm loses no cancel, hits nothing else, makes no receipt untrue, and shares no lease', {
  concurrent: true,
}, () => {
  it.skipIf(postgres.isMissing)(`on PostgreSQL${postgres.note}`, { timeout: LONG }, () =>
    expectCleanStorm(startPostgres, { kind: 'postgres' }),
  );

  it.skipIf(nats.isMissing)(`on NATS${nats.note}`, { timeout: LONG }, () =>
    expectCleanStorm(startNats, { kind: 'nats' }),
  );

  it.skipIf(redis.isMissing)(
    `on a Redis that forgets everything when it is killed${redis.note}`,
    { timeout: LONG },
    () => expectCleanStorm(() => startRedis(), { kind: 'redis', isForgetful: true }),
  );
});
