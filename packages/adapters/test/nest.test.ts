// Apps of NestJS on Express and on Fastify, with real requests.
import 'reflect-metadata';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  type CanActivate,
  Catch,
  Controller,
  Get,
  HttpException,
  type INestApplication,
  Module,
  type WebSocketAdapter,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { IoAdapter } from '@nestjs/platform-socket.io';
import { WsAdapter } from '@nestjs/platform-ws';
import { WebSocketGateway } from '@nestjs/websockets';
import { InjectToken, nestDrain, ShutdownModule } from '@quiesce/adapters/nest';
import { drainableSocketIo } from '@quiesce/adapters/socket.io';
import { drainableWebSockets } from '@quiesce/adapters/ws';
import type { CancellationToken } from '@quiesce/cancellation-token';
import type { Drainable } from '@quiesce/scope';
import { Shutdown } from '@quiesce/shutdown';
import { io as connectTo } from 'socket.io-client';
import { describe, expect, it, onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import { describeDrain, gate, type MakeApp, type Routes, waiting } from './app-drain.ts';

type Class = new (...given: never[]) => object;

/** Makes a controller, as the decorators of TypeScript do. */
function controllerOf(routes: Routes): Class {
  class RoutesController {}
  const { prototype } = RoutesController;
  for (const [path, route] of Object.entries(routes)) {
    const value = (token: CancellationToken): Promise<string> => route(token);
    Object.defineProperty(prototype, path, { value, configurable: true, writable: true });
    Get(path)(prototype, path, Object.getOwnPropertyDescriptor(prototype, path) as PropertyDescriptor);
    InjectToken()(prototype, path, 0);
  }
  Controller()(RoutesController);
  return RoutesController;
}

function moduleOf(metadata: Parameters<typeof Module>[0]): Class {
  class TestModule {}
  Module(metadata)(TestModule);
  return TestModule;
}

const quiet = { abortOnError: false, logger: false } as const;

async function createApp(root: object, onFastify = false): Promise<INestApplication> {
  return onFastify
    ? NestFactory.create(root as Class, new FastifyAdapter(), quiet)
    : NestFactory.create(root as Class, quiet);
}

const makeOn =
  (onFastify: boolean): MakeApp =>
  async (routes, options) => {
    const app = await createApp(moduleOf({ controllers: [controllerOf(routes)] }), onFastify);
    const { httpDrain } = nestDrain(app, options);
    return { server: app.getHttpServer() as Server, httpDrain, listen: () => app.listen(0, '127.0.0.1') };
  };

describe('on Express', () => describeDrain('nestDrain', 'nest', makeOn(false)));
describe('on Fastify', () => describeDrain('nestDrain', 'nest', makeOn(true)));

/** Starts an app with a shutdown, and returns its URL. */
async function listen(app: INestApplication, shutdown = new Shutdown()) {
  const { httpDrain } = nestDrain(app, { shutdown, idleGrace: 0 });
  await app.listen(0, '127.0.0.1');
  return { shutdown, httpDrain, url: await app.getUrl() };
}

describe('nestDrain', () => {
  it('runs the lifecycle hooks of Nest once, after the last request and in order, with the signal', async () => {
    const log: string[] = [];
    const answer = gate();
    const { arrived, routes } = waiting(() => answer.promise);
    class Database {
      onModuleDestroy(): void {
        log.push('onModuleDestroy');
      }
      beforeApplicationShutdown(signal: string): void {
        log.push(`beforeApplicationShutdown ${signal}`);
      }
      onApplicationShutdown(signal: string): void {
        log.push(`onApplicationShutdown ${signal}`);
      }
    }
    const app = await createApp(moduleOf({ controllers: [controllerOf(routes)], providers: [Database] }));
    const shutdown = new Shutdown();
    const { httpDrain, url } = await listen(app, shutdown);
    const [before, sent] = [process.listenerCount('SIGUSR1'), gate()];
    using _ = shutdown.install({ signals: ['SIGUSR1'] });
    process.once('SIGUSR1', () => sent.open());
    shutdown.stopAccepting.onCancelled(() => log.push('stops accepting'));
    shutdown.hook('pool', () => log.push('pool closed'), { priority: -1 });
    const slow = fetch(`${url}/slow`).then((response) => log.push(`answered ${response.status}`));
    await arrived.promise;
    process.kill(process.pid, 'SIGUSR1');
    await sent.promise;
    await httpDrain.draining.cancelled();
    answer.open();
    await slow;
    const { exitCode, hooks } = await shutdown.stopped();
    expect(log).toEqual([
      ...['stops accepting', 'answered 200', 'onModuleDestroy', 'beforeApplicationShutdown SIGUSR1'],
      ...['onApplicationShutdown SIGUSR1', 'pool closed'],
    ]);
    expect([exitCode, hooks.map(({ name }) => name).sort()]).toEqual([0, ['nest', 'pool']]);
    expect(process.listenerCount('SIGUSR1')).toBe(before);
  });

  it('lets the exception filters of the app answer a request that its token has ended', async () => {
    const { arrived, routes } = waiting((token) => token.cancelled().then(() => Promise.reject(token.reason)));
    const app = await createApp(moduleOf({ controllers: [controllerOf(routes)] }));
    class Filter {
      catch(
        error: HttpException,
        host: { switchToHttp(): { getResponse(): { status(n: number): { send(s: string): void } } } },
      ) {
        host
          .switchToHttp()
          .getResponse()
          .status(error.getStatus())
          .send(`mine: ${String(error.cause)}`);
      }
    }
    Catch(HttpException)(Filter);
    app.useGlobalFilters(new Filter() as never);
    const { shutdown, httpDrain, url } = await listen(app);
    const slow = fetch(`${url}/slow`);
    await arrived.promise;
    httpDrain.abort('enough');
    const response = await slow;
    expect([response.status, response.headers.get('retry-after'), await response.text()]).toEqual([
      503,
      '1',
      'mine: enough',
    ]);
    shutdown.request();
    await shutdown.stopped();
  });

  it.each([false, true])(
    'runs the lifecycle hooks once when the program closes the app, on Fastify: %s',
    async (onFastify) => {
      let count = 0;
      class Database {
        onApplicationShutdown(): void {
          count++;
        }
      }
      for (const isFirst of [true, false]) {
        const app = await createApp(moduleOf({ providers: [Database] }), onFastify);
        const { shutdown, httpDrain } = await listen(app);
        // As at the end of a `main` that waits for `stopAccepting`.
        const closing = isFirst ? app.close() : httpDrain.draining.cancelled().then(() => app.close());
        if (isFirst) await closing;
        shutdown.request('deploy');
        await closing;
        const { exitCode, hooks, drained } = await shutdown.stopped();
        expect([count, exitCode]).toEqual([1, 0]);
        // An app that was closed before leaves nothing in the shutdown.
        if (isFirst) expect([hooks.length, drained.length]).toEqual([0, 1]);
        count = 0;
      }
    },
  );

  it.each([false, true])('lets `listen` end when the shutdown begins before it, on Fastify: %s', async (onFastify) => {
    const shutdown = new Shutdown();
    const starting = shutdown.guard('start');
    const app = await createApp(moduleOf({}), onFastify);
    const { httpDrain } = nestDrain(app, { shutdown, idleGrace: 0 });
    shutdown.request('deploy');
    await httpDrain.draining.cancelled();
    await app.listen(0, '127.0.0.1');
    starting.dispose();
    expect((await shutdown.stopped()).exitCode).toBe(0);
    expect((app.getHttpServer() as Server).listening).toBe(false);
  });

  it.each(['before', 'after'])('refuses `enableShutdownHooks`, called %s it, by name', async (when) => {
    const app = await createApp(moduleOf({}));
    const listenerCount = process.listenerCount('SIGTERM');
    const refused =
      /^app\.enableShutdownHooks: nestDrain\(app, \{ shutdown \}\) runs the lifecycle hooks on shutdown; remove this call/;
    if (when === 'before') app.enableShutdownHooks(['SIGTERM']);
    const drain = () => nestDrain(app, { shutdown: new Shutdown() });
    if (when === 'before') expect(drain).toThrow(refused);
    else {
      drain();
      expect(() => app.enableShutdownHooks()).toThrow(refused);
      expect(process.listenerCount('SIGTERM')).toBe(listenerCount);
    }
    await app.close();
  });

  it('refuses a second app of the same name, which can then be drained by another name', async () => {
    const shutdown = new Shutdown();
    const [first, second] = [await createApp(moduleOf({})), await createApp(moduleOf({}))];
    nestDrain(first, { shutdown });
    expect(() => nestDrain(second, { shutdown })).toThrow(/^hook "nest": another hook has this name/);
    nestDrain(second, { shutdown, name: 'admin' });
    shutdown.request('deploy');
    const { drained } = await shutdown.stopped();
    expect(drained.map(({ name }) => name)).toEqual(['guards', 'nest', 'admin']);
  });

  it('refuses an object that is no app', () => {
    expect(() => nestDrain({} as never, { shutdown: new Shutdown() })).toThrow(
      /^nestDrain: expected an app of NestFactory\.create, got/,
    );
  });
});

describe('a WebSocket gateway', () => {
  /** Starts an app with a gateway that adds the drain of its server, as the guide shows. */
  async function serve(
    WebSockets: new (app: INestApplication) => WebSocketAdapter,
    drain: (server: never) => Drainable,
  ) {
    const shutdown = new Shutdown();
    class Gateway {
      afterInit(server: never): void {
        shutdown.add(drain(server));
      }
    }
    WebSocketGateway()(Gateway);
    const app = await createApp(moduleOf({ providers: [Gateway] }));
    app.useWebSocketAdapter(new WebSockets(app));
    return listen(app, shutdown);
  }

  it('of ws closes its clients with 1001 on shutdown, and holds no drain until its deadline', async () => {
    const { shutdown, url } = await serve(WsAdapter, drainableWebSockets);
    const client = new WebSocket(url.replace('http', 'ws'));
    await once(client, 'open');
    const closed = once(client, 'close');
    shutdown.request('deploy');
    const { exitCode, cutOff } = await shutdown.stopped();
    expect([exitCode, cutOff, (await closed)[0]]).toEqual([0, [], 1001]);
  });

  it('of Socket.IO closes its clients on shutdown, and holds no drain until its deadline', async () => {
    const { shutdown, url } = await serve(IoAdapter, drainableSocketIo);
    const client = connectTo(url, { reconnection: false });
    await new Promise<void>((resolve) => client.once('connect', resolve));
    const closed = new Promise((resolve) => client.once('disconnect', resolve));
    shutdown.request('deploy');
    const { exitCode, cutOff } = await shutdown.stopped();
    expect([exitCode, cutOff, await closed]).toEqual([0, [], 'transport close']);
  });
});

describe('ShutdownModule', () => {
  it('provides the shutdown by its class, and the token of the request to request-scoped classes', async () => {
    const seen: boolean[] = [];
    class Service {
      readonly shutdown: Shutdown;
      readonly token: CancellationToken;
      constructor(shutdown: Shutdown, token: CancellationToken) {
        this.shutdown = shutdown;
        this.token = token;
      }
    }
    Reflect.defineMetadata('design:paramtypes', [Shutdown, Object], Service);
    InjectToken()(Service, undefined, 1);
    class Page {
      declare readonly token: CancellationToken;
      readonly service: Service;
      constructor(service: Service) {
        this.service = service;
      }
      page(token: CancellationToken): string {
        seen.push(token === this.token, token === this.service.token, token.isCancelled);
        return String(this.service.shutdown.name);
      }
    }
    Reflect.defineMetadata('design:paramtypes', [Service], Page);
    InjectToken()(Page.prototype, 'token');
    Get()(Page.prototype, 'page', Object.getOwnPropertyDescriptor(Page.prototype, 'page') as PropertyDescriptor);
    InjectToken()(Page.prototype, 'page', 0);
    Controller()(Page);
    const shutdown = new Shutdown({ name: 'shop' });
    const root = {
      module: moduleOf({ controllers: [Page], providers: [Service] }),
      imports: [ShutdownModule.forRoot({ shutdown })],
    };
    const app = await createApp(root);
    const { url } = await listen(app, shutdown);
    expect(await (await fetch(url)).text()).toBe('shop');
    expect([seen, app.get(Shutdown)]).toEqual([[true, true, false], shutdown]);
    shutdown.request();
    await shutdown.stopped();
  });

  it('refuses wrong options by name', () => {
    expect(() => ShutdownModule.forRoot({} as never)).toThrow(
      /^ShutdownModule\.forRoot: shutdown: expected a Shutdown/,
    );
    expect(() => ShutdownModule.forRoot({ shutdwn: 1 } as never)).toThrow(/did you mean "shutdown"\?$/);
  });
});

describe('InjectToken', () => {
  it('names what is missing when `nestDrain` was not called', async () => {
    const app = await createApp(
      moduleOf({ controllers: [controllerOf({ '/': async (token) => String(token.isCancelled) })] }),
    );
    const failure = gate<unknown>();
    app.useGlobalFilters({
      catch: (error, host) => {
        failure.open(error);
        host.switchToHttp().getResponse().status(500).end();
      },
    });
    await app.listen(0, '127.0.0.1');
    onTestFinished(() => app.close());
    expect((await fetch(await app.getUrl())).status).toBe(500);
    expect(String(await failure.promise)).toBe(
      'TypeError: InjectToken: this is no HTTP request with a token: call nestDrain(app, { shutdown }) before app.listen',
    );
  });

  it('gives the token that guards get from the drain', async () => {
    const seen: CancellationToken[] = [];
    const handler = async (token: CancellationToken): Promise<string> => String(seen.push(token));
    const app = await createApp(moduleOf({ controllers: [controllerOf({ '/': handler })] }));
    const shutdown = new Shutdown();
    const { httpDrain } = nestDrain(app, { shutdown, idleGrace: 0 });
    const guard: CanActivate = {
      canActivate: (execution) => seen.push(httpDrain.tokenOf(execution.switchToHttp().getRequest())) > 0,
    };
    app.useGlobalGuards(guard);
    await app.listen(0, '127.0.0.1');
    expect(await (await fetch(await app.getUrl())).text()).toBe('2');
    expect(seen[0]).toBe(seen[1]);
    shutdown.request();
    await shutdown.stopped();
  });

  it('gives requests of another server of the app the token `stopNow` of the shutdown', async () => {
    const shutdown = new Shutdown();
    const same = async (token: CancellationToken): Promise<string> => String(token === shutdown.stopNow);
    const app = await createApp(moduleOf({ controllers: [controllerOf({ '/': same })] }));
    nestDrain(app, { shutdown });
    await app.init();
    const other = createServer(app.getHttpAdapter().getInstance());
    await once(other.listen(0, '127.0.0.1'), 'listening');
    onTestFinished(() => void other.close());
    const response = await fetch(`http://127.0.0.1:${(other.address() as AddressInfo).port}/`);
    expect(await response.text()).toBe('true');
  });
});
