// Makes the engine of a storm in a process of its own, and the faulty ones that a storm must find.

import { Kvm } from '@nats-io/kv';
import { connect as connectNats } from '@nats-io/transport-node';
import { type EngineConnection, type FleetEngine, natsEngine, postgresEngine, redisEngine } from '@quiesce/fleet';
import pg from 'pg';
import { createClient } from 'redis';

export type EngineKind = 'redis' | 'postgres' | 'nats';

/**
 * A mistake that implementations make.
 *
 * - `no reread`: reads only after a hint, and nothing after a reconnection
 * - `drained mirror`: reading empties a buffer, also when the answer comes too late for its caller
 * - `absence is leaving`: a member that is missing in the list counts as one that has left
 * - `no repair`: does not notice that the engine has lost data
 */
export type Mistake = 'no reread' | 'drained mirror' | 'absence is leaving' | 'no repair';

/** Connects to the server of a storm, through its proxy. */
export async function engineOf(kind: EngineKind, port: number): Promise<FleetEngine> {
  if (kind === 'redis') {
    const client = createClient({ socket: { host: '127.0.0.1', port } });
    client.on('error', () => {});
    return redisEngine(client as never, { poll: 100 });
  }
  if (kind === 'postgres') {
    const pool = new pg.Pool({ host: '127.0.0.1', port, user: 'postgres', max: 6, connectionTimeoutMillis: 1_000 });
    pool.on('error', () => {});
    return postgresEngine(pool, { poll: 100 });
  }
  const connection = await connectNats({
    servers: `127.0.0.1:${port}`,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 50,
    pingInterval: 500,
    waitOnFirstConnect: true,
    // Of an attempt to connect. 20 s without it.
    timeout: 1_000,
  });
  return natsEngine({ connection, kv: new Kvm(connection) } as never);
}

/** Changes an engine so that it makes a mistake. */
export function withMistake(engine: FleetEngine, mistake: Mistake | undefined): FleetEngine {
  if (mistake === undefined) return engine;
  return {
    connect: async (...args) => {
      const connection = await engine.connect(...args);
      return { ...bound(connection), ...mistakes[mistake](connection) };
    },
  };
}

function bound(connection: EngineConnection): EngineConnection {
  return {
    listen: (...args) => connection.listen(...args),
    append: (...args) => connection.append(...args),
    read: (...args) => connection.read(...args),
    meet: (...args) => connection.meet(...args),
    leave: (...args) => connection.leave(...args),
    hold: (...args) => connection.hold(...args),
    release: (...args) => connection.release(...args),
    close: async () => connection.close?.(),
  };
}

const mistakes: Record<Mistake, (connection: EngineConnection) => Partial<EngineConnection>> = {
  'no reread': (connection) => {
    let isHinted = true;
    return {
      listen: (me, on) =>
        connection.listen(me, {
          changed: (topic) => {
            if (topic === 'cancels') isHinted = true;
            on.changed(topic);
          },
          broken: on.broken,
        }),
      read: async (log, after) => {
        if (log !== 'cancels') return await connection.read(log, after);
        // What was published while nothing listened is never asked for.
        const page = await connection.read(log, after);
        const records = isHinted ? page.records : [];
        isHinted = false;
        return { ...page, whole: false, records };
      },
    };
  },
  'drained mirror': (connection) => {
    const cursors = new Map<string, unknown>();
    return {
      read: async (log) => {
        const page = await connection.read(log, cursors.get(log));
        // Moves on, although the caller may have given up.
        cursors.set(log, page.cursor);
        return { ...page, whole: false };
      },
    };
  },
  'absence is leaving': (connection) => {
    const known = new Set<string>();
    return {
      meet: async (me) => {
        const list = await connection.meet(me);
        const listed = new Set(list.map(({ id }) => id));
        const missing = [...known].filter((id) => !listed.has(id));
        for (const id of listed) known.add(id);
        return [...list, ...missing.map((id) => ({ id, left: 0, gone: true }))];
      },
    };
  },
  'no repair': (connection) => ({
    read: async (log, after) => ({ ...(await connection.read(log, after)), whole: after === undefined }),
  }),
};
