import { type CancellationToken, isCancellationOf } from '@quiesce/cancellation-token';
import type { HttpDrain } from '@quiesce/http-drain';
import type { FastifyInstance, FastifyRequest, RawServerBase } from 'fastify';
import { AppDrain, type AppDrainOptions, endedStatus } from './app-drain.ts';
import { checkPeer } from './check-peer.ts';

export type { AppDrainOptions } from './app-drain.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Cancelled when the client has gone, and when the time for draining is over. */
    readonly token: CancellationToken;
  }
  interface FastifyInstance {
    /** The drain of the app: its state, its report, and the token `draining`. */
    readonly httpDrain: HttpDrain;
  }
}

/**
 * Drains a Fastify app on shutdown. Register it as a plugin.
 *
 * - On shutdown, every server of the app is drained. `app.close()` runs after that, in the phase `cleanup`, so the `onClose` hooks
 *   of plugins close what no request uses any more.
 * - `GET /ready` answers 200 while the app runs, and 503 from the announcement on. `GET /live` answers 200 in every state.
 * - `request.token` is cancelled when the client has gone, and at the deadline of the drain.
 * - A handler that ends because of `request.token` is answered with 503 and `Retry-After`, in the format of the app's error
 *   handler.
 *
 * **Timing.** Register it before `listen`. Every route of the app has the token, also one that was added before.
 *
 * **Cancel safety.** `request.token` may be used after the response: it is then never cancelled. `app.inject` has no connection.
 * Its requests have the token `shutdown.stopNow`.
 *
 * @throws (rejects `register`, `ready` and `listen`) TypeError when `shutdown` is missing, an option is unknown or of the
 *   wrong kind, or Fastify is not version 5; RangeError for a number out of range. HookError when the shutdown has a hook
 *   of that name: give each app a `name`
 * @see Fastify's `onClose` hook
 * @example
 * ```ts
 * import Fastify from 'fastify';
 *
 * const shutdown = new Shutdown();
 * const app = Fastify();
 * app.register(fastifyDrain, { shutdown });
 * app.get('/', async ({ token }) => `cancelled: ${token.isCancelled}`);
 * app.addHook('onClose', () => console.log('closed'));
 *
 * console.log((await app.inject('/')).body, (await app.inject('/ready')).statusCode); // => cancelled: false 200
 * shutdown.request('deploy');
 * const { exitCode } = await shutdown.stopped(); // => closed
 * console.log(exitCode); // => 0
 * ```
 */
export async function fastifyDrain<Server extends RawServerBase>(
  app: FastifyInstance<Server>,
  options: AppDrainOptions,
): Promise<void> {
  checkPeer('fastifyDrain()', 'fastify', [5]);
  const drain = new AppDrain('fastifyDrain', 'fastify', app, options, { prefix: app.prefix, close: () => app.close() });
  const { httpDrain } = drain;
  app.decorate('httpDrain', httpDrain);
  app.decorateRequest('token', {
    getter(this: FastifyRequest) {
      return drain.tokenOf(this.raw);
    },
  });
  for (const [path, check] of drain.checks) {
    app.get(path.slice(app.prefix.length), { schema: { hide: true } as object }, (request, reply) =>
      check(request.raw, reply.hijack().raw),
    );
  }
  // The error handlers of the app write the body. They may set another status, which `onSend` corrects.
  const ended: WeakSet<object> = new WeakSet();
  app.addHook('onError', async (request, reply, error) => {
    if (!isCancellationOf(error, request.token)) return;
    ended.add(request);
    reply.code(endedStatus(reply.raw));
  });
  app.addHook('onSend', async (request, reply) => {
    if (ended.has(request)) reply.code(endedStatus(reply.raw)).header('Retry-After', drain.retryAfter);
  });
  app.addHook('onClose', async () => drain.dispose());
}

// The marks of a plugin that decorates the app itself, and not a context below it.
Object.assign(fastifyDrain, {
  [Symbol.for('skip-override')]: true,
  [Symbol.for('fastify.display-name')]: 'fastifyDrain',
});
