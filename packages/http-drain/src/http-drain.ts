import { CancellationToken } from '@quiesce/cancellation-token';
import { defineHandle, misused, show } from '@quiesce/internal';
import type { Drainable } from '@quiesce/scope';
import { DrainSequence } from './drain-sequence.ts';
import { type HealthHandler, healthOf } from './health.ts';
import { interceptEvents } from './intercept-events.ts';
import { type DrainableApp, type DrainableServer, type HttpDrainOptions, serverOf, settingsOf } from './options.ts';
import type { HttpDrainReport } from './report.ts';
import type { Phase } from './server-state.ts';
import { drained, followSiblings } from './siblings.ts';

/**
 * The states of a drain, in this order and never back. `closing` takes one iteration of the event loop for each connection of
 * the backlog, 511 at most.
 */
export type HttpDrainState = Phase;

/**
 * The drain of a server of `node:http`, `node:https` or `node:http2`, which stops it without cutting off requests. A server has
 * one HttpDrain: the constructor refuses a second.
 *
 * Use it for servers with keep-alive connections, load balancers or upgrades. For a server that may drop its idle connections at
 * once, Node's `server.close()` is enough. In a service, pass it to `shutdown.add`.
 *
 * - `announce`: the last response on each connection gets `Connection: close`. Every request is still served.
 * - `stop`: the backlog is accepted, the listener is closed, and new requests on open connections get a 503. Requests that
 *   were received are served.
 * - `drain`: waits until the last connection is closed.
 * - `abort`, and the deadline of `drain`: cancels the remaining requests, and then destroys their connections.
 *
 * @see Go's http.Server.Shutdown, which neither answers new requests on open connections nor notifies their clients
 * @example
 * ```ts
 * import { createServer } from 'node:http';
 *
 * const server = createServer((_, response) => response.end('hello'));
 * const http = new HttpDrain(server, { name: 'api' });
 * await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
 *
 * http.announce();
 * console.log(http.state); // => stopping
 * await http.drain(CancellationToken.timeout(10_000));
 * console.log(http.state, http.report().destroyed.length); // => drained 0
 * ```
 */
export class HttpDrain implements Drainable {
  /** @internal See `defineHandle`. */
  static readonly completed: object = /* @__PURE__ */ defineHandle(HttpDrain, {
    name: 'http',
    owns: (value) => #sequence in value,
    unguarded: ['drain'],
    facts: ({ name, state, inFlightCount }) => ({ name, state, inFlightCount }),
  });
  readonly #sequence: DrainSequence;
  /** Answers a readiness check: 200 in state `running`, otherwise 503. A request handler that needs no `this`. */
  readonly readiness: HealthHandler;
  /** Answers a liveness check: 200 in every state. A request handler that needs no `this`. */
  readonly liveness: HealthHandler;

  /**
   * Makes a server drainable. It changes no response until `announce` or `stop`.
   *
   * Fastify opens several servers when its host has several addresses, as its default `localhost` often has. All of them are
   * drained, whether you pass the app or `app.server`.
   *
   * **Timing.** Synchronous. Call it before the server listens: a connection that was accepted before is known only from its
   * next request on.
   *
   * @param server the server, or an app that has it as `server`: for Express and Koa the result of `listen`, for Fastify the
   *   app, for Hono the result of `serve`
   * @param options `name`; `signal`, which announces; times in ms; `refuse`, which answers new requests; `upgraded`, which ends
   *   upgraded sockets; `deadline`, which gives requests the deadline of their headers
   * @throws TypeError when `server` is not such a server, or has an HttpDrain already, or an option is unknown or of the
   *   wrong kind; RangeError for a number out of range. The server is then unchanged
   */
  constructor(server: DrainableServer | DrainableApp, options: HttpDrainOptions = {}) {
    const found = serverOf(server);
    if (drained.has(found)) throw new TypeError('new HttpDrain: this server has an HttpDrain already; use that one');
    const sequence = new DrainSequence(settingsOf(options));
    drained.add(found);
    interceptEvents(sequence, found);
    followSiblings(sequence, found);
    const { state } = sequence;
    const following = state.settings.signal?.onCancelled(() => sequence.announce());
    void sequence.sockets.tracker.wait().then(() => following?.dispose());
    this.#sequence = sequence;
    this.readiness = healthOf(state, () => state.phase === 'running');
    this.liveness = healthOf(state, () => true);
  }

