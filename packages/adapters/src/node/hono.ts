import { type CancellationToken, isCancellationOf } from '@quiesce/cancellation-token';
import type { DrainableServer, HealthHandler, HealthResponse, HttpDrain } from '@quiesce/http-drain';
import type { MiddlewareHandler } from 'hono';
import { AppDrain, type AppDrainOptions, endedStatus, STOPPING } from './app-drain.ts';
import { checkPeer } from './check-peer.ts';

export type { AppDrainOptions } from './app-drain.ts';

/** The part of Hono's environment that `honoDrain` sets: `new Hono<TokenEnv>()`. */
export interface TokenEnv {
  /** The variables of a request. */
  Variables: {
    /** Cancelled when the client has gone, and when the time for draining is over. */
    token: CancellationToken;
  };
}

/** The middleware of `honoDrain`, with the drain. */
export interface HonoDrain extends MiddlewareHandler<TokenEnv> {
  /** The drain of the server: its state, its report, and the token `draining`. */
  readonly httpDrain: HttpDrain;
}

/** The objects of Node that `@hono/node-server` passes. Absent in `app.request`. */
interface NodeBindings {
  readonly incoming?: object;
  readonly outgoing?: { readonly destroyed?: boolean };
}

/**
 * Creates the middleware that drains a Hono app on shutdown, with `@hono/node-server`.
 *
 * - On shutdown, the server is drained. Close the resources that its requests use in a `shutdown.hook`, which runs after that.
 * - `GET /ready` answers 200 while the app runs, and 503 from the announcement on. `GET /live` answers 200 in every state.
 * - `c.var.token` is cancelled when the client has gone, and at the deadline of the drain.
 * - A request that ends because of `c.var.token` is answered with 503 and `Retry-After`. The error handler of the app is called
 *   before, and its response is replaced.
 *
 * **Timing.** Synchronous. Call it before the server listens, and use the middleware before the routes.
 *
 * **Cancel safety.** `c.var.token` may be used after the response: it is then never cancelled. `app.request` has no connection.
 * Its requests have the token `shutdown.stopNow`.
 *
 * @param server the server of the app: `createAdaptorServer(app)` of `@hono/node-server`
 * @param options `shutdown`; `readyPath`, `livePath`; `name` and the limits of `new HttpDrain`
 * @throws TypeError when `server` is not such a server or has an HttpDrain already, `shutdown` is missing, an option is
 *   unknown or of the wrong kind, or Hono is not version 4; RangeError for a number out of range
 * @see Hono's `c.var`
 * @example
 * ```ts
 * import type { AddressInfo } from 'node:net';
 * import { createAdaptorServer } from '@hono/node-server';
 * import { Hono } from 'hono';
 *
 * const shutdown = new Shutdown();
 * const app = new Hono();
 * const server = createAdaptorServer(app);
 * const drain = honoDrain(server, { shutdown, idleGrace: 0 });
 * app.use(drain).get('/', (c) => c.text(`cancelled: ${c.var.token.isCancelled}`));
 * await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
 *
 * const { port } = server.address() as AddressInfo;
 * const response = await fetch(`http://127.0.0.1:${port}/`);
 * console.log(await response.text()); // => cancelled: false
 * shutdown.request('deploy');
 * console.log((await shutdown.stopped()).exitCode, drain.httpDrain.state); // => 0 drained
 * ```
 */
export function honoDrain(server: DrainableServer, options: AppDrainOptions): HonoDrain {
  checkPeer('honoDrain()', 'hono', [4]);
  const drain = new AppDrain('honoDrain', 'hono', server, options);
  const middleware: MiddlewareHandler<TokenEnv> = async (c, next) => {
    const check = drain.healthCheck(c.req.method, c.req.path);
    if (check !== undefined) return responseOf(check);
    const { incoming, outgoing } = Object(c.env) as NodeBindings;
    const token = drain.tokenOf(incoming, c.get('token'));
    c.set('token', token);
    let isEnded = false;
    try {
      await next();
      isEnded = c.error !== undefined && isCancellationOf(c.error, token);
    } catch (error) {
      // Hono passes errors to `onError`, and anything else on.
      if (!isCancellationOf(error, token)) throw error;
      isEnded = true;
    }
    if (!isEnded) return undefined;
    // Otherwise Hono would merge the headers of both responses.
    c.res = undefined;
    c.res = new Response(STOPPING, { status: endedStatus(outgoing), headers: { 'Retry-After': drain.retryAfter } });
    return undefined;
  };
  return Object.assign(middleware, { httpDrain: drain.httpDrain });
}

/** Returns what a handler of Node would send. `app.request` has no response of Node. */
function responseOf(check: HealthHandler): Response {
  const headers = new Headers();
  let text = '';
  const answer: HealthResponse = {
    statusCode: 200,
    setHeader: (name, value) => headers.set(name, value),
    end: (body) => {
      text = body;
    },
  };
  check(undefined, answer);
  return new Response(text, { status: answer.statusCode, headers });
}
