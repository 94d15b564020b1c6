import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { drainableWebSockets } from '@quiesce/adapters/ws';
import { CancellationToken, setUncaughtHandler, systemClock } from '@quiesce/cancellation-token';
import { VirtualClock } from '@quiesce/cancellation-token/testing';
import { HttpDrain } from '@quiesce/http-drain';
import { Shutdown } from '@quiesce/shutdown';
import { describe, expect, it, onTestFinished } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { listen, until, upgradeRaw } from './socket-clients.ts';

const never = CancellationToken.never;

async function serve(options: object = {}) {
  const server = createServer((_, response) => void response.end('hello'));
  const sockets = new WebSocketServer({ server, path: '/chat', ...options });
  const port = await listen(server);
  return { server, sockets, port, url: `ws://127.0.0.1:${port}/chat` };
}

async function open(url: string): Promise<WebSocket> {
  const client = new WebSocket(url);
  onTestFinished(() => client.terminate());
  await once(client, 'open');
  return client;
}

/** Waits for the close of a client. */
async function closed(client: WebSocket): Promise<[number, string]> {
  const [code, reason] = await once(client, 'close');
  return [code, String(reason)];
}

/** The status that a client gets for its upgrade. */
async function refused(url: string): Promise<string> {
  const client = new WebSocket(url);
  client.on('error', () => {});
  const [, response] = await once(client, 'unexpected-response');
  response.resume();
  return `${response.statusCode} ${response.headers['retry-after']}`;
}

