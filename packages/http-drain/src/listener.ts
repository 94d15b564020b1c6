import type { Socket } from 'node:net';
import { Last } from './last.ts';
import { NetServer } from './node.ts';
import type { DrainableServer } from './options.ts';

/** What Node keeps of the connections of a server, for `closeIdleConnections` and for its time limits. */
interface ConnectionsList {
  idle(): readonly { readonly socket: Socket }[];
}

/** Servers whose `listen` was called, and that have said neither "listening" nor "error" since. */
export const opening: WeakSet<object> = new WeakSet();

/** Servers whose `listen` was called, or that listened when they were drained. The others are about to listen. */
export const tried: WeakSet<object> = new WeakSet();

/** One server of a drain: knows when its backlog has been accepted, and closes its listener. */
export class Listener {
  readonly server: DrainableServer;
  /** Set by `probe`; stays unset where we cannot connect. */
  #last: Last | undefined = undefined;
  /** Set when the listener was closed by us; unset when the server says that all is closed. */
  #isClosing = false;

  constructor(server: DrainableServer) {
    this.server = server;
    if (server.listening) tried.add(server);
  }

  /** Puts a connection of our own at the end of the system's backlog. */
  probe(): void {
    this.#last = Last.standIn(this.server);
  }

  /** Whether a connection is our own, which has served its purpose then. */
  takeLast(socket: Socket): boolean {
    return this.#last?.take(socket) === true;
  }

  /** Whether it listens, or is about to. */
  get isListening(): boolean {
    return this.server.listening || opening.has(this.server) || !tried.has(this.server);
  }

  /** Whether every connection that was in the backlog at `probe` has been accepted. False where that is not known. */
  get isEmptied(): boolean {
    return !this.server.listening || this.#last?.isAccepted === true;
  }

  /**
   * The connections of HTTP/1 that have sent something, and on which neither a head nor a body is under way; `undefined` where
   * Node does not tell. Its parser knows: of an empty line, and of what it answers by itself, no event tells.
   */
  idle(): Socket[] | undefined {
    const { server } = this;
    const key = Object.getOwnPropertySymbols(server).find(
      ({ description }) => description === 'http.server.connections',
    );
    const list = key && (server as unknown as Record<symbol, Partial<ConnectionsList> | undefined>)[key];
    return list?.idle?.().map(({ socket }) => socket);
  }

  /** Closes the listener. Also called when the server begins to listen later. */
  close(): void {
    this.#last?.leave();
    // Not the server's own close: from Node 19 on that destroys idle connections, and forgets the time limits of the rest.
    if (!this.server.listening) return;
    this.#isClosing = true;
    NetServer.prototype.close.call(this.server);
  }

  /** Called when the server says that it is closed. Returns whether it says so because of `close`. */
  takeClosed(): boolean {
    const isOurs = this.#isClosing;
    this.#isClosing = false;
    return isOurs;
  }
}
