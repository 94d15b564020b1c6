/**
 * One connection of HTTP/1.
 *
 *     OPEN ──the last response says so, and ends │ idle for too long──► ENDED (FIN sent) ──► closed
 *
 * Invariants
 *  1. While the machine is not `running`, the head of the last response says `Connection: close`, and no other: on an
 *     earlier one of a pipeline it would cut off those behind it. Which one is the last is known when its head is written.
 *  2. A connection whose client was not told, since the head was sent before, is kept for `idleGrace` after its last
 *     response, as every other connection without a request.
 *  3. Whatever ends the connection goes through `end`: we send FIN, and go on reading until the client has ended too, or
 *     has sent its whole request and `idleGrace` is over. To close with unread data would reset the connection, and the
 *     client could lose the response that it has not read yet.
 *
 * Not guaranteed: that a connection on which only empty lines came is ended before the time limits of the server.
 */

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Timer } from '@quiesce/cancellation-token';
import { Exchange } from './exchange.ts';
import { guarded, type Machine } from './machine.ts';
import { sayClose } from './say-close.ts';

export class Connection {
  readonly #machine: Machine;
  readonly #socket: Socket;
  /** Requests that are in progress. */
  readonly #open: Set<Exchange> = new Set();
  /** The newest request and its response. Set by each request, and unset when another protocol follows. */
  #last: { readonly request: IncomingMessage; readonly response: ServerResponse } | undefined = undefined;
  /** How much had been read before the first request: a connection that has sent nothing has no more. */
  readonly #unused: number;
  /** Set when the head of the last response has said that it is the last. */
  #hasSaidClose = false;
  /** Set by `end`, by the end of the socket, and by `upgrade`: nothing of ours ends it any more. */
  #isEnded = false;
  /** Set by `refuseUpgrade`: what is said behind the last response. */
  #farewell = '';
  /** Set while it waits to be swept on its own, and once it is ended and the client is not. */
  #timer: Timer | undefined = undefined;

  constructor(machine: Machine, socket: Socket) {
    this.#machine = machine;
    this.#socket = socket;
    this.#unused = socket.bytesRead;
    machine.connections.set(socket, this);
    socket.once('close', () => this.#closed());
    // What Node calls after a last response; its own would destroy the socket (invariant 3).
    const destroySoon = socket.destroySoon;
    socket.destroySoon = (): void => {
      if (machine.phase === 'running' || machine.upgraded.has(socket)) destroySoon.call(socket);
      else this.end();
    };
    // A handshake that took its time: the sweep of all may be over.
    if (machine.isRefusing) this.#idle();
  }

  /** We have said that the last response was the last: whatever comes behind it must not be processed (RFC 9112, 9.6). */
  get #isOver(): boolean {
    return this.#isEnded || this.#hasSaidClose;
  }

