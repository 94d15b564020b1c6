/**
 * One connection of HTTP/1.
 *
 *     OPEN ──the last response is marked, and ends │ idle for too long──► ENDED (FIN sent) ──► closed
 *
 * Invariants
 *  1. While the machine is not `running`, the last response is marked unless its head was sent before, and no other is:
 *     on an earlier one of a pipeline the mark would cut off those behind it.
 *  2. Whatever ends the connection goes through `end`: we send FIN, and go on reading until the client has ended too, or
 *     has sent its whole request and `idleGrace` is over. To close with unread data would reset the connection, and the
 *     client could lose the response that it has not read yet.
 *
 * Not guaranteed: that the half of a request head that came in one chunk with the end of the request before it is
 * noticed; such a connection counts as idle.
 */

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Timer } from '@quiesce/cancellation-token';
import { Exchange } from './exchange.ts';
import { guarded, type Machine } from './machine.ts';

/** The newest request of a connection. */
interface Last {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** What was there before we marked it; `undefined`: it is not marked. */
  before: { readonly header: ReturnType<ServerResponse['getHeader']>; readonly keeps: boolean } | undefined;
}

export class Connection {
  readonly #machine: Machine;
  readonly #socket: Socket;
  /** Requests that are in progress. */
  readonly #open: Set<Exchange> = new Set();
  /** Set by each request. */
  #last: Last | undefined = undefined;
  /** How much had been read when the last request was there, its body included: more means that a head is on its way. */
  #read: number;
  /** Set by `end`, by the end of the socket, and by `upgrade`: nothing of ours ends it any more. */
  #isEnded = false;
  /** Set by `refuseUpgrade`: what is said behind the last response. */
  #farewell = '';
  /** Set while it waits to be swept on its own, and once it is ended and the client is not. */
  #timer: Timer | undefined = undefined;

  constructor(machine: Machine, socket: Socket) {
    this.#machine = machine;
    this.#socket = socket;
    this.#read = socket.bytesRead;
    machine.connections.set(socket, this);
    socket.once('close', () => this.#closed());
    // What Node calls after a response that was marked; its own would destroy the socket (invariant 2).
    const destroySoon = socket.destroySoon;
    socket.destroySoon = (): void => {
      if (machine.phase === 'running' || machine.upgraded.has(socket)) destroySoon.call(socket);
      else this.end();
    };
    // A handshake that took its time: the sweep of all may be over.
    if (machine.isRefusing) this.#later(() => this.sweep());
  }

  /** We have said that the last response was the last: whatever comes behind it must not be processed (RFC 9112, 9.6). */
  get #isOver(): boolean {
    const last = this.#last;
    return this.#isEnded || (last?.before !== undefined && last.response.headersSent);
  }

  /** A request has been received. Says whether it was dealt with here, so that nobody else may see it. */
  request(request: IncomingMessage, response: ServerResponse): boolean {
    const machine = this.#machine;
    const last = this.#last;
    this.#read = this.#socket.bytesRead;
    if (this.crosses()) {
      request.resume();
      return true;
    }
    if (hasBody(request)) request.once('end', () => this.#received());
    if (last !== undefined) unmark(last);
    this.#last = { request, response, before: undefined };
    const exchange = new Exchange(machine, request, request.method, request.url);
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
    const last = this.#last;
    if (last === undefined || last.before !== undefined || last.response.headersSent) return;
    const { response } = last;
    last.before = { header: response.getHeader('connection'), keeps: response.shouldKeepAlive };
    // Node then says Connection: close; where a header stands already it says that.
    response.shouldKeepAlive = false;
    if (last.before.header !== undefined) response.setHeader('Connection', 'close');
  }

  /** Ends it if no request is in progress. */
  sweep(): void {
    if (this.#isEnded || this.#open.size > 0 || this.#socket.bytesRead > this.#read) return;
    this.#machine.tally.ended++;
    this.end();
  }

  /** Invariant 2. Idempotent. */
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
    this.#clear();
    this.#machine.connections.delete(this.#socket);
  }

  /** It shall not: `head` is the answer, which comes behind the responses that are under way. */
  refuseUpgrade(head: string): void {
    if (this.#last !== undefined) unmark(this.#last);
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
    // Its head was sent before stopping began, or its handler wanted the connection kept.
    if (this.#open.size === 0 && this.#machine.phase !== 'running') this.end();
  }

  /** The body of the last request is there. */
  #received(): void {
    this.#read = this.#socket.bytesRead;
    // Its response was finished long ago, and the sweep has passed it by.
    if (this.#machine.isRefusing && this.#open.size === 0 && !this.#isEnded) this.#later(() => this.sweep());
  }

  #listen(): void {
    if (!this.#socket.destroyed) this.#later(() => this.#socket.destroy());
  }

  #later(act: () => void): void {
    const { clock, idleGrace } = this.#machine.settings;
    this.#clear();
    // One more turn: what stands unread with the system came in time, and timers go before reading. What is read then clears it.
    const isDue = (): void => {
      if (this.#timer === timer) act();
    };
    const timer = clock.setTimer(idleGrace, () => setImmediate(isDue), { ref: true });
    this.#timer = timer;
  }

  #clear(): void {
    if (this.#timer !== undefined) this.#machine.settings.clock.clearTimer(this.#timer);
    this.#timer = undefined;
  }

  async #refuse(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { refuse, retryAfter } = this.#machine.settings;
    response.statusCode = 503;
    response.setHeader('Retry-After', String(retryAfter));
    if (refuse !== undefined && (await guarded(() => refuse(request, response)))) return;
    if (response.headersSent) response.end();
    else response.setHeader('Content-Type', 'text/plain').end('This server is stopping. Please try again.\n');
  }
}

/** One that was accepted before we were there is known from its next request on. */
export function connectionOf(machine: Machine, socket: Socket): Connection {
  machine.add(socket);
  return machine.connections.get(socket) ?? new Connection(machine, socket);
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}

/** Another request stands behind it. */
function unmark(last: Last): void {
  const { before, response } = last;
  last.before = undefined;
  if (before === undefined || response.headersSent) return;
  response.shouldKeepAlive = before.keeps;
  if (before.header !== undefined) response.setHeader('Connection', before.header);
}
