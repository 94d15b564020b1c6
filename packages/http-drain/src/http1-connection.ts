/**
 * One connection of HTTP/1.
 *
 *     OPEN ──the last response is marked, and ends │ idle for too long──► ENDED (FIN sent) ──► closed
 *
 * Invariants
 *  1. While the phase is not `running`, the head of the last response has `Connection: close`, and no other: on an earlier
 *     response of a pipeline it would cut off the later ones. Which response is the last is known when its head is written.
 *  2. When the head of the last response was sent before, its client is not informed. The connection is kept for `idleGrace`
 *     after that response, like every other connection without a request.
 *  3. Each way to end the connection calls `end`: it sends FIN, and reads until the client has ended too, or has sent its
 *     whole request and `idleGrace` is over. Closing with unread data would reset the connection, and the client could lose
 *     a response that it has not read yet.
 *
 * Not guaranteed: that a connection that has sent only empty lines is ended before the time limits of the server.
 */

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Timer } from '@quiesce/cancellation-token';
import type { Exchange, Exchanges } from './exchange.ts';
import { markLastResponse } from './mark-last-response.ts';
import { callHandler, type ServerState } from './server-state.ts';

/** Receives the events of a connection. */
export interface ConnectionOwner {
  /** Whether a socket has changed to another protocol. */
  isUpgraded(socket: Socket): boolean;
  /** The connection is closed, or has changed to another protocol. */
  remove(socket: Socket): void;
  /** The connection has been without a request for `idleGrace`. */
  sweepSoon(connection: Http1Connection): void;
}

export class Http1Connection {
  readonly #state: ServerState;
  readonly #exchanges: Exchanges;
  readonly #owner: ConnectionOwner;
  readonly #socket: Socket;
  /** Requests that are in progress. */
  readonly #open: Set<Exchange> = new Set();
  /** The newest request and its response. Set by each request, and cleared when another protocol follows. */
  #last: { readonly request: IncomingMessage; readonly response: ServerResponse } | undefined = undefined;
  /** How many bytes were read before the first request: a connection that has sent nothing has read no more. */
  readonly #unused: number;
  /** Set when the head of the last response has said that it is the last. */
  #hasSaidClose = false;
  /** Set by `end`, by the end of the socket, and by `upgrade`. It is not ended again. */
  #isEnded = false;
  /** Set by `refuseUpgrade`: sent after the last response. */
  #upgradeRefusal = '';
  /** Set while it waits for its own sweep, and while it is ended and its client is not. */
  #timer: Timer | undefined = undefined;

  constructor(state: ServerState, exchanges: Exchanges, owner: ConnectionOwner, socket: Socket) {
    this.#state = state;
    this.#exchanges = exchanges;
    this.#owner = owner;
    this.#socket = socket;
    this.#unused = socket.bytesRead;
  }

