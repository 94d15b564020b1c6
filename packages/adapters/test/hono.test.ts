import type { Server } from 'node:http';
import { createAdaptorServer, type HttpBindings } from '@hono/node-server';
import { honoDrain, type TokenEnv } from '@quiesce/adapters/hono';
import { Shutdown } from '@quiesce/shutdown';
import { Hono } from 'hono';
import { describe, expect, it } from 'vitest';
import { describeDrain, type MakeApp, start, waiting } from './app-drain.ts';

/** Other test files of this process need the Request and Response of the platform. */
const platform = { overrideGlobalObjects: false };

const make: MakeApp = (routes, options) => {
  const app = new Hono<TokenEnv>();
  app.onError((_, c) => c.text('failed', 500, { 'X-Failed': 'yes' }));
  const server = createAdaptorServer({ fetch: app.fetch, ...platform }) as Server;
  const drain = honoDrain(server, options);
  app.use(drain);
  for (const [path, route] of Object.entries(routes)) app.get(path, async (c) => c.text(await route(c.var.token)));
  return { server, httpDrain: drain.httpDrain };
};

describeDrain('honoDrain', 'hono', make);

describe('honoDrain', () => {
  it('replaces the response of the error handler, with its headers', async () => {
    const { arrived, routes } = waiting((token) => token.cancelled().then(() => Promise.reject(token.reason)));
    const { httpDrain, port } = await start(make, routes);
    const slow = fetch(`http://127.0.0.1:${port}/slow`);
    await arrived.promise;
    httpDrain.abort(new Error('enough'));
    const response = await slow;
    expect([response.status, response.headers.get('x-failed')]).toEqual([503, null]);
    expect(await response.text()).toBe('This server is stopping. Please try again.\n');
  });

  it('gives requests of `app.request` the token `stopNow` of the shutdown, and answers their checks', async () => {
    const shutdown = new Shutdown();
    // Routes that are chained to it know the token by inference.
    const server = createAdaptorServer({ fetch: (request, env) => app.fetch(request, env), ...platform });
    const app = new Hono<{ Bindings: HttpBindings }>()
      .use(honoDrain(server, { shutdown }))
      .get('/', (c) => c.text(String(c.var.token === shutdown.stopNow)));
    expect(await (await app.request('/')).text()).toBe('true');
    const ready = await app.request('/ready');
    expect([ready.status, await ready.text(), ready.headers.get('cache-control')]).toEqual([
      200,
      'running\n',
      'no-store',
    ]);
  });
});
