// The storm of storm.slow.test.ts on a Redis that keeps its data.
import { it } from 'vitest';
import { redis, startRedis } from '../../adapters/test/servers.ts';
import { expectCleanStorm, LONG } from './storm/on-servers.ts';

const durable = ['--appendonly', 'yes', '--appendfsync', 'always'];

it.skipIf(redis.isMissing)(
  `a storm on Redis loses no cancel, hits nothing else, makes no receipt untrue, and shares no lease${redis.note}`,
  { timeout: LONG },
  () => expectCleanStorm(() => startRedis(durable), { kind: 'redis' }),
);
