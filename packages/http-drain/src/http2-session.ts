import type { Http2Session, Http2Stream, IncomingHttpHeaders } from 'node:http2';
import type { Socket } from 'node:net';
import type { Exchanges } from './exchange.ts';
import type { ServerState } from './server-state.ts';
import type { Sockets } from './sockets.ts';

/** The first GOAWAY names the highest possible stream, so that no stream on its way is refused (RFC 9113, 6.8). */
const LAST_STREAM = 2 ** 31 - 1;
const NO_ERROR = 0;

/** The sessions of HTTP/2 of a server. */
export class Http2Sessions {
  readonly #state: ServerState;
  readonly #sockets: Sockets;
  readonly #exchanges: Exchanges;
  readonly #sessions: Set<Http2Session> = new Set();

  constructor(state: ServerState, sockets: Sockets, exchanges: Exchanges) {
    this.#state = state;
    this.#sockets = sockets;
    this.#exchanges = exchanges;
  }

  /** Adds a session that was opened. */
  open(session: Http2Session): void {
    // In addition to the guard of its socket, which may have been accepted before the server was drained.
    const guard = this.#sockets.tracker.guard();
    this.#sessions.add(session);
    session.once('close', () => {
      this.#sessions.delete(session);
      guard.dispose();
    });
    if (this.#state.isRefusing) this.#sendGoaway(session);
  }

  /** Adds a stream that the client has opened. */
  openStream(stream: Http2Stream, headers: IncomingHttpHeaders): void {
    const { session } = stream;
    if (session !== undefined && !this.#sessions.has(session)) this.open(session);
    const path = headers[':path'];
    const url = path === undefined ? '?' : String(path);
    const method = String(headers[':method']);
    const exchange = this.#exchanges.open([stream], stream, method, url, method === 'CONNECT' ? undefined : headers);
    stream.once('close', () => {
      // RST_STREAM with NO_ERROR means that the response was complete before the request was (RFC 9113, 8.1). A session that
      // is destroyed sends NO_ERROR too.
      const isWhole = stream.rstCode === NO_ERROR && !stream.aborted && !this.#state.isDestroying;
      exchange.end(isWhole ? 'completed' : 'disconnected');
    });
  }

  /** Sends GOAWAY to each client, which then opens no more streams. */
  sendGoaway(): void {
    for (const session of this.#sessions) this.#sendGoaway(session);
  }

  /** Refuses new streams one `idleGrace` later, and then ends with the last stream. */
  #sendGoaway(session: Http2Session): void {
    const { clock, idleGrace } = this.#state.settings;
    if (session.closed || session.destroyed) return;
    session.goaway(NO_ERROR, LAST_STREAM);
    const timer = clock.setTimer(idleGrace, () => session.close(), { ref: true });
    session.once('close', () => clock.clearTimer(timer));
  }

  destroyAll(): void {
    for (const session of this.#sessions) session.destroy();
  }

  /** Destroys a socket whose client does not close it within `idleGrace` after our end, as for HTTP/1. */
  limitHalfClose(socket: Socket): void {
    socket.once('finish', () => {
      if (!this.#state.isRefusing || socket.destroyed) return;
      const { clock, idleGrace } = this.#state.settings;
      const timer = clock.setTimer(idleGrace, () => socket.destroy(), { ref: true });
      socket.once('close', () => clock.clearTimer(timer));
    });
  }
}
