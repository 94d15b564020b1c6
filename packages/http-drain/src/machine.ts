/**
 * The machine under a drain: what a server has open, and how it comes to rest.
 *
 *     running ──announce──► stopping ──stop──► closing ──the listener is closed──► draining ──all is closed──► drained
 *        └───────────────────────stop───────────▲
 *
 * Invariants
 *  1. Every socket of the server holds one guard of `parts` from its acceptance until it is closed, and the listener one
 *     until it is closed: `parts`, closed by `stop`, is empty exactly when nothing is left.
 *  2. Every request is in `inFlight` until its response has ended or its socket is closed.
 *  3. From `stopping` on, the head of the last response of each connection of HTTP/1, and no other, says `Connection: close`.
 *  4. The phase only goes forward.
 *
 * Not guaranteed: that a request which crosses our FIN on its way is answered; HTTP cannot, and clients send it again.
 */

import type { IncomingMessage } from 'node:http';
import type { Http2Session } from 'node:http2';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { CancellationToken, CancelledError, reportUncaught } from '@quiesce/cancellation-token';
import { TaskTracker } from '@quiesce/scope';
import type { Connection } from './connection.ts';
import type { Exchange } from './exchange.ts';
import type { Listener } from './listener.ts';
import type { Settings } from './options.ts';
import { newTally, type Tally } from './report.ts';
import { retire } from './sessions.ts';

/** How many turns the backlog is given at most: Node's own default for how many connections may stand in it. */
const BACKLOG = 511;

/** How far a server has come. */
export type Phase = 'running' | 'stopping' | 'closing' | 'draining' | 'drained';

export class Machine {
  /** Set by `announce`, `stop`, and the end of both (invariant 4). */
  phase: Phase = 'running';
  readonly settings: Settings;
  /** One for each server; more than one where a framework listens on several addresses. */
  readonly listeners: Set<Listener> = new Set();
  /** Invariant 2. */
  readonly inFlight: Set<Exchange> = new Set();
  /** Invariant 1. */
  readonly parts: TaskTracker;
  /** Cancelled when the listener has closed. */
  readonly draining: CancellationToken = new CancellationToken({ name: 'draining' });
  /** Cancelled at the deadline; above the token of each request. */
  readonly cut: CancellationToken = new CancellationToken({ name: 'deadline' });
  readonly tally: Tally = newTally();
  /** All that are open (invariant 1). */
  readonly sockets: Set<Socket> = new Set();
  /** Those below TLS, from their acceptance until they are closed. */
  readonly raw: Set<Socket> = new Set();
  /** Those that speak HTTP/1. */
  readonly connections: Map<Socket, Connection> = new Map();
  /** Those that speak HTTP/2. */
  readonly sessions: Set<Http2Session> = new Set();
  /** Those that speak something else now. */
  readonly upgraded: Map<Duplex, IncomingMessage> = new Map();
  /** By request, its raw headers and its response, or by stream. */
  readonly exchanges: WeakMap<object, Exchange> = new WeakMap();
  /** Set at the deadline, when sockets are destroyed. */
  isDestroying = false;
  /** Connections that are swept at the end of this turn. */
  readonly #due: Set<Connection> = new Set();
  /** How many sockets were accepted; counted by `add`. */
  #accepted = 0;
  /** The end of the deadline's work, once it has passed. */
  #cutting: Promise<boolean> | undefined = undefined;

  constructor(settings: Settings) {
    this.settings = settings;
    this.parts = new TaskTracker({ name: `${settings.name}: connections` });
  }

  /** Whether new requests are told to go elsewhere. */
  get isRefusing(): boolean {
    return this.phase === 'draining' || this.phase === 'drained';
  }

  /** A socket was accepted (invariant 1). */
  add(socket: Socket): void {
    if (this.sockets.has(socket)) return;
    const guard = this.parts.guard();
    this.sockets.add(socket);
    this.#accepted++;
    socket.once('close', () => {
      this.sockets.delete(socket);
      this.raw.delete(socket);
      guard.dispose();
    });
    // The deadline passed while the backlog was being accepted.
    if (this.isDestroying) socket.destroy();
  }

  announce(): void {
    if (this.phase !== 'running') return;
    this.phase = 'stopping';
    for (const connection of this.connections.values()) connection.mark();
  }

