import type { Socket } from 'node:net';
import { TaskTracker } from '@quiesce/scope';
import type { ServerState } from './server-state.ts';

/**
 * The open sockets of a server.
 *
 * Each holds one guard of `tracker` from its acceptance until it is closed.
 */
export class Sockets {
  readonly open: Set<Socket> = new Set();
  /** Sockets below TLS, from their acceptance until they are closed. */
  readonly raw: Set<Socket> = new Set();
  readonly tracker: TaskTracker;
  /** How many sockets were accepted. Only `add` increases it. */
  acceptedCount = 0;
  readonly #state: ServerState;

  constructor(state: ServerState) {
    this.#state = state;
    this.tracker = new TaskTracker({ name: `${state.settings.name}: connections` });
  }

  /** Adds a socket that was accepted. Idempotent. */
  add(socket: Socket): void {
    if (this.open.has(socket)) return;
    const guard = this.tracker.guard();
    this.open.add(socket);
    this.acceptedCount++;
    socket.once('close', () => {
      this.open.delete(socket);
      this.raw.delete(socket);
      guard.dispose();
    });
    // The deadline has passed while the backlog was being accepted.
    if (this.#state.isDestroying) socket.destroy();
  }
}
