import { CancellationToken, systemClock } from '@quiesce/cancellation-token';
import { hook } from './hook.ts';
import { HttpDrain } from './http-drain.ts';
import { Machine } from './machine.ts';
import { NetServer } from './node.ts';
import { type DrainableServer, type HttpDrainOptions, settingsOf } from './options.ts';

/** One server cannot be drained twice. */
const drained: WeakSet<DrainableServer> = new WeakSet();

/**
 * Makes a server of `node:http`, `node:https` or `node:http2` drainable: to be stopped with nothing cut off.
 *
 * **Timing.** Call it before the server listens: connections that were accepted before are seen from their next request
 * on only. It changes nothing until `announce` or `stop`.
 *
 * @param server the server; for Express and Koa what `listen` returned, for Fastify `app.server`, for Hono what `serve`
 *   returned
 * @param options `name`, times in ms, what answers new requests, what ends upgraded sockets
 * @throws TypeError when `server` is none of those, or is drained already, or an option is of the wrong kind; RangeError
 *   for a bad time
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
export function drain(server: DrainableServer, options: HttpDrainOptions = {}): HttpDrain {
  if (!(server instanceof NetServer) || !('requestTimeout' in server || 'updateSettings' in server)) {
    throw new TypeError(
      'drain: expected a server of node:http, node:https or node:http2; for Express and Koa pass what listen returned, for Fastify app.server',
    );
  }
  if (drained.has(server)) throw new TypeError('drain: this server has a drain already; use that one');
  const settings = settingsOf(options, options.clock ?? systemClock);
  const stopping = options.stopping === undefined ? undefined : CancellationToken.from(options.stopping);
  const machine = new Machine(server, settings);
  drained.add(server);
  hook(machine);
  const following = stopping?.onCancelled(() => machine.announce());
  void machine.parts.wait().then(() => following?.unregister());
  return new HttpDrain(machine);
}
