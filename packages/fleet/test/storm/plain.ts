// The usual recipe: each cancel is published once, and each process that hears it cancels its own work.
import { CancellationToken } from '@quiesce/cancellation-token';
import pg from 'pg';
import { createClient } from 'redis';
import type { Setup } from './protocol.ts';
import type { Reach } from './worker.ts';

/** Publishes a text, and calls back for each text that arrives. */
type Bus = (onText: (text: string) => void) => Promise<(text: string) => Promise<void>>;

const channel = 'cancels';

function redisBus(port: number): Bus {
  return async (onText) => {
    const subscriber = createClient({ socket: { host: '127.0.0.1', port } });
    const publisher = subscriber.duplicate();
    for (const client of [subscriber, publisher]) client.on('error', () => {});
    await Promise.all([subscriber.connect(), publisher.connect()]);
    // The client subscribes again after each reconnection.
    await subscriber.subscribe(channel, onText);
    return async (text) => void (await publisher.publish(channel, text));
  };
}

function postgresBus(port: number): Bus {
  const settings = { host: '127.0.0.1', port, user: 'postgres', connectionTimeoutMillis: 1_000 };
  return async (onText) => {
    const pool = new pg.Pool({ ...settings, max: 3 });
    pool.on('error', () => {});
    const listen = async (): Promise<void> => {
      const client = new pg.Client(settings);
      const again = (): void => void setTimeout(() => void listen().catch(again), 50);
      client.on('error', () => {});
      client.on('notification', ({ payload }) => onText(payload ?? ''));
      await client.connect();
      client.on('end', again);
      await client.query(`LISTEN ${channel}`);
    };
    await listen();
    return async (text) => void (await pool.query('SELECT pg_notify($1, $2)', [channel, text]));
  };
}

export async function joinPlain({ kind, port, node }: Setup): Promise<Reach> {
  const running = new Map<CancellationToken, string>();
  const apply = (text: string): void => {
    const { key, reason } = JSON.parse(text) as { key: string; reason: unknown };
    for (const [token, of] of running) if (of === key || of.startsWith(`${key}/`)) token.cancel(reason);
  };
  const publish = await (kind === 'postgres' ? postgresBus(port) : redisBus(port))(apply);
  return {
    id: node,
    run: async (key, work) => {
      const token = new CancellationToken();
      running.set(token, key);
      await work(token).finally(() => running.delete(token));
    },
    cancel: async (key, reason) => {
      const text = JSON.stringify({ key, reason });
      apply(text);
      await Promise.race([
        publish(text),
        new Promise((_, reject) => setTimeout(() => reject(new Error('no answer')), 2_000)),
      ]);
      return { id: '', key, state: 'recorded', nodes: [], lost: [] };
    },
    close: async () => {},
  };
}
