import { checkOptions } from '@quiesce/internal';
import { checkPoll } from './checks.ts';
import type { FleetEngine } from './engine.ts';
import { checkRedisClient, type RedisClient } from './redis-client.ts';
import { RedisConnection } from './redis-connection.ts';

/** Options for `redisEngine`. */
export interface RedisEngineOptions {
  /**
   * How often to poll where hints do not arrive, in ms from 50 to 60,000. Default: 500. Some proxies and access lists block publish
   * and subscribe.
   */
  readonly poll?: number | undefined;
}

/**
 * Makes an engine on Redis 6.2 or later, or on Valkey. Use it for cancels: it is the fastest engine, and needs no schema. For
 * leases that must never have two holders, use PostgreSQL or NATS, because Redis can lose an acknowledged write.
 *
 * The engine duplicates the client for each fleet: one connection for commands, and one for hints. It ends them when the fleet
 * closes, or when a call takes longer than `requestTimeout`. It never uses the client itself. Each step is one script and one
 * round trip. Where hints do not arrive, the engine warns once and polls.
 *
 * Guaranteed: each step is atomic. A recorded cancel is in the memory of the primary. A fleet notices when data is lost. Fences
 * grow, also after data loss. Not guaranteed: a write that was acknowledged before a failover, or before a restart without
 * persistence. Members that have read a cancel record it again. A lease can then have two holders for one `ttl`.
 *
 * @param client a client of `redis` or `ioredis` for one server, or of `ioredis` with sentinels. It need not be connected. Its
 *   key prefix also separates fleets. It stays yours: close it after the fleet
 * @param options `poll` in ms
 * @throws TypeError for another kind of client, such as one of a cluster, for an unknown option or a `poll` of the wrong
 *   type; RangeError when `poll` is out of range. `joinFleet` rejects with SchemaError when Redis is too old, or when it
 *   would evict keys that do not expire, and with EngineUnavailableError for a replica
 * @see `EVALSHA`, `XADD`, `PUBLISH` (Redis 6.2)
 * @example
 * <!-- not run: it needs a Redis server; packages/fleet/test/redis-engine.slow.test.ts runs the engine -->
 * ```ts
 * import { createClient } from 'redis';
 *
 * const client = createClient({ url: process.env.REDIS_URL });
 * await using fleet = await joinFleet({ engine: redisEngine(client), namespace: 'shop', node: 'worker-1' });
 * ```
 */
export function redisEngine(client: RedisClient, options?: RedisEngineOptions): FleetEngine {
  checkRedisClient(client);
  checkOptions('redisEngine', options, ['poll']);
  const poll = checkPoll('redisEngine', options?.poll);
  let hasWarned = false;
  const onPolling = (): void => {
    // biome-ignore lint/suspicious/noConsole: cancels still arrive, only later, so that no call has failed
    if (!hasWarned) console.warn(`redisEngine: hints do not arrive, so the engine polls every ${poll} ms`);
    hasWarned = true;
  };
  return {
    async connect(namespace, retention, { requestTimeout: limit } = { requestTimeout: 3_000 }) {
      const connection = new RedisConnection({ client, namespace, retention, limit, poll, onPolling });
      try {
        await connection.open();
        return connection;
      } catch (error) {
        await connection.close();
        throw error;
      }
    },
  };
}
