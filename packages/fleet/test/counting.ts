// An engine that counts what a fleet asks of it.
import type { EngineConnection, FleetEngine } from '@quiesce/fleet';

/** How often each method was called, and how many hints about cancels and about the inbox arrived. */
interface EngineCalls {
  append: number;
  /** Of the cancels. */
  read: number;
  readInbox: number;
  listen: number;
  check: number;
  meet: number;
  leave: number;
  hold: number;
  release: number;
  cancelHints: number;
  inboxHints: number;
}

export interface CountingEngine extends FleetEngine {
  readonly calls: Readonly<EngineCalls>;
  /** The sum of all requests. Hints are none. */
  readonly requestCount: number;
  /** Sets all counts to 0. */
  reset(): void;
}

const none: EngineCalls = {
  ...{ append: 0, read: 0, readInbox: 0, listen: 0, check: 0, meet: 0, leave: 0, hold: 0, release: 0 },
  ...{ cancelHints: 0, inboxHints: 0 },
};

export interface CountingOptions {
  /** Called before each request. The request is made when its promise has fulfilled. */
  readonly before?: () => Promise<void>;
  /** How many records one request stores at most. */
  readonly batch?: number;
}

/** Counts the calls of one fleet. Fleets that share an engine have a counter each. */
export function counting(
  engine: FleetEngine,
  { before, batch = Number.POSITIVE_INFINITY }: CountingOptions = {},
): CountingEngine {
  const calls = { ...none };
  const connect: FleetEngine['connect'] = async (...args) => {
    const connection = await engine.connect(...args);
    const ask = async <T>(method: keyof EngineCalls, request: () => Promise<T>): Promise<T> => {
      calls[method]++;
      await before?.();
      return await request();
    };
    const counted: EngineConnection = {
      listen: (me, on) =>
        ask('listen', async () => {
          const subscription = await connection.listen(me, {
            broken: on.broken,
            changed: (topic) => {
              if (topic !== 'slots') calls[topic === 'cancels' ? 'cancelHints' : 'inboxHints']++;
              on.changed(topic);
            },
          });
          return { ...subscription, check: () => ask('check', () => subscription.check()) };
        }),
      append: async (records) => {
        for (let from = 0; from < records.length; from += batch) {
          await ask('append', () => connection.append(records.slice(from, from + batch)));
        }
      },
      read: (log, after) => ask(log === 'cancels' ? 'read' : 'readInbox', () => connection.read(log, after)),
      meet: (me) => ask('meet', () => connection.meet(me)),
      leave: (id) => ask('leave', () => connection.leave(id)),
      hold: (slot) => ask('hold', () => connection.hold(slot)),
      release: (slot) => ask('release', () => connection.release(slot)),
    };
    return counted;
  };
  return {
    connect,
    calls,
    get requestCount() {
      const { cancelHints: _, inboxHints: __, ...requests } = calls;
      return Object.values(requests).reduce((sum, count) => sum + count, 0);
    },
    reset: () => void Object.assign(calls, none),
  };
}
