// Opens an engine by its address.

import { Kvm } from '@nats-io/kv';
import { connect } from '@nats-io/transport-node';
import { type FleetEngine, natsEngine, postgresEngine, redisEngine } from '@quiesce/fleet';
import { Redis } from 'ioredis';
import pg from 'pg';

/** The PostgreSQL schema of the demo. */
export const SCHEMA = 'quiesce_demo';

export interface OpenEngine {
  readonly engine: FleetEngine;
  /** Closes the client. Close the fleet first. */
  close(): Promise<unknown>;
}

/** @param isPolled whether the engine sends no hints */
export async function openEngine(url: string, isPolled: boolean): Promise<OpenEngine> {
  const { protocol } = new URL(url);
  if (protocol.startsWith('redis')) {
    const client = new Redis(url);
    client.on('error', () => {}); // `state` of the fleet reports a lost link
    return { engine: redisEngine(client), close: async () => client.disconnect() };
  }
  if (protocol === 'nats:') {
    const connection = await connect({ servers: url, maxReconnectAttempts: -1, ignoreClusterUpdates: true });
    const kv = new Kvm(connection);
    return { engine: natsEngine({ connection, kv }), close: () => connection.close() };
  }
  const pool = new pg.Pool({ connectionString: url, max: 4, connectionTimeoutMillis: 2_000 });
  pool.on('error', () => {});
  const options = isPolled ? ({ listen: false, poll: 250 } as const) : {};
  return { engine: postgresEngine(pool, { schema: SCHEMA, ...options }), close: () => pool.end() };
}