  /** A request has been received. Says whether it was dealt with here, so that nobody else may see it. */
  request(request: IncomingMessage, response: ServerResponse): boolean {
    const machine = this.#machine;
    if (this.crosses()) {
      request.resume();
      return true;
    }
    this.#last = { request, response };
    const keys = [request, request.rawHeaders, response];
    const exchange = new Exchange(machine, keys, this.#socket, request.method, request.url);
    this.#open.add(exchange);
    // Node says "finish" also of a response whose socket was destroyed with everything unsent.
    response.on('finish', () => {
      if (!this.#socket.destroyed) exchange.end('completed');
    });
    response.on('close', () => this.#done(exchange));
    if (machine.phase !== 'running') this.mark();
    if (!machine.isRefusing) return false;
    exchange.refuse();
    void this.#refuse(request, response);
    return true;
  }

  /** Something was received: says whether it came too late for any answer, and counts it then. */
  crosses(): boolean {
    const isOver = this.#isOver;
    if (isOver && this.#machine.phase !== 'running') this.#machine.tally.crossed++;
    return isOver;
  }

  /** Invariant 1. */
  mark(): void {
    const response = this.#last?.response;
    if (response === undefined || response.headersSent) return;
    sayClose(
      response,
      () => this.#last?.response === response,
      () => {
        this.#hasSaidClose = true;
      },
    );
  }

  /**
   * Ends it if no request is in progress, and it has no time of its own (invariant 2).
   *
   * @param isIdle says whether neither a head nor a body is under way on a connection that has sent something
   */
  sweep(isIdle: (socket: Socket) => boolean): void {
    if (this.#isEnded || this.#open.size > 0 || this.#timer !== undefined) return;
    if (this.#socket.bytesRead > this.#unused && !isIdle(this.#socket)) {
      // The end of a body leaves it idle; half a head is subject to the time limits of the server.
      this.#last?.request.once('end', () => this.#idle());
      return;
    }
    this.#machine.tally.ended++;
    this.end();
  }

  /** Invariant 3. Idempotent. */
  end(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#socket.end(this.#farewell);
    const request = this.#last?.request;
    if (request === undefined || request.complete) {
      this.#listen();
      return;
    }
    request.once('close', () => this.#listen());
    request.resume();
  }

  /** It speaks another protocol now. */
  upgrade(): void {
    // Responses that were under way must not end it any more.
    this.#isEnded = true;
    this.#last = undefined;
    this.#clear();
    this.#machine.connections.delete(this.#socket);
  }

  /** It shall not: `head` is the answer, which comes behind the responses that are under way. */
  refuseUpgrade(head: string): void {
    this.#last = undefined;
    this.#farewell = head;
    if (this.#open.size === 0) this.end();
  }

  /** The socket is closed; responses that stood in line behind others are not told by Node. */
  #closed(): void {
    this.#isEnded = true;
    this.#clear();
    this.#machine.connections.delete(this.#socket);
    for (const exchange of this.#open) exchange.end('aborted');
    this.#open.clear();
  }

  #done(exchange: Exchange): void {
    this.#open.delete(exchange);
    exchange.end('aborted');
    if (this.#open.size > 0) return;
    if (this.#farewell !== '') this.end();
    // Its head was sent before stopping began (invariant 2).
    else if (this.#machine.isRefusing) this.#idle();
  }

  /** Has it swept after a time of its own, since the sweep of all may be over. */
  #idle(): void {
    if (this.#isEnded) return;
    this.#setTimer(() => {
      this.#timer = undefined;
      this.#machine.sweepSoon(this);
    });
  }

  #listen(): void {
    if (this.#socket.destroyed) return;
    const isDue = (): void => {
      if (this.#timer === timer) this.#socket.destroy();
    };
    // One more turn, as for the sweep. What is read then clears it.
    const timer = this.#setTimer(() => setImmediate(isDue));
  }

  #setTimer(fire: () => void): Timer {
    const { clock, idleGrace } = this.#machine.settings;
    this.#clear();
    const timer = clock.setTimer(idleGrace, fire, { ref: true });
    this.#timer = timer;
    return timer;
  }

  #clear(): void {
    if (this.#timer !== undefined) this.#machine.settings.clock.clearTimer(this.#timer);
    this.#timer = undefined;
  }

  async #refuse(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { refuse, retryAfter } = this.#machine.settings;
    const begin = (): ServerResponse => {
      response.statusCode = 503;
      return response.setHeader('Retry-After', String(retryAfter));
    };
    begin();
    if (refuse !== undefined && (await guarded(() => refuse(request, response)))) return;
    if (response.headersSent) {
      response.end();
      return;
    }
    // What it had set by then belongs to another answer.
    for (const name of response.getHeaderNames()) response.removeHeader(name);
    begin().setHeader('Content-Type', 'text/plain').end('This server is stopping. Please try again.\n');
  }
}

/** One that was accepted before we were there is known from its next request on. */
export function connectionOf(machine: Machine, socket: Socket): Connection {
  machine.add(socket);
  return machine.connections.get(socket) ?? new Connection(machine, socket);
}
