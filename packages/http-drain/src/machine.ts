/**
 * The machine under a drain: what a server has open, and how it comes to rest.
 *
 *     running ──announce──► stopping ──stop──► closing ──the listener is closed──► draining ──all is closed──► drained
 *        └───────────────────────stop───────────▲
 *
 * Invariants
 *  1. Every socket of the server holds one guard of `parts` from its acceptance until it is closed, and the listener one
 *     until it is closed: `parts`, closed by `stop`, is empty exactly when nothing is left.
 *  2. Every request holds one guard of `requests` until its response has ended or its socket is closed.
 *  3. From `stopping` on the last request of each connection of HTTP/1, and no other, is marked `Connection: close`.
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
import { Last } from './last.ts';
import { NetServer } from './node.ts';
import type { DrainableServer, Settings } from './options.ts';
import { newTally, type Tally } from './report.ts';
import { retire } from './sessions.ts';

/** How many turns the backlog is given at most: Node's own default for how many connections may stand in it. */
const BACKLOG = 511;

/** How far a server has come. */
export type Phase = 'running' | 'stopping' | 'closing' | 'draining' | 'drained';

export class Machine {
  /** Set by `announce`, `stop`, and the end of both (invariant 4). */
  phase: Phase = 'running';
  readonly server: DrainableServer;
  readonly settings: Settings;
  /** Invariant 2. */
  readonly requests: TaskTracker;
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
  /** By request, or stream. */
  readonly exchanges: WeakMap<object, Exchange> = new WeakMap();
  /** Set at the deadline, when sockets are destroyed. */
  isDestroying = false;
  /** How many sockets were accepted; counted by `add`. */
  #accepted = 0;
  /** Set by `stop`; stays unset where we cannot connect. */
  #last: Last | undefined = undefined;
  /** Set when the listener was closed by us; unset when the server says that all is closed. */
  hasClosedListener = false;
  /** The end of the deadline's work, once it has passed. */
  #cutting: Promise<void> | undefined = undefined;

  constructor(server: DrainableServer, settings: Settings) {
    this.server = server;
    this.settings = settings;
    this.requests = new TaskTracker({ name: settings.name });
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
    const last = Last.standIn(this.server);
    this.#last = last;
    // It ends the turn under way, whose poll phase may be over.
    setImmediate(() => this.#acceptBacklog(BACKLOG, () => listener.dispose()));
  }

  /** Whether it is the connection that we have put behind everybody; then it has served its purpose. */
  takeLast(socket: Socket): boolean {
    return this.#last?.take(socket) === true;
  }

  /**
   * Whoever stands in the system's backlog when the listener closes is reset, though it was connected, maybe for long. And
   * libuv accepts one connection in a turn from 1.45 on (Node 20), not all of them. So accepting goes on until the last
   * one who stood there has been accepted, or there was nobody in a whole poll phase.
   */
  #acceptBacklog(turns: number, done: () => void): void {
    const before = this.#accepted;
    setImmediate(() => {
      if (this.#last?.isAccepted !== true && this.#accepted > before && turns > 1) {
        this.#acceptBacklog(turns - 1, done);
        return;
      }
      this.phase = 'draining';
      this.closeListener();
      this.#last?.leave();
      this.#drain();
      done();
    });
  }

  /** Also called by whoever sees that it listens all the same. */
  closeListener(): void {
    // Not the server's own close: from Node 19 on that destroys idle connections, and forgets the time limits of the rest.
    if (!this.server.listening) return;
    this.hasClosedListener = true;
    NetServer.prototype.close.call(this.server);
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
    for (const connection of this.connections.values()) connection.sweep();
    // A client that has not begun its handshake has lost nothing.
    for (const socket of this.raw) if (socket.bytesRead === 0) socket.destroy();
    for (const socket of over) socket.destroy();
  }

  #isHttp1(socket: Socket): boolean {
    return this.connections.has(socket) || this.upgraded.has(socket);
  }

  /** Waits for all to end; at the deadline cancels what is left, and destroys what does not end then. */
  async drain(token: CancellationToken): Promise<void> {
    this.stop();
    const cut = (reason: unknown): Promise<void> => {
      this.#cutting ??= this.#cutOff(reason);
      return this.#cutting;
    };
    // Inside of the cancellation and not after it, so that requests learn of it at once.
    const deadline = token.onCancelled((reason) => void cut(reason));
    try {
      await this.parts.drain(token);
    } catch (reason) {
      await cut(reason);
      throw reason;
    } finally {
      deadline.unregister();
    }
  }

  async #cutOff(reason: unknown): Promise<void> {
    this.tally.cancelled = this.requests.length;
    this.cut.cancel(reason);
    const grace = CancellationToken.timeout(this.settings.cancelGrace, { clock: this.settings.clock });
    try {
      if (this.requests.length > 0) await this.parts.drain(grace);
    } catch {
      // Whoever has not ended by now is ended below.
    } finally {
      grace.dispose();
    }
    this.isDestroying = true;
    for (const session of this.sessions) session.destroy();
    for (const socket of this.sockets) socket.destroy();
    await this.parts.wait();
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
