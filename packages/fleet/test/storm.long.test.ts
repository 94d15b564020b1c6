// The storms of storm.slow.test.ts on other servers that keep their data.
import { describe, it } from 'vitest';
import { nats, redis, startNats, startRedis } from '../../adapters/test/servers.ts';
import { expectCleanStorm, LONG } from './storm/on-servers.ts';

const durable = ['--appendonly', 'yes', '--appendfsync', 'always'];

describe('a storm loses no cancel, hits nothing else, makes no receipt untrue, and shares no lease', {
  concurrent: true,
}, () => {
  it.skipIf(redis.isMissing)(`on Redis${redis.note}`, { timeout: LONG }, () =>
    expectCleanStorm(() => startRedis(durable), { kind: 'redis' }),
  );

  it.skipIf(nats.isMissing)(`on NATS${nats.note}`, { timeout: LONG }, () =>
    expectCleanStorm(startNats, { kind: 'nats' }),
  );
});
