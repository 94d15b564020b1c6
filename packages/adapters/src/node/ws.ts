import { CancellationToken, type Clock, reportUncaught, systemClock } from '@quiesce/cancellation-token';
import { checkFunction, checkKind, checkNumber, checkOptions, show } from '@quiesce/internal';
import { type Drainable, TaskTracker } from '@quiesce/scope';
import type { WebSocket, WebSocketServer } from 'ws';
import { checkPeer } from './check-peer.ts';
import { connectionDrain } from './connection-drain.ts';
import { refuseUpgrade } from './refuse-upgrade.ts';

/** Options for `drainableWebSockets`. */
export interface DrainableWebSocketsOptions {
  /** The name in reports. Default: `websockets`. */
  readonly name?: string | undefined;
  /**
   * The code of the close frame: 1000 to 1003, 1007 to 1014 or 3000 to 4999. Default: 1001 (going away), after which a client
   * reconnects at once. 1012 (service restart) asks it to wait for 5 to 30 seconds.
   */
  readonly code?: number | undefined;
  /** The text of the close frame, at most 123 bytes. Default: empty. */
  readonly reason?: string | undefined;
  /**
   * Called for each client before its close frame is sent, to finish replies in progress or to send a last message. The close
   * frame follows when the returned promise settles. The token is cancelled by `abort`.
   */
  readonly beforeClose?: ((socket: WebSocket, token: CancellationToken) => unknown) | undefined;
  /**
   * How many milliseconds, 0 to `Infinity`, a client has to answer the close frame before its connection is destroyed.
   * Default: 2,000.
   */
  readonly closeTimeout?: number | undefined;
  /** The clock. Default: the clock of the platform. */
  readonly clock?: Clock | undefined;
}

const known = ['name', 'code', 'reason', 'beforeClose', 'closeTimeout', 'clock'] as const;

/**
 * Returns the drain of a `WebSocketServer`. On shutdown it sends a close frame to every client and refuses new clients, so that
 * open WebSockets do not hold the drain of their HTTP server until its deadline.
 *
 * Add it to a shutdown next to the `HttpDrain` of the same server.
 *
 * **Timing.** `stop` is synchronous: every client without a `beforeClose` has its close frame when it returns. From then on
 * each upgrade gets a 503 with `Retry-After`, and a handshake in progress is closed when it ends. `drain` fulfils when all
 * sockets are closed, and then closes the server, which stops listening at once if it has its own port.
 *
 * **Cancel safety.** When the signal of `drain` is cancelled, and on `abort`, the remaining connections are destroyed.
 *
 * @param server the server, in any of its modes: `server`, `noServer` or `port`
 * @param options `code`, `reason`, `beforeClose`, `closeTimeout` in ms, `name`, `clock`
 * @returns the drain, for `shutdown.add`
 * @throws TypeError when `server` is not a `WebSocketServer` that tracks its clients, the installed `ws` is not version
 *   8, or an option is unknown or of the wrong kind; RangeError for a number out of range, and for a `reason` that is too
 *   long
 * @see `WebSocketServer.close` (ws 8), which sends no close frame and leaves clients connected
 * @example
 * ```ts
 * import { WebSocketServer } from 'ws';
 *
 * const server = new WebSocketServer({ noServer: true });
 * const shutdown = new Shutdown();
 * shutdown.add(drainableWebSockets(server, { reason: 'deploy' }));
 * shutdown.request();
 * console.log((await shutdown.stopped()).exitCode); // => 0
 * ```
 */
export function drainableWebSockets(server: WebSocketServer, options: DrainableWebSocketsOptions = {}): Drainable {
  checkPeer('drainableWebSockets()', 'ws', [8]);
  const call = 'drainableWebSockets';
  checkKind(typeof server?.handleUpgrade === 'function', call, 'a WebSocketServer', server);
  const isTracking = server.clients instanceof Set;
  checkKind(isTracking, call, 'a server that tracks its clients', server, '; remove clientTracking: false');
  checkOptions(call, options, known);
  const { name = 'websockets', code = 1001, reason = '', beforeClose, closeTimeout = 2_000 } = options;
  const { clock = systemClock } = options;
  checkNumber(isCloseCode(code), `${call}: code`, '1000 to 1003, 1007 to 1014 or 3000 to 4999', code);
  checkKind(typeof reason === 'string', `${call}: reason`, 'a string', reason);
  if (Buffer.byteLength(reason) > 123) {
    throw new RangeError(`${call}: reason must have at most 123 bytes, got ${show(reason)}`);
  }
  if (beforeClose !== undefined) checkFunction(`${call}: beforeClose`, beforeClose);

  const tracker = new TaskTracker({ name });
  const aborted = new CancellationToken({ name });
  const hasOwnPort = server.options.port != null;

  const close = async (socket: WebSocket): Promise<void> => {
    const guard = tracker.guard();
    socket.once('close', () => guard.dispose());
    if (beforeClose !== undefined) {
      try {
        await beforeClose(socket, aborted);
      } catch (error) {
        reportUncaught(error);
      }
    }
    socket.close(code, reason);
    if (socket.readyState === socket.CLOSED) return;
    const limit = CancellationToken.timeout(closeTimeout, { clock });
    limit.onCancelled(() => socket.terminate());
    socket.once('close', () => limit.dispose());
  };

  return connectionDrain({
    ...{ call, name, tracker, aborted },
    inFlightCount: () => server.clients.size,
    stop() {
      server.handleUpgrade = (_request, socket) => refuseUpgrade(socket);
      // A handshake that waits for `verifyClient` ends later.
      server.on('connection', (socket) => void close(socket));
      for (const socket of server.clients) void close(socket);
      if (hasOwnPort) server.close();
    },
    destroyAll() {
      for (const socket of server.clients) socket.terminate();
    },
    ended() {
      if (!hasOwnPort) server.close();
    },
  });
}

/** 1004 to 1006 are reserved: no frame may carry them. */
function isCloseCode(code: unknown): boolean {
  if (!Number.isInteger(code)) return false;
  const number = code as number;
  return (
    (number >= 1000 && number <= 1014 && ![1004, 1005, 1006].includes(number)) || (number >= 3000 && number <= 4999)
  );
}
