import { Redis } from 'ioredis';
import { createClient } from 'redis';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { redis, startRedis, type TestServer } from '../../adapters/test/servers.ts';
import { engineContract } from '../src/engine-contract.ts';
import type { RedisClient } from '../src/redis-client.ts';
import { redisEngine } from '../src/redis-engine.ts';

/** Makes a client that is not connected: the engine duplicates it. */
const clients: Record<string, (port: number) => RedisClient> = {
  redis: (port) => createClient({ socket: { host: '127.0.0.1', port } }),
  ioredis: (port) => new Redis({ host: '127.0.0.1', port, lazyConnect: true }),
};

describe.skipIf(redis.isMissing)(`redisEngine on a Redis server${redis.note}`, () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startRedis();
  });
  afterAll(() => server.stop());

  describe.each(Object.keys(clients))('with %s', (name) => {
    it.concurrent.each(engineContract.map((one) => [one.name, one] as const))('%s', (_, { run }) =>
      run(redisEngine((clients[name] as (port: number) => RedisClient)(server.port))),
    );
  });
});
