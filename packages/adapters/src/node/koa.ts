import { type CancellationToken, isCancellationOf } from '@quiesce/cancellation-token';
import type { DrainableServer, HttpDrain } from '@quiesce/http-drain';
import type { Context, Middleware } from 'koa';
import { AppDrain, type AppDrainOptions, endedStatus, removeBodyHeaders, STOPPING } from './app-drain.ts';
import { checkPeer } from './check-peer.ts';

export type { AppDrainOptions } from './app-drain.ts';

declare module 'koa' {
  interface DefaultState {
    /** Cancelled when the client has gone, and when the time for draining is over. */
    readonly token: CancellationToken;
  }
}

/** The middleware of `koaDrain`, with the drain. */
export interface KoaDrain extends Middleware {
  /** The drain of the server: its state, its report, and the token `draining`. */
  readonly httpDrain: HttpDrain;
}

/**
 * Creates the middleware that drains a Koa app on shutdown.
 *
 * - On shutdown, the server is drained. Close the resources that its requests use in a `shutdown.hook`, which runs after that.
 * - `GET /ready` answers 200 while the app runs, and 503 from the announcement on. `GET /live` answers 200 in every state.
 * - `ctx.state.token` is cancelled when the client has gone, and at the deadline of the drain.
 * - A request that ends because of `ctx.state.token` is answered with 503 and `Retry-After`.
 *
 * **Timing.** Synchronous. Call it before the server listens, and use the middleware first. Koa copies its middleware in
 * `app.callback()`, so call that last: `server.on('request', app.callback())`.
 *
 * **Cancel safety.** `ctx.state.token` may be used after the response: it is then never cancelled. A request of another server,
 * as in tests, has the token `shutdown.stopNow`.
 *
 * @param server the server of the app: `createServer()` of `node:http`, `node:https` or `node:http2`
 * @param options `shutdown`; `readyPath`, `livePath`; `name` and the limits of `new HttpDrain`
 * @throws TypeError when `server` is not such a server or has an HttpDrain already, `shutdown` is missing, an option is
 *   unknown or of the wrong kind, or Koa is not version 3; RangeError for a number out of range
 * @see Koa's `ctx.state`
 * @example
 * ```ts
 * import { createServer } from 'node:http';
 * import type { AddressInfo } from 'node:net';
 * import Koa from 'koa';
 *
 * const shutdown = new Shutdown();
 * const app = new Koa();
 * const server = createServer();
 * const drain = koaDrain(server, { shutdown, idleGrace: 0 });
 * app.use(drain);
 * app.use((ctx) => void (ctx.body = `cancelled: ${ctx.state.token.isCancelled}`));
 * server.on('request', app.callback());
 * await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
 *
 * const { port } = server.address() as AddressInfo;
 * const response = await fetch(`http://127.0.0.1:${port}/`);
 * console.log(await response.text()); // => cancelled: false
 * shutdown.request('deploy');
 * console.log((await shutdown.stopped()).exitCode, drain.httpDrain.state); // => 0 drained
 * ```
 */
export function koaDrain(server: DrainableServer, options: AppDrainOptions): KoaDrain {
  checkPeer('koaDrain()', 'koa', [3]);
  const drain = new AppDrain('koaDrain', 'koa', server, options);
  const middleware = async (ctx: Context, next: () => Promise<unknown>): Promise<void> => {
    const check = drain.healthCheck(ctx.method, ctx.path);
    if (check !== undefined) {
      ctx.respond = false;
      return check(ctx.req, ctx.res);
    }
    const token = drain.tokenOf(ctx.req, ctx.state.token);
    Object.assign(ctx.state, { token });
    try {
      await next();
    } catch (error) {
      if (!isCancellationOf(error, token)) throw error;
      // Koa would leave a response without an end.
      if (ctx.headerSent && !ctx.res.writableEnded) ctx.res.destroy();
      if (!ctx.headerSent) {
        removeBodyHeaders(ctx.res);
        // The handler may have taken over the response with `false`.
        ctx.respond = true;
        ctx.status = endedStatus(ctx.res);
        ctx.set('Retry-After', drain.retryAfter);
        ctx.body = STOPPING;
      }
    }
  };
  return Object.assign(middleware, { httpDrain: drain.httpDrain });
}
