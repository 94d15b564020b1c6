import type { IncomingMessage, ServerResponse } from 'node:http';
import { CancellationToken, type Clock, systemClock } from '@quiesce/cancellation-token';
import { checkKind, checkOptions } from '@quiesce/internal';
import { type Drainable, TaskTracker, type TrackerGuard } from '@quiesce/scope';
import type { Server, Socket } from 'socket.io';
import { checkPeer } from './check-peer.ts';
import { connectionDrain } from './connection-drain.ts';
import { refuseUpgrade } from './refuse-upgrade.ts';

/** Options for `drainableSocketIo`. */
export interface DrainableSocketIoOptions {
  /** The name in reports. Default: `socket.io`. */
  readonly name?: string | undefined;
  /**
   * How many milliseconds, 0 to `Infinity`, a client has to close its connection before the connection is destroyed.
   * Default: 2,000.
   */
  readonly closeTimeout?: number | undefined;
  /** The clock. Default: the clock of the platform. */
  readonly clock?: Clock | undefined;
}

/** A connection of Engine.IO, which carries all namespaces of one client. */
type Connection = Socket['conn'];

/**
 * Returns the drain of a Socket.IO server. On shutdown it closes the connection of every client and refuses new clients, so that
 * open connections do not hold the drain of their HTTP server until its deadline.
 *
 * Add it to a shutdown next to the `HttpDrain` of the same server. Clients see the reason `transport close`, and reconnect to
 * another instance at once. After `io.disconnectSockets(true)`, they would not reconnect.
 *
 * **Timing.** `stop` is synchronous: buffered packets are sent, then each connection closes. From then on each new client gets
 * a 503 with `Retry-After`. `drain` fulfils when all connections are closed. It leaves the HTTP server to its own drain, and
 * adapters such as Redis to `io.close()`.
 *
 * **Cancel safety.** When the signal of `drain` is cancelled, and on `abort`, the remaining connections are destroyed.
 *
 * @param io the server, attached to an HTTP server that does not listen yet
 * @param options `closeTimeout` in ms, `name`, `clock`
 * @returns the drain, for `shutdown.add`
 * @throws TypeError when `io` is not an attached Socket.IO server or has clients, `socket.io` is not version 4, from 4.6
 *   on, or an option is unknown or of the wrong kind; RangeError when `closeTimeout` is negative or NaN
 * @see `Server.close` (socket.io 4), which also closes the HTTP server and waits for no WebSocket
 * @example
 * ```ts
 * import { createServer } from 'node:http';
 * import { Server } from 'socket.io';
 *
 * const io = new Server(createServer());
 * const shutdown = new Shutdown();
 * shutdown.add(drainableSocketIo(io));
 * shutdown.request('deploy');
 * console.log((await shutdown.stopped()).exitCode); // => 0
 * await io.close();
 * ```
 */
export function drainableSocketIo(io: Server, options: DrainableSocketIoOptions = {}): Drainable {
  checkPeer('drainableSocketIo()', 'socket.io', [4]);
  const call = 'drainableSocketIo';
  checkKind(typeof io?.disconnectSockets === 'function', call, 'a Server of Socket.IO', io);
  const { engine } = io;
  // "Unlike `checkPeer`, this also sees the minor version.
  if (engine !== undefined && engine.use === undefined) {
    throw new TypeError(`${call}() supports socket.io ^4.6, and this server is older: npm install "socket.io@^4.6"`);
  }
  checkKind(engine !== undefined, call, 'an attached server', io, '; write new Server(httpServer)');
  checkOptions(call, options, ['name', 'closeTimeout', 'clock']);
  const { name = 'socket.io', closeTimeout = 2_000, clock = systemClock } = options;
  if (engine.clientsCount > 0) {
    const clients = engine.clientsCount === 1 ? '1 client' : `${engine.clientsCount} clients`;
    throw new TypeError(`${call}: the server has ${clients} already; call it before the server listens`);
  }
  const tracker = new TaskTracker({ name });
  const aborted = new CancellationToken({ name });
  const connections = new Map<Connection, TrackerGuard>();
  /** A WebSocket stays open after its connection has closed, until the client answers the close frame. */
  const sockets = new Map<IncomingMessage['socket'], TrackerGuard>();

  const track = <T extends Connection | IncomingMessage['socket']>(open: Map<T, TrackerGuard>, one: T): void => {
    if (open.has(one)) return;
    open.set(one, tracker.guard());
    one.once('close', () => release(open, one));
  };
  const release = <T>(open: Map<T, TrackerGuard>, one: T): void => {
    open.get(one)?.dispose();
    open.delete(one);
  };
  engine.on('connection', (connection: Connection) => {
    track(connections, connection);
    // Its handshake was in progress at `stop`.
    if (tracker.isClosed) connection.close();
  });
  engine.on('headers', (_: unknown, request: IncomingMessage) => {
    if (request.headers.upgrade !== undefined) track(sockets, request.socket);
  });

  const destroyAll = (): void => {
    for (const connection of connections.keys()) {
      connection.close(true);
      // A client that polls, and has no request open now, ends with its next request.
      release(connections, connection);
    }
    for (const socket of sockets.keys()) socket.destroy();
  };

  return connectionDrain({
    ...{ call, name, tracker, aborted, destroyAll },
    inFlightCount() {
      const others = [...connections.keys()].filter(({ transport }) => transport.name !== 'websocket');
      return sockets.size + others.length;
    },
    stop() {
      engine.use(refuseNewClients);
      for (const connection of connections.keys()) connection.close();
      const limit = CancellationToken.timeout(closeTimeout, { clock });
      limit.onCancelled(destroyAll);
      void tracker.wait().then(() => limit.dispose());
    },
  });
}

/** A middleware of Engine.IO. A request without a session id is a new client. */
function refuseNewClients(request: IncomingMessage, response: ServerResponse, next: () => void): void {
  if (new URL(request.url ?? '', 'http://localhost').searchParams.has('sid')) next();
  else if (request.headers.upgrade !== undefined) refuseUpgrade(request.socket);
  else response.writeHead(503, { 'Retry-After': '1', Connection: 'close' }).end();
}
