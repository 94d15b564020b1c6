import { checkOptions } from '@quiesce/internal';
import type { FleetEngine } from './engine.ts';
import { checkNatsClients, type NatsEngineOptions } from './nats-client.ts';
import { NatsConnection } from './nats-connection.ts';

/**
 * TODO
 */
export function natsEngine(options: NatsEngineOptions): FleetEngine {
  checkOptions('natsEngine', options, ['connection', 'kv']);
  checkNatsClients(options ?? {});
  const { connection, kv } = options;
  return {
    connect: async (namespace, retention, { requestTimeout } = { requestTimeout: 3_000 }) => {
      const made = new NatsConnection({ connection, kv }, namespace, retention, requestTimeout);
      try {
        await made.open(namespace);
        return made;
      } catch (error) {
        await made.close();
        throw error;
      }
    },
  };
}
