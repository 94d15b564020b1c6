import { checkOptions } from '@quiesce/internal';
import { checkPoll } from './check-poll.ts';
import type { FleetEngine } from './engine.ts';
import { checkRedisClient, type RedisClient } from './redis-client.ts';
import { RedisConnection } from './redis-connection.ts';

/** Options for a Redis engine. */
export interface RedisEngineOptions {
  /**
   * How often a fleet looks for changes where hints do not arrive, in milliseconds from 50 to 60,000. Default: 500. Some proxies
   * have no publish and subscribe, and an access list may forbid it.
   */
  readonly poll?: number | undefined;
}

/**
 * TODO
 */
export function redisEngine(client: RedisClient, options?: RedisEngineOptions): FleetEngine {
  checkRedisClient(client);
  checkOptions('redisEngine', options, ['poll']);
  const poll = checkPoll('redisEngine', options?.poll);
  let hasWarned = false;
  const onPolling = (): void => {
    // biome-ignore lint/suspicious/noConsole: cancels still arrive, only later, so that no call has failed
    if (!hasWarned) console.warn(`redisEngine: what is published does not arrive, so a fleet looks every ${poll} ms`);
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
