import type { Server as HttpServer, IncomingMessage, ServerResponse } from 'node:http';
import type { Http2SecureServer, Http2Server } from 'node:http2';
import type { Server as HttpsServer } from 'node:https';
import type { Duplex } from 'node:stream';
import { CancellationToken, type Clock, systemClock } from '@quiesce/cancellation-token';
import { checkFunction, checkOptions, checkTime, show } from '@quiesce/internal';

/** A server that can be drained; Express, Fastify, Koa and Hono have one of these inside. */
export type DrainableServer = HttpServer | HttpsServer | Http2Server | Http2SecureServer;

/** An app that has made its server, as Fastify's. */
export interface DrainableApp {
  /** Its server, or the first of several. */
  readonly server: DrainableServer;
}

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
  readonly stopping: CancellationToken | undefined;
}

const options: readonly (keyof HttpDrainOptions)[] = [
  ...(['name', 'stopping', 'idleGrace', 'cancelGrace', 'retryAfter', 'refuse', 'upgraded', 'clock'] as const),
];

/** @throws RangeError for a bad time; TypeError for an unknown option, and for one of the wrong kind */
export function settingsOf(given: HttpDrainOptions): Settings {
  checkOptions('drain', given, options);
  const { name = 'http', idleGrace = 1_000, cancelGrace = 1_000, retryAfter = 1, refuse, upgraded } = given;
  const { clock = systemClock, stopping } = given;
  checkTime('drain: idleGrace', idleGrace);
  checkTime('drain: cancelGrace', cancelGrace);
  if (!Number.isSafeInteger(retryAfter) || retryAfter < 0) {
    throw new RangeError(`drain: retryAfter must be whole seconds from 0, got ${show(retryAfter)}`);
  }
  if (refuse !== undefined) checkFunction('drain: refuse', refuse);
  if (upgraded !== undefined) checkFunction('drain: upgraded', upgraded);
  const from = stopping === undefined ? undefined : CancellationToken.from(stopping, 'drain: stopping');
  return { name, idleGrace, cancelGrace, retryAfter, refuse, upgraded, clock, stopping: from };
}
