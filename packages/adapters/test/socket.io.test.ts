import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect, createServer as createBalancer } from 'node:net';
import { drainableSocketIo } from '@quiesce/adapters/socket.io';
import { CancellationToken, systemClock } from '@quiesce/cancellation-token';
import { VirtualClock } from '@quiesce/cancellation-token/testing';
import { HttpDrain } from '@quiesce/http-drain';
import { Shutdown } from '@quiesce/shutdown';
import { Server, type ServerOptions } from 'socket.io';
import { io as connectTo, type ManagerOptions, type Socket, type SocketOptions } from 'socket.io-client';
import { describe, expect, it, onTestFinished } from 'vitest';
import { listen, until, upgradeRaw } from './socket-clients.ts';

const never = CancellationToken.never;
const polling = { transports: ['polling'] };
const websocket = { transports: ['websocket'] };

async function serve(options: Partial<ServerOptions> = {}) {
  const server = createServer((_, response) => void response.end('hello'));
  const io = new Server(server, options);
  const port = await listen(server);
  onTestFinished(() => void io.close());
  return { server, io, port, url: `http://127.0.0.1:${port}` };
}

function client(url: string, options: Partial<ManagerOptions & SocketOptions> = {}): Socket {
  const socket = connectTo(url, { reconnection: false, forceNew: true, ...options });
  onTestFinished(() => void socket.close());
  return socket;
}

async function connected(url: string, options?: Partial<ManagerOptions & SocketOptions>): Promise<Socket> {
  const socket = client(url, options);
  await new Promise<void>((resolve) => socket.once('connect', resolve));
  return socket;
}

/** Waits for the end of a client, and returns its reason. */
function ended(socket: Socket): Promise<string> {
  return new Promise((resolve) => socket.once('disconnect', resolve));
}

describe('drainableSocketIo', () => {
  it.each([
    ['by WebSocket', websocket],
    ['by polling', polling],
    ['by polling first, then by WebSocket', {}],
  ])('closes clients that are connected %s with a reason after which they reconnect', async (_, options) => {
    const { io, url } = await serve();
    const drain = drainableSocketIo(io);
    const clients = await Promise.all([connected(url, options), connected(url, options)]);
    const reasons = Promise.all(clients.map(ended));
    await drain.drain(never);
    expect(drain.inFlightCount).toBe(0);
    expect(await reasons).toEqual(['transport close', 'transport close']);
  });

  it('counts each client once', async () => {
    const { io, url } = await serve();
    const drain = drainableSocketIo(io);
    await Promise.all([connected(url, websocket), connected(url, polling)]);
    expect(drain).toMatchObject({ name: 'socket.io', inFlightCount: 2 });
  });

  it('sends packets that were emitted before the close', async () => {
    const { io, url } = await serve();
    const drain = drainableSocketIo(io);
    for (const options of [websocket, polling]) {
      const socket = await connected(url, options);
      socket.on('goodbye', (text) => messages.push(text));
    }
    const messages: string[] = [];
    io.emit('goodbye', 'see you');
    await drain.drain(never);
    await until(() => messages.length === 2);
  });

  it.each([
    ['by WebSocket', websocket],
    ['by polling', polling],
  ])('refuses a new client %s with 503 while it drains', async (_, options) => {
    const { io, url } = await serve();
    drainableSocketIo(io).stop();
    const socket = client(url, options);
    const error = await new Promise<Error & { description?: unknown; context?: { status?: number } }>((resolve) =>
      socket.once('connect_error', resolve),
    );
    if (options === polling) expect(error.description).toBe(503);
    else expect(JSON.stringify(error.description, ['message'])).toContain('503');
  });

  it('closes a client whose handshake ends after `stop`', async () => {
    let accept: (error: null, isAllowed: boolean) => void = () => {};
    const allowRequest: ServerOptions['allowRequest'] = (_, callback) => {
      accept = callback;
    };
    const { io, url } = await serve({ allowRequest });
    const drain = drainableSocketIo(io);
    const socket = client(url, websocket);
    const failed = new Promise((resolve) => {
      socket.once('connect_error', resolve);
      socket.once('disconnect', resolve);
    });
    await until(() => accept.length > 0);
    drain.stop();
    accept(null, true);
    await failed;
    await drain.drain(never);
    expect(drain.inFlightCount).toBe(0);
  });

  it('destroys a connection whose client does not answer within `closeTimeout`', async () => {
    const { io, port } = await serve();
    const clock = new VirtualClock();
    const drain = drainableSocketIo(io, { clock, closeTimeout: 500 });
    const { socket } = await upgradeRaw(port, '/socket.io/?EIO=4&transport=websocket');
    const end = once(socket, 'close');
    const draining = drain.drain(never);
    await clock.advance(499);
    expect(drain.inFlightCount).toBe(1);
    await clock.advance(1);
    await draining;
    await end;
    expect(clock.pendingCount).toBe(0);
  });

  it('does not wait for a client that polls, and has gone', async () => {
    const { io, url } = await serve();
    const clock = new VirtualClock();
    const drain = drainableSocketIo(io, { clock, closeTimeout: 500 });
    await fetch(`${url}/socket.io/?EIO=4&transport=polling`).then((response) => response.text());
    expect(drain.inFlightCount).toBe(1);
    const draining = drain.drain(never);
    await clock.advance(500);
    await draining;
    expect(drain.inFlightCount).toBe(0);
  });

  it('destroys the connections at the deadline, and rejects with the reason', async () => {
    const { io, port } = await serve();
    const drain = drainableSocketIo(io);
    await upgradeRaw(port, '/socket.io/?EIO=4&transport=websocket');
    const deadline = new CancellationToken();
    const draining = drain.drain(deadline);
    deadline.cancel('too late');
    await expect(draining).rejects.toBe('too late');
    expect(drain.inFlightCount).toBe(0);
  });

  it('lets clients reconnect to another instance while this one drains', async () => {
    const [old, young] = [await serve(), await serve()];
    let target = old.port;
    const balancer = createBalancer((socket) => {
      const upstream = connect(target, '127.0.0.1');
      socket.on('error', () => {}).pipe(upstream);
      upstream.on('error', () => {}).pipe(socket);
    });
    balancer.listen(0, '127.0.0.1');
    await once(balancer, 'listening');
    onTestFinished(() => void balancer.close());
    const url = `http://127.0.0.1:${(balancer.address() as AddressInfo).port}`;
    const shutdown = new Shutdown();
    shutdown.add(new HttpDrain(old.server, { idleGrace: 10 }));
    shutdown.add(drainableSocketIo(old.io));
    const socket = await connected(url, { ...websocket, reconnection: true, reconnectionDelay: 1 });
    const again = new Promise<void>((resolve) => socket.once('connect', resolve));
    target = young.port;
    shutdown.request('deploy');
    await again;
    expect(young.io.engine.clientsCount).toBe(1);
    await shutdown.stopped();
  });
});

