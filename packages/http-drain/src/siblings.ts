/**
 * Finds the other servers of one app. Fastify opens another server for each further address of its host, and the default
 * `localhost` often has two. `app.server` is the first server, and has no reference to the others.
 *
 * They are found when they begin to listen. Servers that listen already are found among the handles that keep the process alive.
 */

import type { Server } from 'node:net';
import type { DrainSequence } from './drain-sequence.ts';
import { interceptEvents } from './intercept-events.ts';
import { opening, tried } from './listener.ts';
import { listeningServers, subscribe } from './node.ts';
import type { DrainableServer } from './options.ts';

/** The drain of each request listener. Weak, because a listener may live longer than its drain; the server holds the drain. */
const sequences: WeakMap<object, WeakRef<DrainSequence>> = new WeakMap();
/** The servers that were passed to `new HttpDrain`. */
export const drained: WeakSet<object> = new WeakSet();
/** Set once, by the first drain. */
let isSubscribed = false;

/**
 * Adds each server that belongs to the same app as `server`, now or later.
 *
 * A server belongs to the app when it has the same request listener, and passes its upgrades to the `emit` of another server. The
 * same listener alone is not enough: a program may have two servers with one listener, and drain only one of them.
 */
export function followSiblings(sequence: DrainSequence, server: DrainableServer): void {
  for (const listener of server.listeners('request')) sequences.set(listener, new WeakRef(sequence));
  for (const one of listeningServers()) adopt(one);
  if (isSubscribed) return;
  isSubscribed = true;
  subscribe('tracing:net.server.listen:asyncStart', (message) => {
    const { server: starting } = message as { readonly server: Server };
    opening.add(starting);
    tried.add(starting);
    adopt(starting);
  });
}

function adopt(server: Server): void {
  const isForwarding = server.listeners('upgrade').some(({ name }) => name === 'bound emit');
  if (!isForwarding || drained.has(server)) return;
  for (const listener of server.listeners('request')) {
    const sequence = sequences.get(listener)?.deref();
    const isKnown = sequence === undefined || [...sequence.listeners].some((one) => one.server === server);
    if (!isKnown) interceptEvents(sequence, server as DrainableServer);
  }
}
