// biome-ignore-all lint/nursery/noMisusedPromises: Fastify also takes asynchronous plugins.
import { connect } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { fastifyDrain } from '@quiesce/adapters/fastify';
import { Shutdown } from '@quiesce/shutdown';
import Fastify, { type FastifyInstance, type FastifyServerOptions } from 'fastify';
import { describe, expect, it, onTestFinished } from 'vitest';
import { begin, describeDrain, gate, type MakeApp, start, waiting } from './app-drain.ts';

/** Makes an app. `prepare` adds to it before its routes. */
function makeWith(prepare: (app: FastifyInstance) => unknown = () => {}, settings: FastifyServerOptions = {}): MakeApp {
  return (routes, options) => {
    const app = Fastify(settings);
    void app.register(fastifyDrain, options);
    prepare(app);
    for (const [path, route] of Object.entries(routes)) app.get(path, ({ token }) => route(token));
    return {
      server: app.server,
      get httpDrain() {
        return app.httpDrain;
      },
      listen: async () => {
        onTestFinished(() => app.close());
        await app.listen({ host: '127.0.0.1', port: 0 });
      },
    };
  };
}

describeDrain('fastifyDrain', 'fastify', makeWith());

describe('fastifyDrain', () => {
  it('closes the app when its requests have been answered, before hooks that were registered earlier', async () => {
    const log: string[] = [];
    const answer = gate();
    const { arrived, routes } = waiting(() => answer.promise);
    const shutdown = new Shutdown();
    shutdown.hook('db', () => void log.push('db'));
    const make = makeWith((app) => {
      app.addHook('onResponse', async () => void log.push('answered'));
      app.addHook('onClose', async () => void log.push('first plugin'));
      app.addHook('onClose', async () => void log.push('second plugin'));
    });
    const { client, httpDrain } = await start(make, routes, { shutdown });
    const slow = client()('/slow');
    await arrived.promise;
    shutdown.request('deploy');
    await httpDrain.draining.cancelled();
    answer.open();
    expect(await slow).toMatchObject({ status: 200 });
    const { hooks, exitCode } = await shutdown.stopped();
    expect(log).toEqual(['answered', 'second plugin', 'first plugin', 'db']);
    expect(hooks.find(({ name }) => name === 'fastify')).toMatchObject({ phase: 'cleanup', outcome: 'done' });
    expect(exitCode).toBe(0);
  });

  it('leaves nothing in the shutdown when the app is closed alone', async () => {
    const shutdown = new Shutdown();
    for (let i = 0; i < 2; i++) {
      const app = Fastify();
      await app.register(fastifyDrain, { shutdown });
      await app.close();
    }
    shutdown.request('deploy');
    const { hooks, drained } = await shutdown.stopped();
    expect({ hooks, drained: drained.length }).toEqual({ hooks: [], drained: 1 });
  });

  it('keeps the body of an error handler of the app, and corrects its status', async () => {
    const { arrived, routes } = waiting((token) => token.cancelled().then(() => Promise.reject(token.reason)));
    const make = makeWith((app) =>
      app.setErrorHandler((error: Error, _, reply) => reply.code(500).send({ failed: error.name })),
    );
    const { httpDrain, client } = await start(make, routes);
    const slow = client()('/slow');
    await arrived.promise;
    httpDrain.abort(new Error('enough'));
    expect(await slow).toMatchObject({ status: 503, retryAfter: '1', body: '{"failed":"Error"}' });
  });

  it('logs a request whose client has gone with the status 499, and not as an error', async () => {
    const lines: { level: number; res?: { statusCode: number } }[] = [];
    const ended = gate();
    const stream = {
      write(line: string) {
        lines.push(JSON.parse(line));
        if (lines.at(-1)?.res !== undefined) ended.open();
      },
    };
    const { arrived, routes } = waiting((token) => token.cancelled().then(() => Promise.reject(token.reason)));
    const { port } = await start(makeWith(undefined, { logger: { stream } }), routes);
    const socket = await begin(port, '/slow');
    await arrived.promise;
    socket.destroy();
    await ended.promise;
    expect(lines.filter(({ level }) => level > 30)).toEqual([]);
    expect(lines.at(-1)).toMatchObject({ level: 30, res: { statusCode: 499 } });
  });

  it('has the checks below the prefix of the context that registers it', async () => {
    const shutdown = new Shutdown();
    const app = Fastify();
    await app.register(
      async (api) => {
        await api.register(fastifyDrain, { shutdown });
      },
      { prefix: '/api' },
    );
    expect((await app.inject('/api/ready')).body).toBe('running\n');
    expect((await app.inject('/ready')).statusCode).toBe(404);
    await app.close();
  });

  it('gives requests of `inject` the token `stopNow` of the shutdown', async () => {
    const shutdown = new Shutdown();
    const app = Fastify();
    app.get('/', async ({ token }) => String(token === shutdown.stopNow));
    await app.register(fastifyDrain, { shutdown });
    expect((await app.inject('/')).body).toBe('true');
    await app.close();
  });

  it('refuses a second app of the same name, of which nothing is left in the shutdown', async () => {
    const shutdown = new Shutdown();
    const register = (name?: string): Promise<unknown> =>
      Promise.resolve(Fastify().register(fastifyDrain, { shutdown, name }));
    await register();
    await expect(register()).rejects.toMatchObject({ name: 'HookError' });
    await register('admin');
    shutdown.request('deploy');
    const { hooks, drained } = await shutdown.stopped();
    expect(hooks.map(({ name }) => name).sort()).toEqual(['admin', 'fastify']);
    expect(drained.map(({ name }) => name)).toEqual(['guards', 'fastify', 'admin']);
  });

  it('refuses to be registered twice, and leaves the first registration unchanged', async () => {
    const shutdown = new Shutdown();
    const app = Fastify();
    await app.register(fastifyDrain, { shutdown });
    await expect(app.register(fastifyDrain, { shutdown, name: 'again' })).rejects.toThrow(
      'new HttpDrain: this server has an HttpDrain already; use that one',
    );
    shutdown.request('deploy');
    const { hooks, drained } = await shutdown.stopped();
    expect([...hooks, ...drained].map(({ name }) => name)).toEqual(['fastify', 'guards', 'fastify']);
  });

  it.each(['127.0.0.1', 'localhost'])(
    'lets `listen` on %s end when the shutdown begins before it, and closes the app',
    async (host) => {
      const shutdown = new Shutdown();
      const starting = shutdown.guard('start');
      const app = Fastify();
      await app.register(fastifyDrain, { shutdown, idleGrace: 0 });
      shutdown.request('deploy');
      await app.httpDrain.draining.cancelled();
      expect(await app.listen({ host, port: 0 })).toMatch(/^http:/);
      starting.dispose();
      expect((await shutdown.stopped()).exitCode).toBe(0);
      expect(app.server.listening).toBe(false);
    },
  );

  it('answers with 503 when a stream fails by the token before its first byte, and when `reply.send` gets the reason', async () => {
    const shutdown = new Shutdown();
    const app = Fastify();
    await app.register(fastifyDrain, { shutdown, idleGrace: 0 });
    const arrived = [gate(), gate()] as const;
    app.get('/stream', ({ token }, reply) => {
      const body = new Readable({ read() {} });
      token.onCancelled((reason) => body.destroy(reason as Error));
      void reply.send(body);
      arrived[0].open();
    });
    app.get('/send', ({ token }, reply) => {
      token.onCancelled((reason) => void reply.send(reason));
      arrived[1].open();
    });
    onTestFinished(() => app.close());
    const url = await app.listen({ host: '127.0.0.1', port: 0 });
    const answers = ['/stream', '/send'].map((path) => fetch(`${url}${path}`));
    await Promise.all(arrived.map(({ promise }) => promise));
    app.httpDrain.abort(new Error('enough'));
    for (const answer of answers) {
      const { status, headers } = await answer;
      expect([status, headers.get('retry-after')]).toEqual([503, '1']);
    }
  });

  it('records a failure of an `onClose` hook, and the shutdown ends with 1', async () => {
    const shutdown = new Shutdown();
    const app = Fastify();
    await app.register(fastifyDrain, { shutdown });
    app.addHook('onClose', () => Promise.reject(new Error('disk full')));
    shutdown.request('deploy');
    const { exitCode, hooks } = await shutdown.stopped();
    expect([exitCode, hooks]).toMatchObject([
      1,
      [{ name: 'fastify', outcome: 'failed', error: { message: 'disk full' } }],
    ]);
  });

  it('drains an app of HTTP/2', async () => {
    const shutdown = new Shutdown();
    const app = Fastify({ http2: true });
    app.get('/', async ({ token }) => {
      await token.cancelled();
      throw token.reason;
    });
    await app.register(fastifyDrain, { shutdown, idleGrace: 0 });
    await app.listen({ host: '127.0.0.1', port: 0 });
    const session = connect(`http://127.0.0.1:${(app.server.address() as AddressInfo).port}`);
    const stream = session.request({ ':path': '/' });
    const status = new Promise((resolve) => stream.once('response', (headers) => resolve(headers[':status'])));
    while (app.httpDrain.inFlightCount === 0) await new Promise(setImmediate);
    app.httpDrain.abort('enough');
    expect(await status).toBe(503);
    stream.resume();
    shutdown.request('deploy');
    expect((await shutdown.stopped()).exitCode).toBe(0);
    session.destroy();
  });
});
