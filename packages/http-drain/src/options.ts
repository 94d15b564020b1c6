import type { Server as HttpServer, IncomingMessage, ServerResponse } from 'node:http';
import type { Http2SecureServer, Http2Server } from 'node:http2';
import type { Server as HttpsServer } from 'node:https';
import type { Duplex } from 'node:stream';
import type { CancellationToken, Clock } from '@quiesce/cancellation-token';
import { checkFunction, checkTime } from '@quiesce/internal';

/** What can be drained; Express, Fastify, Koa and Hono have one of these inside. */
export type DrainableServer = HttpServer | HttpsServer | Http2Server | Http2SecureServer;

/** How a server is drained. */
export interface HttpDrainOptions {
  /** How reports call it; default: `http`. */
  readonly name?: string | undefined;
  /** Cancelling it does what `announce()` does. */
  readonly stopping?: CancellationToken | AbortSignal | undefined;
  /**
   * How many milliseconds, 0 to `Infinity`, a connection without a request in progress is kept after accepting has
   * stopped; also how long a connection that we have ended is listened to. HTTP/2: the time between the two GOAWAYs.
   * Default: 1,000.
   */
  readonly idleGrace?: number | undefined;
  /** How many milliseconds, 0 to `Infinity`, cancelled requests may still answer at the deadline. Default: 1,000. */
  readonly cancelGrace?: number | undefined;
  /** What `Retry-After` says, in whole seconds from 0. Default: 1. */
  readonly retryAfter?: number | undefined;
  /**
   * Answers a new request on an open connection in place of the 503: status and headers are set, and can be changed.
   * It must end the response. What it fails with goes to the uncaught handler, and the 503 is sent.
   */
  readonly refuse?: ((request: IncomingMessage, response: ServerResponse) => unknown) | undefined;
  /**
   * Called for each upgraded socket (WebSocket, CONNECT) when the listener has closed, to end it by its own protocol.
   * The drain waits until the socket is closed. Default: nothing; the socket lasts until its client or the deadline ends it.
   */
  readonly upgraded?: ((socket: Duplex, request: IncomingMessage) => unknown) | undefined;
  /** Where time comes from; default: the platform's. */
  readonly clock?: Clock | undefined;
}

/** The options with their defaults. */
export interface Settings {
  readonly name: string;
  readonly idleGrace: number;
  readonly cancelGrace: number;
  readonly retryAfter: number;
  readonly refuse: HttpDrainOptions['refuse'];
  readonly upgraded: HttpDrainOptions['upgraded'];
  readonly clock: Clock;
}

/** @throws RangeError for a bad time; TypeError for what should be a function */
export function settingsOf(options: HttpDrainOptions, clock: Clock): Settings {
  const { name = 'http', idleGrace = 1_000, cancelGrace = 1_000, retryAfter = 1, refuse, upgraded } = options;
  checkTime('drain: idleGrace', idleGrace);
  checkTime('drain: cancelGrace', cancelGrace);
  if (!Number.isSafeInteger(retryAfter) || retryAfter < 0) {
    throw new RangeError(`drain: retryAfter must be whole seconds from 0, got ${String(retryAfter)}`);
  }
  if (refuse !== undefined) checkFunction('drain: refuse', refuse);
  if (upgraded !== undefined) checkFunction('drain: upgraded', upgraded);
  return { name, idleGrace, cancelGrace, retryAfter, refuse, upgraded, clock };
}