  stop(): void {
    this.announce();
    if (this.phase !== 'stopping') return;
    this.phase = 'closing';
    const listener = this.parts.guard();
    this.parts.close();
    void this.parts.wait().then(() => {
      this.phase = 'drained';
    });
    for (const one of this.listeners) one.probe();
    // It ends the turn under way, whose poll phase may be over.
    setImmediate(() => this.#acceptBacklog(BACKLOG, () => listener.dispose()));
  }

  /**
   * Whoever stands in the system's backlog when the listener closes is reset, though it was connected, maybe for long. And
   * libuv accepts one connection in a turn from 1.45 on (Node 20), not all of them. So accepting goes on until the last
   * one who stood there has been accepted, or there was nobody in a whole poll phase.
   */
  #acceptBacklog(turns: number, done: () => void): void {
    const before = this.#accepted;
    setImmediate(() => {
      const isEmptied = [...this.listeners].every((one) => one.isEmptied);
      if (!isEmptied && this.#accepted > before && turns > 1) {
        this.#acceptBacklog(turns - 1, done);
        return;
      }
      this.phase = 'draining';
      for (const one of this.listeners) one.close();
      this.#drain();
      done();
    });
  }

  #drain(): void {
    this.draining.cancel(
      new CancelledError(`The server ${JSON.stringify(this.settings.name)} is stopping`, { source: 'shutdown' }),
    );
    for (const [socket, request] of this.upgraded) this.endUpgraded(socket, request);
    for (const session of this.sessions) retire(this, session);
    // Sessions that were over before, and whose clients have not noticed.
    const over = [...this.sockets].filter((socket) => socket.writableFinished && !this.#isHttp1(socket));
    const { clock, idleGrace } = this.settings;
    // One more turn: what stands unread with the system came in time, and timers go before reading.
    const timer = clock.setTimer(idleGrace, () => setImmediate(() => this.#sweep(over)), { ref: false });
    void this.parts.wait().then(() => clock.clearTimer(timer));
  }

  endUpgraded(socket: Duplex, request: IncomingMessage): void {
    void guarded(() => this.settings.upgraded?.(socket, request));
  }

  #sweep(over: readonly Socket[]): void {
    this.#sweepEach(this.connections.values());
    // A client that has not begun its handshake has lost nothing.
    for (const socket of this.raw) if (socket.bytesRead === 0) socket.destroy();
    for (const socket of over) socket.destroy();
  }

  /** Sweeps a connection in the next turn: what stands unread with the system came in time, and timers go before reading. */
  sweepSoon(connection: Connection): void {
    if (this.#due.size === 0) {
      setImmediate(() => {
        const due = [...this.#due];
        this.#due.clear();
        this.#sweepEach(due);
      });
    }
    this.#due.add(connection);
  }

  /** All at once: to ask Node which are idle takes as long as it has connections. */
  #sweepEach(connections: Iterable<Connection>): void {
    const lists = [...this.listeners].map((one) => one.idle());
    const idle = new Set(lists.flatMap((list) => list ?? []));
    const isKnown = lists.every((list) => list !== undefined);
    for (const connection of connections) connection.sweep((socket) => !isKnown || idle.has(socket));
  }

  #isHttp1(socket: Socket): boolean {
    return this.connections.has(socket) || this.upgraded.has(socket);
  }

  /** Waits until all is closed. At the deadline it cancels the requests, and destroys what does not end then. */
  async drain(token: CancellationToken): Promise<void> {
    this.stop();
    const cutAll = (reason: unknown): Promise<boolean> => {
      this.#cutting ??= this.#cutOff(reason);
      return this.#cutting;
    };
    // Inside of the cancellation and not after it, so that requests learn of it at once.
    const deadline = token.onCancelled((reason) => void cutAll(reason));
    try {
      await this.parts.drain(token);
    } catch (reason) {
      // Without a request in flight the deadline has only closed connections.
      if (await cutAll(reason)) throw reason;
    } finally {
      deadline.unregister();
    }
  }

  /** Returns whether requests were in flight. */
  async #cutOff(reason: unknown): Promise<boolean> {
    const count = this.inFlight.size;
    this.tally.cancelled = count;
    this.cut.cancel(reason);
    const grace = CancellationToken.timeout(this.settings.cancelGrace, { clock: this.settings.clock });
    try {
      if (this.inFlight.size > 0) await this.parts.drain(grace);
    } catch {
      // What has not ended by now is ended below.
    } finally {
      grace.dispose();
    }
    this.isDestroying = true;
    if (this.inFlight.size > 0) {
      for (const exchange of [...this.inFlight]) exchange.cutOff();
      // One turn, in which streams of HTTP/2 say so to their clients.
      await new Promise((resolve) => setImmediate(resolve));
    }
    for (const session of this.sessions) session.destroy();
    for (const socket of this.sockets) socket.destroy();
    await this.parts.wait();
    return count > 0;
  }
}

/** Calls a function of the user's: what it fails with is theirs, and stops nothing here. */
export async function guarded(call: () => unknown): Promise<boolean> {
  try {
    await call();
    return true;
  } catch (error) {
    reportUncaught(error);
    return false;
  }
}
