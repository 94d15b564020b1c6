// One suite for all frameworks: each makes a server with these routes.
import { once } from 'node:events';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type HttpBindings, serve } from '@hono/node-server';
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import { CancellationToken } from '@quiesce/cancellation-token';
import { VirtualClock } from '@quiesce/cancellation-token/testing';
import { HttpDrain } from '@quiesce/http-drain';
import express from 'express';
import Fastify from 'fastify';
import { Hono } from 'hono';
import Koa from 'koa';
import { Agent, request } from 'undici';
import { describe, expect, it, onTestFinished } from 'vitest';
import { dialled, gate } from './vocabulary.ts';

/** Returns the answer of a route. `raw` is the request object of Node. */
type Route = (path: string, raw: IncomingMessage) => Promise<string>;
type Health = (request: IncomingMessage, response: ServerResponse) => void;

/** The value that is drained, before or after it listens, and the `close` of the framework, if it has one. */
interface Made {
  server: Server;
  close?: () => PromiseLike<unknown>;
}

const frameworks: Record<string, (route: Route, ready: Health) => Made | Promise<Made>> = {
  Express: (route, ready) => {
    const app = express()
      .get('/ready', ready)
      .use(async (req, res) => void res.send(await route(req.path, req)));
    return { server: app.listen(0, '127.0.0.1') };
  },
  Fastify: (route, ready) => {
    const app = Fastify();
    app.get('/ready', (req, reply) => ready(req.raw, reply.hijack().raw));
    app.get('/*', (req) => route(req.url, req.raw));
    void app.listen({ port: 0, host: '127.0.0.1' });
    return { server: app.server, close: () => app.close() };
  },
  Koa: (route, ready) => {
    const app = new Koa().use(async (ctx) => {
      if (ctx.path !== '/ready') ctx.body = await route(ctx.path, ctx.req);
      else {
        ctx.respond = false;
        ready(ctx.req, ctx.res);
      }
    });
    return { server: app.listen(0, '127.0.0.1') };
  },
  Hono: (route, ready) => {
    const app = new Hono<{ Bindings: HttpBindings }>();
    app.get('/ready', (c) => {
      ready(c.env.incoming, c.env.outgoing);
      return RESPONSE_ALREADY_SENT;
    });
    app.get('*', async (c) => c.text(await route(c.req.path, c.env.incoming)));
    // Other test files of this process need the Request and Response of the platform.
    const options = { fetch: app.fetch, port: 0, hostname: '127.0.0.1', overrideGlobalObjects: false };
    return { server: serve(options) as Server };
  },
};

interface App {
  http: HttpDrain;
  clock: VirtualClock;
  port: number;
  close: Made['close'];
  get(path: string): Promise<{ status: number; connection: unknown; body: string }>;
}

async function start(make: (typeof frameworks)[string], route: (app: App) => Route): Promise<App> {
  const app = {} as App;
  app.clock = new VirtualClock();
  const { server, close } = await make(
    (path, raw) => route(app)(path, raw),
    (req, res) => app.http.readiness(req, res),
  );
  app.close = close;
  app.http = new HttpDrain(server, { clock: app.clock });
  if (!server.listening) await once(server, 'listening');
  app.port = (server.address() as AddressInfo).port;
  const dispatcher = new Agent({ connections: 1, pipelining: 1 });
  onTestFinished(async () => {
    await dispatcher.destroy();
    server.closeAllConnections();
    server.close();
  });
  app.get = async (path) => {
    const { statusCode, headers, body } = await request(`http://127.0.0.1:${app.port}${path}`, { dispatcher });
    return { status: statusCode, connection: headers['connection'], body: await body.text() };
  };
  return app;
}

describe.each(Object.entries(frameworks))('%s', (_, make) => {
  it('serves requests in flight, closes their connections, and ends', async () => {
    const [arrived, answer] = [gate(), gate()];
    const app = await start(make, () => async (path) => {
      if (path === '/slow') {
        arrived.open();
        await answer;
      }
      return `<${path}>`;
    });
    expect(await app.get('/quick')).toEqual({ status: 200, connection: 'keep-alive', body: '</quick>' });
    expect(await app.get('/ready')).toMatchObject({ status: 200, body: 'running\n' });
    const slow = app.get('/slow');
    await arrived;
    expect(app.http.inFlightCount).toBe(1);
    const over = app.http.drain(CancellationToken.never);
    await app.http.draining.cancelled();
    expect(await dialled(app.port)).toBe('ECONNREFUSED');
    answer.open();
    expect(await slow).toEqual({ status: 200, connection: 'close', body: '</slow>' });
    await over;
    expect(app.http.report()).toMatchObject({ completedCount: 1, destroyed: [], disconnectedCount: 0 });
    // The hooks of the framework run then, and have nothing left to close.
    await app.close?.();
  });

  it('is not ready after `announce`, and still serves', async () => {
    const app = await start(make, () => async (path) => `<${path}>`);
    app.http.announce();
    expect(await app.get('/ready')).toMatchObject({ status: 503, body: 'stopping\n' });
    expect(await app.get('/quick')).toEqual({ status: 200, connection: 'close', body: '</quick>' });
  });

  it('provides the token of each request, which the deadline cancels', async () => {
    const arrived = gate();
    const app = await start(make, ({ http }) => async (_path, raw) => {
      arrived.open();
      const token = http.tokenOf(raw);
      await token.cancelled();
      return `stopped: ${token.reason}`;
    });
    const long = app.get('/long');
    await arrived;
    const deadline = new CancellationToken();
    const over = app.http.drain(deadline).catch((error) => error);
    await app.http.draining.cancelled();
    deadline.cancel('late');
    expect(await long).toEqual({ status: 200, connection: 'close', body: 'stopped: late' });
    expect(await over).toBe('late');
    expect(app.http.report()).toMatchObject({ cancelledCount: 1, completedCount: 1, destroyed: [] });
  });
});