describe('a client that does not answer', () => {
  async function shutDown(isAdded: boolean): Promise<Shutdown> {
    const { server, io, port } = await serve();
    const shutdown = new Shutdown({ drainTimeout: isAdded ? 60_000 : 100, cancelTimeout: 1_000 });
    shutdown.add(new HttpDrain(server, { idleGrace: 10, cleanupTimeout: 10, clock: systemClock }));
    if (isAdded) shutdown.add(drainableSocketIo(io, { closeTimeout: 50 }));
    await upgradeRaw(port, '/socket.io/?EIO=4&transport=websocket');
    shutdown.request('deploy');
    await shutdown.stopped();
    return shutdown;
  }

  it('holds a server without the adapter until its deadline: exit code 1', async () => {
    const shutdown = await shutDown(false);
    expect(shutdown.report()).toMatchObject({ exitCode: 1, cutOff: [{ name: 'http', names: ['GET /socket.io/'] }] });
  });

  it('holds a server with the adapter until `closeTimeout`: exit code 0', async () => {
    const shutdown = await shutDown(true);
    expect(shutdown.report()).toMatchObject({ exitCode: 0, cutOff: [] });
  });
});

describe('drainableSocketIo refuses', () => {
  it('a server that has clients, which it does not know', async () => {
    const { io: late, url } = await serve();
    await connected(url);
    expect(() => drainableSocketIo(late)).toThrow(
      'drainableSocketIo: the server has 1 client already; call it before the server',
    );
  });

  const io = new Server(createServer());

  it.each([
    ['nothing', undefined, {}, 'TypeError: drainableSocketIo: expected a Server of Socket.IO, got undefined'],
    [
      'an HTTP server',
      createServer(),
      {},
      'TypeError: drainableSocketIo: expected a Server of Socket.IO, got a Server',
    ],
    [
      'a server that is not attached',
      new Server(),
      {},
      /an attached server, got (a Server|an object); write new Server\(httpServer\)$/,
    ],
    [
      'a server of a version that is too old',
      { disconnectSockets: () => {}, engine: {} },
      {},
      'TypeError: drainableSocketIo() supports socket.io ^4.6, and this server is older: npm install "socket.io@^4.6"',
    ],
    ['an unknown option', io, { code: 1001 }, /^TypeError: drainableSocketIo: there is no option "code"/],
    ['a wrong time', io, { closeTimeout: -1 }, /^RangeError: drainableSocketIo: closeTimeout must be milliseconds/],
  ])('%s', (_, server, options, text) => {
    let error: unknown;
    try {
      drainableSocketIo(server as never, options as never);
    } catch (thrown) {
      error = thrown;
    }
    expect(String(error)).toMatch(text);
  });
});
