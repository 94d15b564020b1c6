/**
 * The steps of one drain.
 *
 *     running ──announce──► stopping ──stop──► closing ──the listener is closed──► draining ──all is closed──► drained
 *        └───────────────────────stop───────────▲
 *
 * Invariants
 *  1. Every socket of the server holds one guard of the tracker from its acceptance until it is closed. The listener holds one
 *     until it is closed. `stop` closes the tracker, which is then empty exactly when nothing is open.
 *  2. Every request is in `inFlight` until its response has ended or its socket is closed.
 *  3. From `stopping` on, the head of the last response of each connection of HTTP/1, and no other, has `Connection: close`.
 *  4. The phase only moves forward.
 *
 * Not guaranteed: that a request is answered that arrives after our FIN was sent. HTTP cannot do that, and clients retry.
 *
 * Dependencies: `ServerState` ← `Sockets`, `Exchanges` ← `Http1Connections`, `Http2Sessions` ← `DrainSequence`.
 */

import type { Socket } from 'node:net';
import { CancellationToken, CancelledError, source, waiter } from '@quiesce/cancellation-token';
import { Exchanges } from './exchange.ts';
import { Http1Connections } from './http1-connections.ts';
import { Http2Sessions } from './http2-session.ts';
import type { Listener } from './listener.ts';
import type { Settings } from './options.ts';
import { ServerState } from './server-state.ts';
import { Sockets } from './sockets.ts';

/** The most iterations of the event loop for the backlog: Node's default length of a backlog. */
const BACKLOG = 511;

export class DrainSequence {
  readonly state: ServerState;
  /** Invariant 1. */
  readonly sockets: Sockets;
  /** Invariant 2. */
  readonly exchanges: Exchanges;
  readonly http1: Http1Connections;
  readonly http2: Http2Sessions;
  /** One for each server. A framework that listens on several addresses has more than one. */
  readonly listeners: Set<Listener> = new Set();

  constructor(settings: Settings) {
    this.state = new ServerState(settings);
    this.sockets = new Sockets(this.state);
    this.exchanges = new Exchanges(this.state);
    this.http1 = new Http1Connections(this.state, this.sockets, this.exchanges, this.listeners);
    this.http2 = new Http2Sessions(this.state, this.sockets, this.exchanges);
  }

  announce(): void {
    if (this.state.phase !== 'running') return;
    this.state.phase = 'stopping';
    this.http1.markAll();
  }

  stop(): void {
    this.announce();
    const { state } = this;
    const { tracker } = this.sockets;
    if (state.phase !== 'stopping') return;
    state.phase = 'closing';
    const listener = tracker.guard();
    tracker.close();
    void tracker.wait().then(() => {
      state.phase = 'drained';
    });
    for (const one of this.listeners) one.probe();
    // It ends the current iteration of the event loop, whose poll phase may be over.
    setImmediate(() => this.#acceptBacklog(BACKLOG, () => listener.dispose()));
  }

  /**
   * Accepts the system's backlog. Its connections are established, perhaps for long, and would be reset when the listener
   * closes. From 1.45 on (Node 20), libuv accepts one connection in an iteration, and not all of them. Accepting therefore
   * continues until the probe at the end of the backlog is accepted, or a whole poll phase accepts no connection.
   */
  #acceptBacklog(iterations: number, done: () => void): void {
    const before = this.sockets.acceptedCount;
    setImmediate(() => {
      const isEmptied = [...this.listeners].every((one) => one.isEmptied);
      if (!isEmptied && this.sockets.acceptedCount > before && iterations > 1) {
        this.#acceptBacklog(iterations - 1, done);
        return;
      }
      this.state.phase = 'draining';
      for (const one of this.listeners) one.close();
      this.#drainConnections();
      done();
    });
  }

  #drainConnections(): void {
    const { draining, settings } = this.state;
    draining.cancel(
      new CancelledError(`The server ${JSON.stringify(settings.name)} is stopping`, { source: 'shutdown' }),
    );
    this.http1.endUpgraded();
    this.http2.sendGoaway();
    // Sockets of sessions that ended before, and that their clients have not closed.
    const finishedSockets = [...this.sockets.open].filter(
      (socket) => socket.writableFinished && !this.#isHttp1(socket),
    );
    const { clock, idleGrace } = settings;
    // One more iteration: data that the system holds unread came in time, and timers run before reading.
    const timer = clock.setTimer(idleGrace, () => setImmediate(() => this.#sweep(finishedSockets)), { ref: false });
    void this.sockets.tracker.wait().then(() => clock.clearTimer(timer));
  }

  #sweep(finishedSockets: readonly Socket[]): void {
    this.http1.sweepAll();
    // A client that has not begun its handshake loses nothing.
    for (const socket of this.sockets.raw) if (socket.bytesRead === 0) socket.destroy();
    for (const socket of finishedSockets) socket.destroy();
  }

  #isHttp1(socket: Socket): boolean {
    return this.http1.hasConnection(socket) || this.http1.isUpgraded(socket);
  }

  /** Waits until all is closed. Aborts when the signal is cancelled. */
  async drain(signal: CancellationToken): Promise<void> {
    this.stop();
    // Within the cancellation and not after it, so that the tokens of requests are cancelled synchronously.
    const deadline = signal.onCancelled((reason) => void this.abort(reason));
    // A callback does not keep the process alive until the deadline, and a waiter does.
    const keepAlive = waiter(() => {});
    signal[source].park(keepAlive);
    // It ends also after `abort`, which destroys the remaining connections.
    await this.sockets.tracker.wait();
    signal[source].unpark(keepAlive);
    deadline.dispose();
    // Without a request in flight the deadline has only closed connections.
    if (signal.isCancelled && this.state.tally.cancelledCount > 0) throw signal.reason;
  }

  /** Cancels the requests synchronously, and then destroys those that have not ended. Only the first call counts. */
  async abort(reason: unknown): Promise<void> {
    this.stop();
    const { state, sockets } = this;
    const { inFlight } = this.exchanges;
    if (state.deadlineToken.isCancelled) return;
    state.tally.cancelledCount = inFlight.size;
    state.deadlineToken.cancel(reason);
    this.http1.sweepAll();
    const { cleanupTimeout, clock } = state.settings;
    const limit = CancellationToken.timeout(cleanupTimeout, { clock });
    // Requests that have not ended by then are ended below.
    if (inFlight.size > 0) await sockets.tracker.drain(limit).catch(() => {});
    limit.dispose();
    state.isDestroying = true;
    if (inFlight.size > 0) {
      for (const exchange of inFlight) exchange.destroy();
      // One iteration of the event loop, in which streams of HTTP/2 send their reset.
      await new Promise((resolve) => setImmediate(resolve));
    }
    this.http2.destroyAll();
    for (const socket of sockets.open) socket.destroy();
  }
}