describe('drainableWebSockets', () => {
  it('sends 1001 to every client, and drains when all have answered', async () => {
    const { sockets, url } = await serve();
    const drain = drainableWebSockets(sockets, { reason: 'deploy' });
    const clients = await Promise.all([open(url), open(url), open(url)]);
    expect(drain).toMatchObject({ name: 'websockets', inFlightCount: 3 });
    const codes = Promise.all(clients.map(closed));
    await drain.drain(never);
    expect(drain.inFlightCount).toBe(0);
    expect(await codes).toEqual([1, 2, 3].map(() => [1001, 'deploy']));
  });

  it('sends the code that was given', async () => {
    const { sockets, url } = await serve();
    const code = closed(await open(url));
    await drainableWebSockets(sockets, { code: 1012 }).drain(never);
    expect(await code).toEqual([1012, '']);
  });

  it('destroys a connection whose client does not answer within `closeTimeout`, and no other timer is left', async () => {
    const { sockets, port, url } = await serve();
    const clock = new VirtualClock();
    const drain = drainableWebSockets(sockets, { clock, closeTimeout: 500 });
    const client = closed(await open(url));
    const { socket } = await upgradeRaw(port, '/chat');
    const ended = once(socket, 'close');
    const draining = drain.drain(never);
    await client;
    await until(() => drain.inFlightCount === 1 && clock.pendingCount === 1);
    await clock.advance(499);
    expect(drain.inFlightCount).toBe(1);
    await clock.advance(1);
    await draining;
    expect(clock.pendingCount).toBe(0);
    await ended;
  });

  it('refuses new clients with 503 while it drains, in each mode of the server', async () => {
    const bySocket = await serve();
    const byHand = createServer();
    const noServer = new WebSocketServer({ noServer: true });
    byHand.on('upgrade', (request, socket, head) => {
      noServer.handleUpgrade(request, socket, head, (client) => noServer.emit('connection', client, request));
    });
    const handUrl = `ws://127.0.0.1:${await listen(byHand)}/chat`;
    for (const [sockets, url] of [[bySocket.sockets, bySocket.url] as const, [noServer, handUrl] as const]) {
      const drain = drainableWebSockets(sockets, { clock: new VirtualClock() });
      const client = await open(url);
      client.pause(); // does not read the close frame
      drain.stop();
      expect(await refused(url)).toBe('503 1');
      client.resume();
      await drain.drain(never);
    }
  });

  it('stops listening at once when the server has its own port', async () => {
    const sockets = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    await once(sockets, 'listening');
    const url = `ws://127.0.0.1:${(sockets.address() as AddressInfo).port}`;
    const client = closed(await open(url));
    const drain = drainableWebSockets(sockets);
    const ended = once(sockets, 'close');
    drain.stop();
    await expect(open(url)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    await drain.drain(never);
    expect(await client).toEqual([1001, '']);
    await ended;
  });

  it('closes a client whose handshake ends after `stop`', async () => {
    let accept: (isAccepted: boolean) => void = () => {};
    const { sockets, url } = await serve({
      verifyClient: (_: unknown, callback: typeof accept) => {
        accept = callback;
      },
    });
    const drain = drainableWebSockets(sockets);
    const client = new WebSocket(url);
    const opened = once(client, 'open');
    const code = closed(client);
    await until(() => accept.length > 0);
    drain.stop();
    accept(true);
    await opened;
    expect(await code).toEqual([1001, '']);
    await drain.drain(never);
  });

  it('awaits `beforeClose` of each client before its close frame', async () => {
    const { sockets, url } = await serve();
    const client = await open(url);
    const messages: string[] = [];
    client.on('message', (data) => messages.push(String(data)));
    const code = closed(client);
    await drainableWebSockets(sockets, {
      async beforeClose(socket, token) {
        await new Promise(setImmediate);
        expect(token.isCancelled).toBe(false);
        socket.send('the last reply');
      },
    }).drain(never);
    expect(await code).toEqual([1001, '']);
    expect(messages).toEqual(['the last reply']);
  });

  it('closes a client whose `beforeClose` fails, and reports the error as uncaught', async () => {
    const { sockets, url } = await serve();
    const uncaught: unknown[] = [];
    const restore = setUncaughtHandler((error) => uncaught.push(error));
    onTestFinished(() => void setUncaughtHandler(restore));
    const code = closed(await open(url));
    const beforeClose = (): never => {
      throw new Error('no goodbye');
    };
    await drainableWebSockets(sockets, { beforeClose }).drain(never);
    expect(await code).toEqual([1001, '']);
    expect(uncaught).toMatchObject([{ message: 'no goodbye' }]);
  });

  it('destroys the connections at the deadline, cancels the token of `beforeClose`, and rejects with the reason', async () => {
    const { sockets, url } = await serve();
    const client = closed(await open(url));
    const reasons: unknown[] = [];
    const drain = drainableWebSockets(sockets, {
      beforeClose: (_, token) => token.cancelled().then(() => void reasons.push(token.reason)),
    });
    const deadline = new CancellationToken();
    const draining = drain.drain(deadline);
    deadline.cancel('too late');
    await expect(draining).rejects.toBe('too late');
    expect(await client).toEqual([1006, '']);
    expect(reasons).toEqual(['too late']);
    expect(drain.inFlightCount).toBe(0);
  });

  it('ends at once without clients, and fulfils although its signal is cancelled', async () => {
    const { sockets } = await serve();
    const drain = drainableWebSockets(sockets);
    const ended = once(sockets, 'close');
    await drain.drain(CancellationToken.alreadyCancelled('too late'));
    await ended;
  });
});

describe('a WebSocket that does not answer', () => {
  async function shutDown(isAdded: boolean): Promise<Shutdown> {
    const { server, sockets, port } = await serve();
    const shutdown = new Shutdown({ drainTimeout: isAdded ? 60_000 : 100, cancelTimeout: 1_000 });
    const idle = { idleGrace: 10, cleanupTimeout: 10, clock: systemClock };
    shutdown.add(new HttpDrain(server, idle));
    if (isAdded) shutdown.add(drainableWebSockets(sockets, { closeTimeout: 50 }));
    await upgradeRaw(port, '/chat');
    shutdown.request('deploy');
    await shutdown.stopped();
    return shutdown;
  }

  it('holds a server without the adapter until its deadline: exit code 1', async () => {
    const shutdown = await shutDown(false);
    expect(shutdown.report()).toMatchObject({ exitCode: 1, cutOff: [{ name: 'http', names: ['GET /chat'] }] });
  });

  it('holds a server with the adapter until `closeTimeout`: exit code 0', async () => {
    const shutdown = await shutDown(true);
    expect(shutdown.report()).toMatchObject({ exitCode: 0, cutOff: [] });
  });
});

describe('drainableWebSockets refuses', () => {
  const noServer = new WebSocketServer({ noServer: true });
  const untracked = new WebSocketServer({ noServer: true, clientTracking: false });

  it.each([
    ['nothing', undefined, {}, 'TypeError: drainableWebSockets: expected a WebSocketServer, got undefined'],
    ['another server', createServer(), {}, 'TypeError: drainableWebSockets: expected a WebSocketServer, got a Server'],
    ['a server that does not track its clients', untracked, {}, /got a WebSocketServer; remove clientTracking: false$/],
    ['an unknown option', noServer, { grace: 1 }, /^TypeError: drainableWebSockets: there is no option "grace"/],
    [
      'a reserved code',
      noServer,
      { code: 1006 },
      /^RangeError: drainableWebSockets: code must be .* got the number 1006$/,
    ],
    ['a code that is no number', noServer, { code: '1001' }, /got the string "1001"$/],
    [
      'a reason that is no string',
      noServer,
      { reason: 1 },
      'TypeError: drainableWebSockets: reason: expected a string',
    ],
    [
      'a reason that is too long',
      noServer,
      { reason: 'ü'.repeat(62) },
      /^RangeError: drainableWebSockets: reason must have/,
    ],
    [
      'a wrong time',
      noServer,
      { closeTimeout: -1 },
      /^RangeError: drainableWebSockets: closeTimeout must be milliseconds/,
    ],
    [
      'a `beforeClose` that is no function',
      noServer,
      { beforeClose: 1 },
      /^TypeError: drainableWebSockets: beforeClose:/,
    ],
  ])('%s', (_, server, options, text) => {
    let error: unknown;
    try {
      drainableWebSockets(server as never, options as never);
    } catch (thrown) {
      error = thrown;
    }
    expect(String(error)).toMatch(text);
  });
});
