// Places and times of listening: sockets of the file system, several servers, and drains before, after and during `listen`.
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, request } from 'node:http';
import { type AddressInfo, connect as connectTo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CancellationToken } from '@quiesce/cancellation-token';
import { VirtualClock } from '@quiesce/cancellation-token/testing';
import { HttpDrain } from '@quiesce/http-drain';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Client, dialled, gate, serve, stopped, turns } from './vocabulary.ts';

const never = CancellationToken.never;

/** An address without a port. Windows has pipes. */
function address(): string {
  if (process.platform === 'win32') return `\\\\.\\pipe\\quiesce-${process.pid}`;
  const folder = mkdtempSync(join(tmpdir(), 'quiesce-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return join(folder, 'http');
}

describe('a server that listens on a socket of the file system', () => {
  it('serves requests that it has received, and refuses new connections', async () => {
    const [arrived, answer] = [gate(), gate()];
    const server = createServer(async (_, response) => {
      arrived.open();
      await answer;
      response.end('whole');
    });
    const clock = new VirtualClock();
    const http = new HttpDrain(server, { clock });
    // It has yet to listen.
    expect(http.isAccepting).toBe(true);
    const socketPath = address();
    server.listen(socketPath);
    expect(http.isAccepting).toBe(true);
    await once(server, 'listening');
    const responded = once(request({ socketPath, agent: false }).end(), 'response');
    await arrived;
    expect(http.isAccepting).toBe(true);
    const over = http.drain(never);
    await http.draining.cancelled();
    expect(http.isAccepting).toBe(false);
    const [error] = await once(request({ socketPath, agent: false }).end(), 'error');
    expect(['ENOENT', 'ECONNREFUSED']).toContain(error.code);
    answer.open();
    const [response] = await responded;
    expect(response.headers.connection).toBe('close');
    response.resume();
    await over;
    expect(http.report()).toMatchObject({ completedCount: 1, destroyed: [] });
  });
});

/** Returns an unused port. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

// macOS has one address on its loopback.
describe.skipIf(process.platform === 'darwin')('a client with the port of the probe, on another host', () => {
  it('is served, and is not mistaken for the probe', async () => {
    const server = createServer((_, response) => response.end('whole'));
    const http = new HttpDrain(server, { clock: new VirtualClock() });
    server.listen(0, '0.0.0.0');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const localPort = await freePort();
    const { connect } = Socket.prototype;
    onTestFinished(() => void Object.assign(Socket.prototype, { connect }));
    // The probe gets the port of the client.
    Socket.prototype.connect = function (this: Socket, ...given: unknown[]) {
      const [options] = given[0] as [{ localAddress?: string; localPort?: number }];
      Object.assign(options, { localAddress: options.localAddress ?? '127.0.0.1', localPort });
      return Reflect.apply(connect, this, given);
    } as typeof connect;
    const client = new Client(connectTo({ host: '127.0.0.1', port, localAddress: '127.0.0.2' }));
    http.stop();
    client.get('/', 'Connection: close');
    await client.sees('whole');
    await http.drain(never);
    expect(http.report()).toMatchObject({ completedCount: 1, disconnectedCount: 0 });
  });
});

describe('several servers', () => {
  it('are drained separately, also with one token and at the same time', async () => {
    const stopping = new CancellationToken();
    const servers = await Promise.all(
      ['a', 'b'].map((name) => serve((_, response) => response.end(name), { name, signal: stopping })),
    );
    stopping.cancel();
    expect(servers.map(({ http }) => http.state)).toEqual(['stopping', 'stopping']);
    const [a, b] = servers;
    if (a === undefined || b === undefined) throw new Error('two servers');
    await a.http.drain(never);
    expect([a.http.state, b.http.state]).toEqual(['drained', 'stopping']);
    expect(await dialled(b.port)).toBe('connected');
    await b.http.drain(never);
  });
});

describe('a server that cannot listen', () => {
  it('is not accepting', async () => {
    const taken = await serve(() => {});
    const server = createServer();
    const http = new HttpDrain(server);
    server.listen(taken.port, '127.0.0.1');
    expect(http.isAccepting).toBe(true);
    await once(server, 'error');
    expect(http.isAccepting).toBe(false);
  });
});

describe('a drain', () => {
  it('that is called while the listener is closing continues the stop', async () => {
    const served = await serve((_, response) => response.end('ok'));
    served.http.stop();
    expect(served.http.state).toBe('closing');
    await Promise.all([served.http.drain(never), served.http.drain(never)]);
    expect(served.http.state).toBe('drained');
  });

  it('of a closed server ends at once', async () => {
    const served = await serve((_, response) => response.end('ok'));
    let closed = 0;
    served.server.on('close', () => closed++).close();
    await once(served.server, 'close');
    await served.http.drain(never);
    await turns();
    expect([served.http.state, closed]).toEqual(['drained', 1]);
  });

  it('of a server that begins to listen in the same iteration of the event loop as `stop` closes that listener too', async () => {
    const server = createServer();
    const http = new HttpDrain(server);
    http.stop();
    server.listen(0, '127.0.0.1');
    await http.drain(never);
    await turns();
    expect(server.listening).toBe(false);
  });

  it('rejects when its deadline has passed before, and still closes everything', async () => {
    const served = await serve(() => {}, { cleanupTimeout: 0 });
    (await served.client()).get('/unsent');
    await turns();
    await expect(served.http.drain(CancellationToken.alreadyCancelled('now'))).rejects.toBe('now');
    expect(served.http.report()).toMatchObject({ destroyed: ['GET /unsent'], cancelledCount: 1 });
    expect(served.http.state).toBe('drained');
    await expect(served.http.drain(never)).resolves.toBe(undefined);
  });

  it('is awaited also by a call during cleanupTimeout', async () => {
    const served = await serve(() => {}, { cleanupTimeout: 500 });
    (await served.client()).get('/deaf');
    await turns();
    const first = served.http.drain(CancellationToken.alreadyCancelled('first')).catch((error) => error);
    await stopped(served);
    const second = served.http.drain(never);
    await served.clock.advance(499);
    expect(served.http.state).toBe('draining');
    await served.clock.advance(1);
    expect(await first).toBe('first');
    await second;
    expect(served.http.report().destroyed).toEqual(['GET /deaf']);
  });

  it('leaves a server whose `close` reports that it is closed', async () => {
    const { server, http } = await serve(() => {});
    await http.drain(never);
    await turns();
    const errors = await Promise.all([1, 2].map(() => new Promise((resolve) => server.close(resolve))));
    expect(errors).toMatchObject([{ code: 'ERR_SERVER_NOT_RUNNING' }, { code: 'ERR_SERVER_NOT_RUNNING' }]);
  });
});
