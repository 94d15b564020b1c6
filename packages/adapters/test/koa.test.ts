import { createServer } from 'node:http';
import { koaDrain } from '@quiesce/adapters/koa';
import Koa from 'koa';
import { describe, expect, it } from 'vitest';
import { describeDrain, type MakeApp, start, waiting } from './app-drain.ts';

/** Longer than the buffers of a connection. */
const long = 'whole'.repeat(2_000_000);

/** Makes an app that reports its errors to `onError`. */
function makeWith(onError: (error: unknown) => void): MakeApp {
  return (routes, options) => {
    const app = new Koa().on('error', onError);
    const server = createServer();
    const drain = koaDrain(server, options);
    app.use(drain).use(async (ctx) => {
      if (ctx.path === '/begun') {
        ctx.res.write('begun');
        await ctx.state.token.cancelled();
        throw ctx.state.token.reason;
      }
      if (ctx.path === '/file') {
        ctx.set({ 'Content-Type': 'application/json', 'Content-Encoding': 'gzip', 'X-Request-Id': '7' });
        await ctx.state.token.cancelled();
        throw ctx.state.token.reason;
      }
      if (ctx.path === '/own') {
        ctx.respond = false;
        await ctx.state.token.cancelled();
        throw ctx.state.token.reason;
      }
      if (ctx.path === '/ended') {
        ctx.respond = false;
        await ctx.state.token.cancelled();
        ctx.res.end(long);
        throw ctx.state.token.reason;
      }
      const route = routes[ctx.path];
      if (route !== undefined) ctx.body = await route(ctx.state.token);
    });
    server.on('request', app.callback());
    return { server, httpDrain: drain.httpDrain };
  };
}

describeDrain(
  'koaDrain',
  'koa',
  makeWith(() => {}),
);

describe('koaDrain', () => {
  it('reports no error to the app for a request that ended by its token', async () => {
    const errors: unknown[] = [];
    const { arrived, routes } = waiting((token) => token.cancelled().then(() => Promise.reject(token.reason)));
    const { httpDrain, client } = await start(
      makeWith((error) => errors.push(error)),
      routes,
    );
    const slow = client()('/slow');
    await arrived.promise;
    httpDrain.abort('enough');
    expect(await slow).toMatchObject({ status: 503, body: 'This server is stopping. Please try again.\n' });
    expect(errors).toEqual([]);
  });

  it.each([
    ['removes headers of the body that is not sent', '/file'],
    ['answers also for a handler that has taken over the response, and has sent nothing', '/own'],
  ])('%s', async (_, path) => {
    const { httpDrain, port } = await start(
      makeWith(() => {}),
      {},
    );
    const answer = fetch(`http://127.0.0.1:${port}${path}`);
    while (httpDrain.inFlightCount === 0) await new Promise(setImmediate);
    httpDrain.abort(new Error('enough'));
    const response = await answer;
    expect([response.status, response.headers.get('content-type')]).toEqual([503, 'text/plain; charset=utf-8']);
    expect(response.headers.get('x-request-id')).toBe(path === '/file' ? '7' : null);
    expect(await response.text()).toBe('This server is stopping. Please try again.\n');
  });

  it('leaves a response that its handler has ended', async () => {
    const { httpDrain, port } = await start(
      makeWith(() => {}),
      {},
    );
    const answer = fetch(`http://127.0.0.1:${port}/ended`);
    while (httpDrain.inFlightCount === 0) await new Promise(setImmediate);
    httpDrain.abort(new Error('enough'));
    expect((await (await answer).text()).length).toBe(long.length);
  });

  it('ends the connection of a response that has begun', async () => {
    const { httpDrain, port } = await start(
      makeWith(() => {}),
      {},
    );
    const response = await fetch(`http://127.0.0.1:${port}/begun`);
    httpDrain.abort(new Error('enough'));
    await expect(response.text()).rejects.toThrow('terminated');
    expect(httpDrain.report()).toMatchObject({ disconnectedCount: 1, destroyed: [] });
  });
});
