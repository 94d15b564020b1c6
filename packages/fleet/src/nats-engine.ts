import { checkOptions } from '@quiesce/internal';
import type { FleetEngine } from './engine.ts';
import { checkNatsClients, type NatsEngineOptions } from './nats-client.ts';
import { NatsConnection } from './nats-connection.ts';

/**
 * An engine on NATS 2.9 or later with JetStream. Use it where the application has NATS: cancels and leases are as durable as its
 * streams.
 *
 * A fleet makes four key-value buckets, `quiesce_<namespace>_log`, `_inbox`, `_members` and `_slots`. To place them, or to
 * replicate them, make them yourself before, with one value a key, and with `retention`, a minute, a day and two hours as `ttl`.
 *
 * All fleets use your connection. When it does not answer a ping within 1 s, the engine calls `reconnect` on it. Let it reconnect
 * without end (`maxReconnectAttempts: -1`): a connection that has closed stays closed, and so does its fleet. Give it a `timeout`
 * of a few seconds: an attempt to connect to a host that accepts and stays silent takes 20 s otherwise, and nothing can end it.
 *
 * Guaranteed: what `fleet.cancel` has recorded is in the stream, on as many servers as it has replicas. A fleet notices when
 * data is lost. A lease has one holder. Not guaranteed: the records of one `append` are separate writes, and a failure may store
 * some of them until the call is repeated. Fences are revisions, which begin anew when the bucket does.
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
