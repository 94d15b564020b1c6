import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expressDrain } from '@quiesce/adapters/express';
import { Shutdown } from '@quiesce/shutdown';
import express, { type ErrorRequestHandler } from 'express';
import { describe, expect, it, onTestFinished } from 'vitest';
import { describeDrain, type MakeApp, start, waiting } from './app-drain.ts';

/** Makes an app whose own error handler answers with 500. */
const make: MakeApp = (routes, options) => {
  const app = express();
  const server = createServer(app);
  const drain = expressDrain(server, options);
  app.use(drain);
  for (const [path, route] of Object.entries(routes)) {
    app.get(path, async (req, res) => void res.send(await route(req.token)));
  }
  app.get('/file', async (req, res) => {
    res.set({ 'Content-Encoding': 'gzip', 'Cache-Control': 'public, max-age=60', ETag: '"1"', 'X-Request-Id': '7' });
    await req.token.cancelled();
    throw req.token.reason;
  });
  app.get('/begun', async (req, res) => {
    res.write('begun');
    await req.token.cancelled();
    throw req.token.reason;
  });
  const failed: ErrorRequestHandler = (_error, _req, res, _next) => res.status(500).end('failed');
  app.use(drain.errorHandler, (error, req, res, next) =>
    res.headersSent ? next(error) : failed(error, req, res, next),
  );
  return { server, httpDrain: drain.httpDrain };
};

describeDrain('expressDrain', 'express', make);

describe('expressDrain', () => {
  it('answers before the error handler of the app', async () => {
    const { arrived, routes } = waiting((token) => token.cancelled().then(() => Promise.reject(token.reason)));
    const { httpDrain, client } = await start(make, routes);
    const slow = client()('/slow');
    await arrived.promise;
    httpDrain.abort('enough');
    expect(await slow).toMatchObject({ status: 503, body: 'This server is stopping. Please try again.\n' });
  });

  it('removes headers of the body that is not sent, and keeps the others', async () => {
    const { httpDrain, port } = await start(make, {});
    const answer = fetch(`http://127.0.0.1:${port}/file`);
    while (httpDrain.inFlightCount === 0) await new Promise(setImmediate);
    httpDrain.abort(new Error('enough'));
    const { status, headers } = await answer;
    const names = ['content-encoding', 'cache-control', 'x-request-id', 'content-type'];
    expect([status, ...names.map((name) => headers.get(name))]).toEqual([
      503,
      null,
      null,
      '7',
      'text/plain; charset=utf-8',
    ]);
  });

  it('passes errors on that come from a middleware before it', async () => {
    const shutdown = new Shutdown();
    const app = express();
    const server = createServer(app);
    const drain = expressDrain(server, { shutdown });
    const seen: unknown[] = [];
    const last: ErrorRequestHandler = (error, _req, res, _next) => {
      seen.push(error);
      res.status(400).end();
    };
    app.use(express.json(), drain, drain.errorHandler, last);
    onTestFinished(() => void server.close());
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    const headers = { 'Content-Type': 'application/json' };
    expect((await fetch(url, { method: 'POST', body: '{', headers })).status).toBe(400);
    expect(seen).toMatchObject([{ type: 'entity.parse.failed' }]);
  });

  it('leaves a response that has begun to Express, which ends its connection', async () => {
    const { httpDrain, port } = await start(make, {});
    const response = await fetch(`http://127.0.0.1:${port}/begun`);
    httpDrain.abort(new Error('enough'));
    await expect(response.text()).rejects.toThrow('terminated');
    expect(httpDrain.report()).toMatchObject({ disconnectedCount: 1, destroyed: [] });
  });

  it('gives requests of another server of the app the token `stopNow` of the shutdown', async () => {
    const shutdown = new Shutdown();
    const app = express();
    app.use(expressDrain(createServer(app), { shutdown }));
    app.get('/', (req, res) => void res.send(String(req.token === shutdown.stopNow)));
    const other = app.listen(0, '127.0.0.1');
    onTestFinished(() => void other.close());
    await once(other, 'listening');
    const response = await fetch(`http://127.0.0.1:${(other.address() as AddressInfo).port}/`);
    expect(await response.text()).toBe('true');
  });

  it('gives each request the token of its server when the app has two', async () => {
    const shutdown = new Shutdown();
    const app = express();
    const servers = ['public', 'admin'].map((name) => {
      const server = createServer(app);
      app.use(expressDrain(server, { shutdown, name }));
      return server;
    });
    app.get('/', (req, res) => void res.send(String(req.token === shutdown.stopNow)));
    for (const server of servers) {
      await once(server.listen(0, '127.0.0.1'), 'listening');
      onTestFinished(() => void server.close());
      const response = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
      expect(await response.text()).toBe('false');
    }
  });
});
