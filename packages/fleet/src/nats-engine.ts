import { checkOptions } from '@quiesce/internal';
import type { FleetEngine } from './engine.ts';
import { checkNatsClients, type NatsEngineOptions } from './nats-client.ts';
import { NatsConnection } from './nats-connection.ts';

/**
 * Makes an engine on NATS 2.9 or later with JetStream. Use it where the application already has NATS. Cancels and leases are as
 * durable as its streams.
 *
 * The engine creates four key-value buckets: `quiesce_<namespace>_log`, `_inbox`, `_members` and `_slots`. To place or replicate
 * them, create them yourself beforehand, with one value for each key, and with `retention`, 60 s, a day and two hours as `ttl`.
 *
 * All fleets use your connection. When a ping is not answered within 1 s, the engine calls `connection.reconnect()`. Set
 * `maxReconnectAttempts: -1`: a connection that gives up stays closed, and its fleet stays down. Set `timeout` to a few seconds.
 * Otherwise an attempt to connect to a host that does not answer takes 20 s, and the engine cannot end it.
 *
 * Guaranteed: a recorded cancel is in the stream, on all its replicas. A fleet notices when data is lost. A lease has one holder.
 * Not guaranteed: one `append` is several writes, and after a failure the fleet repeats it until it is complete. A record above
 * `max_payload` is refused. Fences begin again when the bucket is recreated. Members that pass different `permits` do not see
 * all permits of each other.
 *
 * @param options `connection`: of `@nats-io/transport-node` or another transport; `kv`: `new Kvm(connection)` of `@nats-io/kv`.
 *   Both stay yours: close the connection after the fleet
 * @throws TypeError for other objects, or an unknown option
 * @see JetStream key-value stores (NATS 2.9), `Kvm` (nats.js 3)
 * @example
 * <!-- not run: it needs a NATS server; packages/fleet/test/nats-engine.slow.test.ts runs the engine -->
 * ```ts
 * import { Kvm } from '@nats-io/kv';
 * import { connect } from '@nats-io/transport-node';
 *
 * const connection = await connect({ servers: process.env.NATS_URL, maxReconnectAttempts: -1, timeout: 2_000 });
 * const engine = natsEngine({ connection, kv: new Kvm(connection) });
 * await using fleet = await joinFleet({ engine, namespace: 'shop', node: 'worker-1' });
 * ```
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
