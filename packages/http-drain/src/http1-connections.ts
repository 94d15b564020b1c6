import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Exchanges } from './exchange.ts';
import { type ConnectionOwner, Http1Connection } from './http1-connection.ts';
import type { Listener } from './listener.ts';
import { callHandler, type ServerState } from './server-state.ts';
import type { Sockets } from './sockets.ts';

/** The connections of HTTP/1 of a server, and those that have changed to another protocol. */
export class Http1Connections implements ConnectionOwner {
  readonly #state: ServerState;
  readonly #sockets: Sockets;
  readonly #exchanges: Exchanges;
  readonly #listeners: ReadonlySet<Listener>;
  readonly #connections: Map<Socket, Http1Connection> = new Map();
  /** The sockets that have changed to another protocol, with the request for it. */
  readonly #upgraded: Map<Socket, IncomingMessage> = new Map();
  /** Connections that are swept at the end of this iteration of the event loop. */
  readonly #sweepQueue: Set<Http1Connection> = new Set();

  constructor(state: ServerState, sockets: Sockets, exchanges: Exchanges, listeners: ReadonlySet<Listener>) {
    this.#state = state;
    this.#sockets = sockets;
    this.#exchanges = exchanges;
    this.#listeners = listeners;
  }

  /** Adds a socket that was accepted, or whose handshake is complete. */
  open(socket: Socket): Http1Connection {
    const connection = new Http1Connection(this.#state, this.#exchanges, this, socket);
    this.#connections.set(socket, connection);
    connection.attach();
    return connection;
  }

  /** Whether a socket speaks HTTP/1. */
  hasConnection(socket: Socket): boolean {
    return this.#connections.has(socket);
  }

  isUpgraded(socket: Socket): boolean {
    return this.#upgraded.has(socket);
  }

  remove(socket: Socket): void {
    this.#connections.delete(socket);
  }

  /** Handles a request. Returns true when it was refused here, and no listener may see it. */
  request(request: IncomingMessage, response: ServerResponse): boolean {
    return this.#connectionOf(request.socket).request(request, response);
  }

  /** Handles a request for another protocol. Returns true when it was refused here, and no listener may see it. */
  upgrade(request: IncomingMessage, socket: Socket): boolean {
    const state = this.#state;
    const connection = this.#connectionOf(socket);
    if (connection.arrivedTooLate()) {
      discardInput(socket);
      return true;
    }
    const keys = [request, request.rawHeaders];
    const exchange = this.#exchanges.open(keys, socket, request.method, request.url);
    socket.once('close', () => {
      this.#upgraded.delete(socket);
      exchange.end(state.isDestroying ? 'disconnected' : 'completed');
    });
    if (!state.isRefusing) {
      connection.upgrade();
      this.#upgraded.set(socket, request);
      return false;
    }
    exchange.refuse();
    discardInput(socket);
    connection.refuseUpgrade(upgradeRefusal(state));
    return true;
  }

  /** A connection that was accepted before the server was drained is added with its next request. */
  #connectionOf(socket: Socket): Http1Connection {
    this.#sockets.add(socket);
    return this.#connections.get(socket) ?? this.open(socket);
  }

  /** Makes the last response on each connection announce that it is the last. */
  markAll(): void {
    for (const connection of this.#connections.values()) connection.mark();
  }

  /** Passes each upgraded socket to the `upgraded` option. */
  endUpgraded(): void {
    for (const [socket, request] of this.#upgraded) {
      void callHandler(() => this.#state.settings.upgraded?.(socket, request));
    }
  }

  /** Ends each connection without a request in progress. */
  sweepAll(): void {
    this.#sweepEach(this.#connections.values());
  }

  /**
   * Sweeps a connection in the next iteration of the event loop. Data that the system holds unread came in time, and timers run
   * before reading.
   */
  sweepSoon(connection: Http1Connection): void {
    if (this.#sweepQueue.size === 0) {
      setImmediate(() => {
        const queued = [...this.#sweepQueue];
        this.#sweepQueue.clear();
        this.#sweepEach(queued);
      });
    }
    this.#sweepQueue.add(connection);
  }

  /** Sweeps together: finding the idle connections takes Node time in proportion to all connections. */
  #sweepEach(connections: Iterable<Http1Connection>): void {
    const lists = [...this.#listeners].map((one) => one.idleSockets());
    const idle = new Set(lists.flatMap((list) => list ?? []));
    // After the deadline, half a head can no longer become a request that is served.
    const isKnown = !this.#state.deadlineToken.isCancelled && lists.every((list) => list !== undefined);
    for (const connection of connections) connection.sweep((socket) => !isKnown || idle.has(socket));
  }
}

/** Node has detached an upgraded socket: it neither reads from it nor listens to its errors. */
function discardInput(socket: Socket): void {
  // Without a listener an error would end the process.
  socket.on('error', () => {});
  socket.resume();
}

/** An upgrade has no response object. */
function upgradeRefusal({ settings }: ServerState): string {
  const head = ['HTTP/1.1 503 Service Unavailable', `Retry-After: ${settings.retryAfter}`, 'Content-Length: 0'];
  return `${head.join('\r\n')}\r\nConnection: close\r\n\r\n`;
}
