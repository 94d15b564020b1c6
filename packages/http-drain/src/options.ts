import type { Server as HttpServer, IncomingMessage, ServerResponse } from 'node:http';
import type { Http2SecureServer, Http2Server } from 'node:http2';
import type { Server as HttpsServer } from 'node:https';
import type { Duplex } from 'node:stream';
import { CancellationToken, type Clock, systemClock } from '@quiesce/cancellation-token';
import { checkFunction, checkNumber, checkOptions, checkTime, show } from '@quiesce/internal';
import { NetServer } from './node.ts';

/** A server that can be drained. Express, Fastify, Koa and Hono use one of these. */
export type DrainableServer = HttpServer | HttpsServer | Http2Server | Http2SecureServer;

/** An app with a server, such as Fastify's. */
export interface DrainableApp {
  /** Its server, or the first of several. */
  readonly server: DrainableServer;
}

/** Options for `new HttpDrain`. */
export interface HttpDrainOptions {
  /** The name in reports. Default: `http`. */
  readonly name?: string | undefined;
  /** Calls `announce()` when it is cancelled. */
  readonly signal?: CancellationToken | AbortSignal | undefined;
  /**
   * How many milliseconds, 0 to `Infinity`, a connection without a request in progress is kept after accepting has stopped.
   * Also how long an ended connection stays open when its client does not close its side. For HTTP/2, the time between the two
   * GOAWAYs. Default: 1,000.
   */
  readonly idleGrace?: number | undefined;
  /** How many milliseconds, 0 to `Infinity`, requests that are cancelled at the deadline may still respond. Default: 1,000. */
  readonly cleanupTimeout?: number | undefined;
  /** The value of `Retry-After`, in whole seconds from 0. Default: 1. */
  readonly retryAfter?: number | undefined;
  /**
   * Answers a new request on an open connection in place of the default 503. Status and headers are set, and can be changed.
   * It must end the response. Its error goes to the uncaught handler, and the default 503 is sent.
   */
  readonly refuse?: ((request: IncomingMessage, response: ServerResponse) => unknown) | undefined;
  /**
   * Called for each upgraded socket (WebSocket, CONNECT) when the listener has closed, to end it by its own protocol. The drain
   * waits until the socket is closed. By default the socket stays open until its client or the deadline ends it.
   */
  readonly upgraded?: ((socket: Duplex, request: IncomingMessage) => unknown) | undefined;
  /**
   * Whether the token of a request has the deadline that the headers of the request state, such as `quiesce-timeout-ms` and
   * `grpc-timeout`: see `extractDeadline` of `@quiesce/http-deadline`. `maxTimeout`, in milliseconds from 0, limits every
   * request, also one that states none. Upgraded sockets have no deadline. Default: false.
   */
  readonly deadline?: boolean | { readonly maxTimeout?: number | undefined } | undefined;
  /** The clock. Default: the clock of the platform. */
  readonly clock?: Clock | undefined;
}

/** The options with their defaults. */
export interface Settings {
  readonly name: string;
  readonly idleGrace: number;
  readonly cleanupTimeout: number;
  readonly retryAfter: number;
  readonly refuse: HttpDrainOptions['refuse'];
  readonly upgraded: HttpDrainOptions['upgraded'];
  /** The longest time of a request, in ms; `undefined`: its headers are not read. */
  readonly maxTimeout: number | undefined;
  readonly clock: Clock;
  readonly signal: CancellationToken | undefined;
}

const options: readonly (keyof HttpDrainOptions)[] = [
  ...([
    'name',
    'signal',
    'idleGrace',
    'cleanupTimeout',
    'retryAfter',
    'refuse',
    'upgraded',
    'deadline',
    'clock',
  ] as const),
];

/** @throws TypeError for an unknown option, and for one of the wrong kind; RangeError for a number out of range */
export function settingsOf(given: HttpDrainOptions): Settings {
  checkOptions('new HttpDrain', given, options);
  const { name = 'http', idleGrace = 1_000, cleanupTimeout = 1_000, retryAfter = 1, refuse, upgraded } = given;
  const { clock = systemClock, signal } = given;
  checkTime('new HttpDrain: idleGrace', idleGrace);
  checkTime('new HttpDrain: cleanupTimeout', cleanupTimeout);
  const isRetryAfter = Number.isSafeInteger(retryAfter) && retryAfter >= 0;
  checkNumber(isRetryAfter, 'new HttpDrain: retryAfter', 'whole seconds from 0', retryAfter);
  if (refuse !== undefined) checkFunction('new HttpDrain: refuse', refuse);
  if (upgraded !== undefined) checkFunction('new HttpDrain: upgraded', upgraded);
  const maxTimeout = maxTimeoutOf(given.deadline);
  const token = signal === undefined ? undefined : CancellationToken.from(signal, 'new HttpDrain: signal');
  return { name, idleGrace, cleanupTimeout, retryAfter, refuse, upgraded, maxTimeout, clock, signal: token };
}

function maxTimeoutOf(deadline: HttpDrainOptions['deadline'] = false): number | undefined {
  if (deadline === false) return undefined;
  if (deadline === true) return Number.POSITIVE_INFINITY;
  checkOptions('new HttpDrain: deadline', deadline, ['maxTimeout']);
  return deadline.maxTimeout ?? Number.POSITIVE_INFINITY;
}

/** @throws TypeError for a value that is no such server, and has none as `server` */
export function serverOf(given: unknown): DrainableServer {
  if (isServer(given)) return given;
  const { server } = (given ?? {}) as { readonly server?: unknown };
  if (isServer(server)) return server;
  throw new TypeError(
    `new HttpDrain: expected a server of node:http, node:https or node:http2, got ${show(given)}. Pass the result of ` +
      'createServer(); for Express and Koa the result of app.listen(), for Hono the result of serve(), for Fastify app.server ' +
      'or app',
  );
}

function isServer(value: unknown): value is DrainableServer {
  return value instanceof NetServer && ('requestTimeout' in value || 'updateSettings' in value);
}