  /** Its name in reports. */
  get name(): string {
    return this.#sequence.state.settings.name;
  }

  /** The current state. */
  get state(): HttpDrainState {
    return this.#sequence.state.phase;
  }

  /** How many requests, streams of HTTP/2 and upgraded sockets are open. */
  get inFlightCount(): number {
    return this.#sequence.exchanges.inFlight.size;
  }

  /** Whether one of its servers listens, or has yet to listen. */
  get isAccepting(): boolean {
    return [...this.#sequence.listeners].some(({ isListening }) => isListening);
  }

  /** Names the requests, streams and upgraded sockets that are open, as `GET /path`, without the query. */
  get inFlightNames(): readonly string[] {
    return Array.from(this.#sequence.exchanges.inFlight, ({ label }) => label);
  }

  /**
   * Cancelled when the listener has closed. Use it to end responses that have no natural end, such as server-sent events and
   * long polls. Their clients then connect to another instance.
   */
  get draining(): CancellationToken {
    return this.#sequence.state.draining;
  }

  /**
   * Returns the token of one request, which is cancelled when its client disconnects before the end of the response, at the
   * deadline of `drain`, and by `abort`. With the option `deadline`, it also has the deadline of the request, which counts from
   * its arrival.
   *
   * **Timing.** Created by the first call, and disposed at the end of the response.
   *
   * @param request the request object of Node (Fastify's `request.raw`, Koa's `ctx.req`, Hono's `c.env.incoming`); for HTTP/2
   *   also its stream
   * @throws TypeError when it is not a request of this server
   */
  tokenOf(request: object): CancellationToken {
    const exchange = this.#sequence.exchanges.find(request);
    if (exchange !== undefined) return exchange.token;
    throw new TypeError(
      `http.tokenOf: expected a request of the server that is drained, got ${show(request)}; pass the request of Node, such as ` +
        'request.raw of Fastify, ctx.req of Koa or c.env.incoming of Hono',
    );
  }

  /**
   * Begins to stop: readiness answers 503, and the last response on each connection gets `Connection: close`.
   *
   * **Timing.** Synchronous and idempotent. Connections are still accepted, and every request is served, until `stop`.
   */
  announce(): void {
    this.#sequence.announce();
  }

  /**
   * Ends accepting. Requests that were received, including pipelined ones, are served.
   *
   * **Timing.** Synchronous and idempotent. The next iterations of the event loop accept the system's backlog: one connection
   * each on a current Node, 511 at most. The drain marks the end of the backlog with a connection of its own, which your
   * listeners do not see. Then the listener closes. From then on a new request gets a 503 with `Retry-After`, and sessions of
   * HTTP/2 get a GOAWAY.
   */
  stop(): void {
    this.#sequence.stop();
  }

  /**
   * Waits until every connection is closed. Calls `stop` first.
   *
   * When `signal` is cancelled, the remaining requests are cancelled, as by `abort`.
   *
   * **Cancel safety.** You can call it any number of times. The first signal that is cancelled is the deadline of all calls. Each
   * call rejects only with the reason of its own signal.
   *
   * @param signal the deadline: a token or an `AbortSignal`
   * @throws (rejects) the reason of the signal, when the deadline cancelled requests. All connections are closed then, too.
   *   TypeError when `signal` is neither a token nor an `AbortSignal`
   */
  async drain(signal: CancellationToken | AbortSignal): Promise<void> {
    if (typeof this !== 'object' || !(#sequence in this)) throw misused(HttpDrain.prototype, 'http', 'drain', this);
    await this.#sequence.drain(CancellationToken.from(signal, 'http.drain'));
  }

  /**
   * Cancels the tokens of the remaining requests. Calls `stop` first.
   *
   * Requests that have not ended after `cleanupTimeout` are destroyed, and named in the report. `drain` continues, and fulfils
   * when all connections are closed.
   *
   * **Timing.** Synchronous and idempotent. The tokens are cancelled when it returns.
   *
   * @param reason the reason of those tokens
   */
  abort(reason: unknown): void {
    void this.#sequence.abort(reason);
  }

  /** Returns the counts of requests since stopping began. */
  report(): HttpDrainReport {
    const { tally } = this.#sequence.state;
    return { ...tally, destroyed: [...tally.destroyed] };
  }
}
