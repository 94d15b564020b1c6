import { type CancellationToken, isCancellationOf } from '@quiesce/cancellation-token';
import type { DrainableServer, HttpDrain } from '@quiesce/http-drain';
import type { ErrorRequestHandler, RequestHandler } from 'express';
import { AppDrain, type AppDrainOptions, endedStatus, removeBodyHeaders, STOPPING } from './app-drain.ts';
import { checkPeer } from './check-peer.ts';

export type { AppDrainOptions } from './app-drain.ts';

declare global {
  // biome-ignore lint/style/noNamespace: the types of Express are merged there.
  namespace Express {
    interface Request {
      /** Cancelled when the client has gone, and when the time for draining is over. */
      readonly token: CancellationToken;
    }
  }
}

/** The middleware of `expressDrain`, with the drain and the error handler. */
export interface ExpressDrain extends RequestHandler {
  /** Answers requests that ended because of `req.token` with 503. Use it after the routes, before other error handlers. */
  readonly errorHandler: ErrorRequestHandler;
  /** The drain of the server: its state, its report, and the token `draining`. */
  readonly httpDrain: HttpDrain;
}

/**
 * Creates the middleware that drains an Express app on shutdown.
 *
 * - On shutdown, the server is drained. Close the resources that its requests use in a `shutdown.hook`, which runs after that.
 * - `GET /ready` answers 200 while the app runs, and 503 from the announcement on. `GET /live` answers 200 in every state.
 * - `req.token` is cancelled when the client has gone, and at the deadline of the drain.
 * - `errorHandler` answers a request that ended because of `req.token` with 503 and `Retry-After`.
 *
 * **Timing.** Synchronous. Call it before the server listens, and use the middleware before the routes.
 *
 * **Cancel safety.** `req.token` may be used after the response: it is then never cancelled. A request of another server, as in
 * tests, has the token `shutdown.stopNow`.
 *
 * @param server the server of the app: `createServer(app)` of `node:http`, `node:https` or `node:http2`
 * @param options `shutdown`; `readyPath`, `livePath`; `name` and the limits of `new HttpDrain`
 * @throws TypeError when `server` is not such a server or has an HttpDrain already, `shutdown` is missing, an option is
 *   unknown or of the wrong kind, or Express is not version 5; RangeError for a number out of range
 * @see Express' guide "Health checks and graceful shutdown"
 * @example
 * ```ts
 * import { createServer } from 'node:http';
 * import type { AddressInfo } from 'node:net';
 * import express from 'express';
 *
 * const shutdown = new Shutdown();
 * const app = express();
 * const server = createServer(app);
 * const drain = expressDrain(server, { shutdown, idleGrace: 0 });
 * app.use(drain);
 * app.get('/', (req, res) => void res.send(`cancelled: ${req.token.isCancelled}`));
 * app.use(drain.errorHandler);
 * await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
 *
 * const { port } = server.address() as AddressInfo;
 * const response = await fetch(`http://127.0.0.1:${port}/`);
 * console.log(await response.text()); // => cancelled: false
 * shutdown.request('deploy');
 * console.log((await shutdown.stopped()).exitCode, drain.httpDrain.state); // => 0 drained
 * ```
 */
export function expressDrain(server: DrainableServer, options: AppDrainOptions): ExpressDrain {
  checkPeer('expressDrain()', 'express', [5]);
  const drain = new AppDrain('expressDrain', 'express', server, options);
  const middleware: RequestHandler = (req, res, next) => {
    const check = drain.healthCheck(req.method, req.path);
    if (check !== undefined) return check(req, res);
    Object.assign(req, { token: drain.tokenOf(req, req.token) });
    next();
  };
  const errorHandler: ErrorRequestHandler = (error, req, res, next) => {
    // Not `req.token`: an error may come from a middleware before ours, and other packages set that property.
    if (res.headersSent || !isCancellationOf(error, drain.tokenOf(req))) return next(error);
    removeBodyHeaders(res);
    res.status(endedStatus(res)).set('Retry-After', drain.retryAfter).type('text').send(STOPPING);
  };
  return Object.assign(middleware, { errorHandler, httpDrain: drain.httpDrain });
}
