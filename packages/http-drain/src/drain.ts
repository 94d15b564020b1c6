import { show } from '@quiesce/internal';
import { DrainSequence } from './drain-sequence.ts';
import { HttpDrain } from './http-drain.ts';
import { interceptEvents } from './intercept-events.ts';
import { NetServer } from './node.ts';
import { type DrainableApp, type DrainableServer, type HttpDrainOptions, settingsOf } from './options.ts';
import { drained, followSiblings } from './siblings.ts';

/**
 * Makes a server of `node:http`, `node:https` or `node:http2` drainable, so that it can be stopped without cutting off requests.
 *
 * Fastify opens several servers when its host has several addresses, as its default `localhost` often has. All of them are
 * drained, whether you pass the app or `app.server`.
 *
 * Use it for servers with keep-alive connections, load balancers or upgrades. For a server that may drop its idle connections at
 * once, Node's `server.close()` is enough.
 *
 * **Timing.** Synchronous. Call it before the server listens: a connection that was accepted before is known only from its next
 * request on. It changes no response until `announce` or `stop`.
 *
 * @param server the server, or an app that has it as `server`: for Express and Koa the result of `listen`, for Fastify the app,
 *   for Hono the result of `serve`
 * @param options `name`; times in ms; `refuse`, which answers new requests; `upgraded`, which ends upgraded sockets
 * @returns the handle of the drain, which you can pass to `shutdown.add`
 * @throws TypeError when `server` is not such a server, or has a drain already, or an option is unknown or of the wrong kind;
 *   RangeError for a bad time
 * @example
 * ```ts
 * import { createServer } from 'node:http';
 *
 * const server = createServer((_, response) => response.end('hello'));
 * const http = drain(server, { name: 'api' });
 * await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
 *
 * http.stop();
 * await http.drain(CancellationToken.timeout(10_000));
 * console.log(http.state, http.report().cutOff.length); // => drained 0
 * ```
 */
export function drain(server: DrainableServer | DrainableApp, options: HttpDrainOptions = {}): HttpDrain {
  const found = serverOf(server);
  if (drained.has(found)) throw new TypeError('drain: this server has a drain already; use that one');
  const settings = settingsOf(options);
  const sequence = new DrainSequence(settings);
  drained.add(found);
  interceptEvents(sequence, found);
  followSiblings(sequence, found);
  const following = settings.signal?.onCancelled(() => sequence.announce());
  void sequence.sockets.tracker.wait().then(() => following?.dispose());
  return new HttpDrain(sequence);
}

function serverOf(given: unknown): DrainableServer {
  if (isServer(given)) return given;
  const { server } = (given ?? {}) as { readonly server?: unknown };
  if (isServer(server)) return server;
  throw new TypeError(
    `drain: expected a server of node:http, node:https or node:http2, got ${show(given)}. Pass the result of createServer(); ` +
      'for Express and Koa the result of app.listen(), for Hono the result of serve(), for Fastify app.server or app',
  );
}

function isServer(value: unknown): value is DrainableServer {
  return value instanceof NetServer && ('requestTimeout' in value || 'updateSettings' in value);
}
