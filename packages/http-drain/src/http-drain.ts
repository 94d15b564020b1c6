import { CancellationToken } from '@quiesce/cancellation-token';
import { defineHandle, misused, show } from '@quiesce/internal';
import type { Drainable } from '@quiesce/scope';
import type { DrainSequence } from './drain-sequence.ts';
import { type HealthHandler, healthOf } from './health.ts';
import type { HttpDrainReport } from './report.ts';
import type { Phase } from './server-state.ts';

/** How far a drain has come: in this order, and never back. `closing` lasts as many turns of the event loop as the backlog needs. */
export type HttpDrainState = Phase;

/**
 * A server that can be brought to rest; made by `drain`.
 *
 * - `announce`: from now on each connection is asked to close with its last response. Everything is still served.
 * - `stop`: the backlog is accepted, the listener is closed, new requests on open connections get a 503; those that were
 *   received are served.
 * - `drain`: waits until the last connection is closed; at the deadline cancels the rest, and then destroys it.
 *
 * @see Go's http.Server.Shutdown, which neither answers on open connections nor tells those that stay
 * @example
 * ```ts
 * import { createServer } from 'node:http';
 *
 * const http = drain(createServer());
 * http.announce();
 * console.log(http.state); // => stopping
 * await http.drain(CancellationToken.never);
 * console.log(http.state); // => drained
 * ```
 */
export class HttpDrain implements Drainable {
  /** @internal See `defineHandle`. */
  static readonly completed: object = /* @__PURE__ */ defineHandle(HttpDrain, {
    name: 'http',
    owns: (value) => #sequence in value,
    unguarded: ['drain'],
    facts: ({ name, state, inFlight }) => ({ name, state, inFlight }),
  });
  readonly #sequence: DrainSequence;
  /** Whether new work is welcome: 200 in state `running`, else 503. A request handler that needs no `this`. */
  readonly readiness: HealthHandler;
  /** Whether the process is alive: 200 in every state. A request handler that needs no `this`. */
  readonly liveness: HealthHandler;

  /** @internal */
  constructor(sequence: DrainSequence) {
    const { state } = sequence;
    this.#sequence = sequence;
    this.readiness = healthOf(state, () => state.phase === 'running');
    this.liveness = healthOf(state, () => true);
  }

  /** How reports call it. */
  get name(): string {
    return this.#sequence.state.settings.name;
  }

  /** How far it has come. */
  get state(): HttpDrainState {
    return this.#sequence.state.phase;
  }

  /** How many requests, streams of HTTP/2, and upgraded sockets are open. */
  get inFlight(): number {
    return this.#sequence.exchanges.inFlight.size;
  }

  /** Whether one of its servers listens, or is about to. */
  get isAccepting(): boolean {
    return [...this.#sequence.listeners].some(({ isListening }) => isListening);
  }

  /** Names the requests, streams and upgraded sockets that are open, as `GET /path`, without the query. */
  get inFlightNames(): readonly string[] {
    return Array.from(this.#sequence.exchanges.inFlight, ({ label }) => label);
  }

  /**
   * Cancelled when the listener has closed: for responses with no end of their own, as server-sent events and long polls,
   * which end themselves then. Their client comes back elsewhere.
   */
  get draining(): CancellationToken {
    return this.#sequence.state.draining;
  }

  /**
   * The token of one request: cancelled when its client has gone before the end of the response, and at the deadline.
   *
   * **Timing.** Made when first asked for, and disposed with the end of the response.
   *
   * @param request the request as Node made it (Fastify's `request.raw`, Koa's `ctx.req`, Hono's `c.env.incoming`), of
   *   HTTP/2 also its stream
   * @throws TypeError when it is not a request of this server
   */
  tokenOf(request: object): CancellationToken {
    const exchange = this.#sequence.exchanges.find(request);
    if (exchange !== undefined) return exchange.token;
    throw new TypeError(
      `http.tokenOf: expected a request of the server that is drained, got ${show(request)}; pass the one that Node made, as ` +
        'request.raw of Fastify, ctx.req of Koa or c.env.incoming of Hono',
    );
  }

  /**
   * Stopping begins: readiness says no, and the last response on each connection gets `Connection: close`.
   *
   * **Timing.** Synchronous, idempotent. Connections are still accepted, and everything is served, until `stop`.
   */
  announce(): void {
    this.#sequence.announce();
  }

  /**
   * Accepting ends. Requests that were received, pipelined ones included, are served.
   *
   * **Timing.** Synchronous, idempotent. Turns of the event loop accept what the system's backlog holds, one connection
   * each on a current Node, 511 at most; its end is found by a connection to ourselves, which no listener sees. Then the
   * listener closes. From then on a new request gets a 503 with `Retry-After`, and HTTP/2 a GOAWAY.
   */
  stop(): void {
    this.#sequence.stop();
  }

  /**
   * Waits until every connection is closed; stops first if nobody has.
   *
   * At the deadline the tokens of the requests that are left are cancelled; what has not ended after `cancelGrace` is
   * destroyed, and named in the report.
   *
   * @param token the deadline: a token or an `AbortSignal`
   * @throws (rejects) the token's reason, when it was cancelled before; all connections are closed then too; TypeError when
   *   it is neither
   */
  async drain(token: CancellationToken | AbortSignal): Promise<void> {
    if (typeof this !== 'object' || !(#sequence in this)) throw misused(HttpDrain.prototype, 'http', 'drain', this);
    await this.#sequence.drain(CancellationToken.from(token, 'http.drain'));
  }

  /** What came of the requests since stopping began. */
  report(): HttpDrainReport {
    const { tally } = this.#sequence.state;
    return { ...tally, cutOff: [...tally.cutOff] };
  }
}
