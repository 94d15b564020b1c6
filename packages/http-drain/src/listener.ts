import type { Socket } from 'node:net';
import { BacklogProbe } from './backlog-probe.ts';
import { NetServer } from './node.ts';
import type { DrainableServer } from './options.ts';

/** Node's list of the connections of a server, for `closeIdleConnections` and for its time limits. */
interface ConnectionsList {
  idle(): readonly { readonly socket: Socket }[];
}

/** Servers whose `listen` was called, and that have emitted neither "listening" nor "error" since. */
export const opening: WeakSet<object> = new WeakSet();

/** Servers whose `listen` was called, or that listened when they were drained. The others have yet to listen. */
export const tried: WeakSet<object> = new WeakSet();

/** One server of a drain: detects that its backlog has been accepted, and closes its listener. */
export class Listener {
  readonly server: DrainableServer;
  /** Set by `probe`. `undefined` when we cannot connect. */
  #probe: BacklogProbe | undefined = undefined;
  /** Set when `close` has closed the listener. Cleared when the server emits "close". */
  #isClosing = false;

  constructor(server: DrainableServer) {
    this.server = server;
    if (server.listening) tried.add(server);
  }

  /** Connects a probe, which joins the end of the system's backlog. */
  probe(): void {
    this.#probe = BacklogProbe.connectTo(this.server);
  }

  /** Returns whether an accepted socket is the probe. If so, closes it. */
  acceptProbe(socket: Socket): boolean {
    return this.#probe?.accept(socket) === true;
  }

  /** Whether it listens, or has yet to listen. */
  get isListening(): boolean {
    return this.server.listening || opening.has(this.server) || !tried.has(this.server);
  }

  /** Whether every connection that was in the backlog at `probe` has been accepted. False when that is not known. */
  get isEmptied(): boolean {
    return !this.server.listening || this.#probe?.isAccepted === true;
  }

  /**
   * Returns the connections of HTTP/1 that have sent something, and on which neither a head nor a body is being received.
   * Returns `undefined` when Node has no such list. Only its parser knows: no event is emitted for an empty line, or for a
   * request that Node answers itself.
   */
  idleSockets(): Socket[] | undefined {
    const { server } = this;
    const key = Object.getOwnPropertySymbols(server).find(
      ({ description }) => description === 'http.server.connections',
    );
    const list = key && (server as unknown as Record<symbol, Partial<ConnectionsList> | undefined>)[key];
    return list?.idle?.().map(({ socket }) => socket);
  }

  /** Closes the listener. Also called when the server begins to listen later. */
  close(): void {
    this.#probe?.destroy();
    // Not the server's own close: from Node 19 on that destroys idle connections, and drops the time limits of the others.
    if (!this.server.listening) return;
    this.#isClosing = true;
    // When a server begins to listen during a shutdown, Fastify and Nest still read its address to end their own `listen`.
    const address = this.server.address();
    this.server.address = () => address;
    NetServer.prototype.close.call(this.server);
  }

  /** Returns whether a "close" of the server is the effect of `close`. */
  takeClosed(): boolean {
    const isOurs = this.#isClosing;
    this.#isClosing = false;
    return isOurs;
  }
}