  /** Listens to the socket. */
  attach(): void {
    const socket = this.#socket;
    socket.once('close', () => this.#closed());
    // Node calls this after a last response. Its own method would destroy the socket (invariant 3).
    const destroySoon = socket.destroySoon;
    socket.destroySoon = (): void => {
      if (this.#state.phase === 'running' || this.#owner.isUpgraded(socket)) destroySoon.call(socket);
      else this.end();
    };
    // After a slow handshake, the sweep of all connections may be over.
    if (this.#state.isRefusing) this.#sweepLater();
  }

  /** Whether the last response was announced as the last. A request after it must not be processed (RFC 9112, 9.6). */
  get #isOver(): boolean {
    return this.#isEnded || this.#hasSaidClose;
  }

  /** Handles a request. Returns true when it was refused here, and no listener may see it. */
  request(request: IncomingMessage, response: ServerResponse): boolean {
    const state = this.#state;
    if (this.arrivedTooLate()) {
      request.resume();
      return true;
    }
    this.#last = { request, response };
    const keys = [request, request.rawHeaders, response];
    const exchange = this.#exchanges.open(keys, this.#socket, request.method, request.url, request.headers);
    this.#open.add(exchange);
    // Node emits "finish" also for a response whose socket was destroyed before anything was sent.
    response.on('finish', () => {
      if (!this.#socket.destroyed) exchange.end('completed');
    });
    response.on('close', () => this.#done(exchange));
    if (state.phase !== 'running') this.mark();
    if (!state.isRefusing) return false;
    exchange.refuse();
    void this.#refuse(request, response);
    return true;
  }

  /** Returns whether a request arrived too late for any answer, and counts it then. */
  arrivedTooLate(): boolean {
    const isOver = this.#isOver;
    if (isOver && this.#state.phase !== 'running') this.#state.tally.arrivedAfterFinCount++;
    return isOver;
  }

  /** Makes the current last response announce that it is the last (invariant 1). */
  mark(): void {
    const response = this.#last?.response;
    if (response === undefined || response.headersSent) return;
    markLastResponse(
      response,
      () => this.#last?.response === response,
      () => {
        this.#hasSaidClose = true;
      },
    );
  }

  /**
   * Ends the connection when no request is in progress, and it does not wait for its own sweep (invariant 2).
   *
   * @param isIdle returns whether neither a head nor a body is being received on a connection that has sent something
   */
  sweep(isIdle: (socket: Socket) => boolean): void {
    if (this.#isEnded || this.#open.size > 0 || this.#timer !== undefined) return;
    if (this.#socket.bytesRead > this.#unused && !isIdle(this.#socket)) {
      // The end of a body leaves it idle. Half a head is subject to the time limits of the server.
      this.#last?.request.once('end', () => this.#sweepLater());
      return;
    }
    this.#state.tally.endedCount++;
    this.end();
  }

  /** Sends FIN, and reads until the client has ended (invariant 3). Idempotent. */
  end(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#socket.end(this.#upgradeRefusal);
    const request = this.#last?.request;
    if (request === undefined || request.complete) {
      this.#destroyLater();
      return;
    }
    request.once('close', () => this.#destroyLater());
    request.resume();
  }

  /** The connection changes to another protocol. */
  upgrade(): void {
    // Responses in progress must no longer end it.
    this.#isEnded = true;
    this.#last = undefined;
    this.#clearTimer();
    this.#owner.remove(this.#socket);
  }

  /** Refuses another protocol: sends `head` after the responses in progress. */
  refuseUpgrade(head: string): void {
    this.#last = undefined;
    this.#upgradeRefusal = head;
    if (this.#open.size === 0) this.end();
  }

  /** The socket is closed. Node emits no event for responses that were queued after others. */
  #closed(): void {
    this.#isEnded = true;
    this.#clearTimer();
    this.#owner.remove(this.#socket);
    for (const exchange of this.#open) exchange.end('disconnected');
    this.#open.clear();
  }

  #done(exchange: Exchange): void {
    this.#open.delete(exchange);
    exchange.end('disconnected');
    if (this.#open.size > 0) return;
    if (this.#upgradeRefusal !== '') this.end();
    // Its head was sent before stopping began (invariant 2).
    else if (this.#state.isRefusing) this.#sweepLater();
  }

  /** Sweeps the connection after `idleGrace`, because the sweep of all connections may be over. */
  #sweepLater(): void {
    if (this.#isEnded) return;
    this.#setTimer(() => {
      this.#timer = undefined;
      this.#owner.sweepSoon(this);
    });
  }

  #destroyLater(): void {
    if (this.#socket.destroyed) return;
    const destroy = (): void => {
      if (this.#timer === timer) this.#socket.destroy();
    };
    // One more iteration of the event loop, as for the sweep. Data that is read then clears the timer.
    const timer = this.#setTimer(() => setImmediate(destroy));
  }

  #setTimer(fire: () => void): Timer {
    const { clock, idleGrace } = this.#state.settings;
    this.#clearTimer();
    const timer = clock.setTimer(idleGrace, fire, { ref: true });
    this.#timer = timer;
    return timer;
  }

  #clearTimer(): void {
    if (this.#timer !== undefined) this.#state.settings.clock.clearTimer(this.#timer);
    this.#timer = undefined;
  }

  async #refuse(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { refuse, retryAfter } = this.#state.settings;
    const begin = (): ServerResponse => {
      response.statusCode = 503;
      return response.setHeader('Retry-After', String(retryAfter));
    };
    begin();
    if (refuse !== undefined && (await callHandler(() => refuse(request, response)))) return;
    if (response.headersSent) {
      response.end();
      return;
    }
    // The headers that it has set belong to another answer.
    for (const name of response.getHeaderNames()) response.removeHeader(name);
    begin().setHeader('Content-Type', 'text/plain').end('This server is stopping. Please try again.\n');
  }
}
