/**
 * The other servers of one app. Fastify opens one more for each further address of its host, and the default `localhost`
 * often has two. `app.server` is the first one, and leads to no other.
 *
 * They are found when they begin to listen, or, where they do so already, among what keeps the process alive.
 */

import type { Server } from 'node:net';
import type { DrainSequence } from './drain-sequence.ts';
import { interceptEvents } from './intercept-events.ts';
import { opening, tried } from './listener.ts';
import { listeningServers, subscribe } from './node.ts';
import type { DrainableServer } from './options.ts';

/** The drain of each function that answers the requests of a server; the server holds it, and a function may be older. */
const sequences: WeakMap<object, WeakRef<DrainSequence>> = new WeakMap();
/** The servers that were passed to `drain`. */
export const drained: WeakSet<object> = new WeakSet();
/** Set once, by the first drain. */
let isSubscribed = false;

/**
 * Takes in each server that belongs to the same app as `server`, now or later.
 *
 * It belongs to it when it has the same request listener, and hands its upgrades to the `emit` of another server. The
 * first alone is not enough: a program may have two servers with one handler, and drain only one of them.
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
