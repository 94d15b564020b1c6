// The behaviour that the drains of all HTTP frameworks share. Each framework runs these tests with its own app.
import { once } from 'node:events';
import type { Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { setTimeout as timer } from 'node:timers/promises';
import type { AppDrainOptions } from '@quiesce/adapters/fastify';
import type { CancellationToken } from '@quiesce/cancellation-token';
import { VirtualClock } from '@quiesce/cancellation-token/testing';
import type { HttpDrain } from '@quiesce/http-drain';
import { Shutdown, type ShutdownOptions } from '@quiesce/shutdown';
import { Agent, request } from 'undici';
import { describe, expect, it, onTestFinished } from 'vitest';

/** Answers each path with a text, or throws. */
export type Routes = Record<string, (token: CancellationToken) => Promise<string>>;

/** An app that does not listen yet. */
interface Made {
  server: Server;
  httpDrain: HttpDrain;
  /** Makes it listen. Default: as a server of Node. */
  listen?: () => Promise<unknown>;
}

/** Makes an app with these routes. */
export type MakeApp = (routes: Routes, options: AppDrainOptions) => Promise<Made> | Made;

/** The parts of an answer that tests compare. */
interface Answer {
  status: number;
  retryAfter: unknown;
  connection: unknown;
  body: string;
}

interface App extends Made {
  shutdown: Shutdown;
  clock: VirtualClock;
  port: number;
  /** Returns a function that requests paths on one connection. */
  client(): (path: string) => Promise<Answer>;
}

/** Starts an app whose drain and whose shutdown run on a virtual clock. */
export async function start(
  make: MakeApp,
  routes: Routes,
  { limits, ...more }: Partial<AppDrainOptions> & { limits?: ShutdownOptions } = {},
): Promise<App> {
  const clock = new VirtualClock();
  const shutdown = new Shutdown({ clock, ...limits });
  const made = await make(routes, { shutdown, clock, ...more });
  const { server } = made;
  if (made.listen !== undefined) await made.listen();
  else await once(server.listen(0, '127.0.0.1'), 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const client: App['client'] = () => {
    const dispatcher = new Agent({ connections: 1, pipelining: 1 });
    onTestFinished(() => dispatcher.destroy());
    return async (path) => {
      const { statusCode, headers, body } = await request(`http://127.0.0.1:${port}${path}`, { dispatcher });
      const { 'retry-after': retryAfter, connection } = headers;
      return { status: statusCode, retryAfter, connection, body: await body.text() };
    };
  };
  return { ...made, shutdown, clock, port, client };
}

/** Sends a request, and returns its connection. */
export async function begin(port: number, path: string): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  onTestFinished(() => void socket.destroy());
  await once(socket, 'connect');
  socket.write(`GET ${path} HTTP/1.1\r\nHost: test\r\n\r\n`);
  return socket;
}

/** A promise that a test settles. */
export interface Gate<T> {
  promise: Promise<T>;
  open(value: T): void;
}

export function gate<T = void>(): Gate<T> {
  let open: (value: T) => void = () => {};
  const promise = new Promise<T>((resolve) => {
    open = resolve;
  });
  return { promise, open };
}

/** Returns routes: `/slow` opens `arrived` with its token, and then does the work. */
export function waiting(work: (token: CancellationToken) => Promise<unknown>): {
  arrived: Gate<CancellationToken>;
  routes: Routes;
} {
  const arrived = gate<CancellationToken>();
  const slow = async (token: CancellationToken): Promise<string> => {
    arrived.open(token);
    await work(token);
    return 'done';
  };
  return { arrived, routes: { '/slow': slow, '/quick': async () => 'quick' } };
}

/** The ways in which a handler ends by its token. */
const endings: [string, (token: CancellationToken) => Promise<unknown>][] = [
  ['rejects with the reason of its token', (token) => token.cancelled().then(() => Promise.reject(token.reason))],
  ['calls a function of the platform with its signal', ({ signal }) => timer(60_000, undefined, { signal })],
];

/** The behaviour of a drain of this framework. `call` is the name that errors have. */
export function describeDrain(call: string, name: string, make: MakeApp): void {
  describe(`the requests of ${name}`, () => {
    it('are served during a shutdown, and their connections are closed in order', async () => {
      const answer = gate();
      const { arrived, routes } = waiting(() => answer.promise);
      const { shutdown, httpDrain, clock, client } = await start(make, routes);
      const slow = client()('/slow');
      const token = await arrived.promise;
      shutdown.request('deploy');
      await httpDrain.draining.cancelled();
      expect([token.isCancelled, shutdown.state]).toEqual([false, 'draining']);
      answer.open();
      expect(await slow).toMatchObject({ status: 200, connection: 'close', body: 'done' });
      const { exitCode, drained } = await shutdown.stopped();
      expect({ exitCode, drained }).toMatchObject({ exitCode: 0, drained: [{}, { name, outcome: 'drained' }] });
      expect(httpDrain.report()).toMatchObject({ completedCount: 1, destroyed: [] });
      expect(clock.pendingCount).toBe(0);
    });

    it('are cancelled when their client has gone', async () => {
      const ended = gate<unknown>();
      const { arrived, routes } = waiting(async (token) => {
        await token.cancelled();
        ended.open(token.reason);
        throw token.reason;
      });
      const { httpDrain, port, client } = await start(make, routes);
      const socket = await begin(port, '/slow');
      await arrived.promise;
      socket.destroy();
      expect(await ended.promise).toMatchObject({ code: 'ABORT_ERR', source: 'signal' });
      expect(await client()('/quick')).toMatchObject({ status: 200, body: 'quick' });
      expect(httpDrain.inFlightCount).toBe(0);
    });

    it.each(endings)('get a 503 with Retry-After when the handler %s at the deadline', async (_, work) => {
      const { arrived, routes } = waiting(work);
      const { shutdown, httpDrain, clock, client } = await start(make, routes, { retryAfter: 7 });
      const slow = client()('/slow');
      const token = await arrived.promise;
      shutdown.request('deploy');
      await httpDrain.draining.cancelled();
      await clock.advance(10_000);
      expect(await slow).toMatchObject({ status: 503, retryAfter: '7', connection: 'close' });
      expect(token.reason).toBe(shutdown.stopNow.reason);
      expect((await shutdown.stopped()).exitCode).toBe(1);
      expect(httpDrain.report()).toMatchObject({ cancelledCount: 1, completedCount: 1, destroyed: [] });
    });

    it('get a 503 when the handler rejects with a reason that is no error', async () => {
      const { arrived, routes } = waiting((token) => token.cancelled().then(() => Promise.reject(token.reason)));
      const { httpDrain, client } = await start(make, routes);
      const slow = client()('/slow');
      await arrived.promise;
      httpDrain.abort('enough');
      expect(await slow).toMatchObject({ status: 503, retryAfter: '1' });
    });

    it('get a 500 when the handler fails in its own way at the deadline', async () => {
      const { arrived, routes } = waiting(async (token) => {
        await token.cancelled();
        throw new Error('rollback failed', { cause: token.reason });
      });
      const { shutdown, httpDrain, clock, client } = await start(make, routes);
      const slow = client()('/slow');
      await arrived.promise;
      shutdown.request('deploy');
      await httpDrain.draining.cancelled();
      await clock.advance(10_000);
      expect(await slow).toMatchObject({ status: 500, retryAfter: undefined });
      await shutdown.stopped();
    });

    it('get a 500 when the handler is aborted by a signal of its own', async () => {
      const { routes } = waiting(() => Promise.reject(AbortSignal.abort().reason));
      const { client } = await start(make, routes);
      expect(await client()('/slow')).toMatchObject({ status: 500, retryAfter: undefined });
    });
  });

  describe(`the health checks of ${name}`, () => {
    it('answer 200, and other methods go to the app', async () => {
      const { client, port } = await start(make, { '/quick': async () => 'quick' });
      const get = client();
      expect(await get('/ready?from=kubelet')).toMatchObject({ status: 200, body: 'running\n' });
      expect(await get('/live')).toMatchObject({ status: 200, body: 'running\n' });
      expect((await request(`http://127.0.0.1:${port}/ready`, { method: 'HEAD' })).statusCode).toBe(200);
      expect((await fetch(`http://127.0.0.1:${port}/ready`, { method: 'POST' })).status).toBe(404);
    });

    it('answer new connections during the readiness delay: not ready, and live', async () => {
      const { shutdown, clock, client } = await start(
        make,
        { '/quick': async () => 'quick' },
        { limits: { readinessDelay: 5_000 } },
      );
      shutdown.request('deploy');
      expect(await client()('/ready')).toMatchObject({ status: 503, body: 'stopping\n' });
      expect(await client()('/live')).toMatchObject({ status: 200, body: 'stopping\n' });
      expect(await client()('/quick')).toMatchObject({ status: 200, connection: 'close', body: 'quick' });
      await clock.advance(5_000);
      expect((await shutdown.stopped()).exitCode).toBe(0);
    });

    it('answer on open connections while the server drains', async () => {
      const answer = gate();
      const { arrived, routes } = waiting(() => answer.promise);
      const { shutdown, httpDrain, client } = await start(make, routes, { retryAfter: 3 });
      const slow = client()('/slow');
      const open = [client(), client(), client()] as const;
      for (const get of open) await get('/quick');
      await arrived.promise;
      shutdown.request('deploy');
      await httpDrain.draining.cancelled();
      expect(await open[0]('/ready')).toMatchObject({ status: 503, body: 'draining\n' });
      expect(await open[1]('/live')).toMatchObject({ status: 200, body: 'draining\n' });
      expect(await open[2]('/quick')).toMatchObject({ status: 503, retryAfter: '3' });
      answer.open();
      expect(await slow).toMatchObject({ status: 200 });
      expect((await shutdown.stopped()).exitCode).toBe(0);
    });

    it('have the given paths, or none', async () => {
      const { client } = await start(
        make,
        { '/ready': async () => 'mine' },
        { readyPath: '/healthz', livePath: false },
      );
      const get = client();
      expect(await get('/healthz')).toMatchObject({ status: 200, body: 'running\n' });
      expect(await get('/ready')).toMatchObject({ status: 200, body: 'mine' });
      expect(await get('/live')).toMatchObject({ status: 404 });
    });
  });

  describe(`the options of ${call}`, () => {
    it('are those of `new HttpDrain`, too: `refuse` answers new requests, and `name` stands in reports', async () => {
      const answer = gate();
      const { arrived, routes } = waiting(() => answer.promise);
      const { shutdown, httpDrain, client } = await start(make, routes, {
        name: 'api',
        refuse: (_, response) => response.end('elsewhere'),
      });
      const slow = client()('/slow');
      const get = client();
      await get('/quick');
      await arrived.promise;
      shutdown.request('deploy');
      await httpDrain.draining.cancelled();
      expect(await get('/quick')).toMatchObject({ status: 503, body: 'elsewhere' });
      answer.open();
      await slow;
      expect((await shutdown.stopped()).drained).toMatchObject([{}, { name: 'api' }]);
    });

    const wrong: [string, object, RegExp][] = [
      ['no shutdown', { shutdown: undefined }, /^fn: shutdown: expected a Shutdown, got undefined$/],
      ['an unknown option', { readypath: '/' }, /^fn: there is no option "readypath"; did you mean "readyPath"\?$/],
      [
        'a relative path',
        { livePath: 'live' },
        /^fn: livePath: expected a path such as "\/ready", or false, got the str/,
      ],
      ['a bad time', { idleGrace: -1 }, /^fn: idleGrace must be milliseconds from 0 to Infinity, got the number -1$/],
      [
        'a bad delay',
        { retryAfter: 1.5 },
        /^fn: retryAfter must be an integer from 0 to 2\^53-1, got the number 1\.5$/,
      ],
      ['no function', { refuse: 503 }, /^fn: refuse: expected a function, got the number 503$/],
      ['no function', { upgraded: true }, /^fn: upgraded: expected a function, got the boolean true$/],
    ];
    it.each(wrong)('are checked: %s is refused', async (_, options, expected) => {
      const shutdown = new Shutdown();
      const made = (async () => {
        const { listen } = await make({}, { shutdown, ...options });
        await listen?.();
      })();
      const { message } = (await made.catch((error: unknown) => error)) as Error;
      expect(message.replace(call, 'fn')).toMatch(expected);
      shutdown.request('deploy');
      expect((await shutdown.stopped()).drained.map((one) => one.name)).toEqual(['guards']);
    });
  });
}
