// Requests that arrive after our FIN, and connections that are older than the drain.
import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect as connectHttp2, createServer as createHttp2Server } from 'node:http2';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import { CancellationToken } from '@quiesce/cancellation-token';
import { VirtualClock } from '@quiesce/cancellation-token/testing';
import { HttpDrain } from '@quiesce/http-drain';
import { describe, expect, it, onTestFinished } from 'vitest';
import { cert, key } from './certificate.ts';
import { Client, dial, gate, heads, serve, serveWith, stopped, turns, until } from './vocabulary.ts';

const never = CancellationToken.never;
const upgrade = ['Connection: Upgrade', 'Upgrade: echo'];

describe('a request for another protocol after the last response', () => {
  it.each(['GET', 'CONNECT'])('is not passed to the handler when its connection was ended: %s', async (method) => {
    const served = await serve((_, response) => response.end('last'));
    const handle = (): never => expect.unreachable();
    served.server.on('upgrade', handle).on('connect', handle);
    served.http.announce();
    const client = await served.client();
    await client.get('/').sees('last');
    expect(await client.ended).toBe('end');
    client.send([`${method} /late:80 HTTP/1.1`, 'Host: test', ...upgrade, '', 'more'].join('\r\n'));
    await until(() => served.http.report().arrivedAfterFinCount === 1);
    client.socket.end();
    await served.http.drain(never);
    expect(heads(client.text)).toEqual(['200 close']);
    expect(served.http.report()).toMatchObject({ arrivedAfterFinCount: 1, completedCount: 1, refusedCount: 0 });
    expect(served.http.inFlightCount).toBe(0);
  });

  it('is not passed to the handler while that response is being sent, and does not cut it off', async () => {
    const finish = gate();
    const served = await serve(async (_, response) => {
      response.write('first');
      await finish;
      response.end('last');
    });
    served.server.on('upgrade', () => expect.unreachable());
    served.http.announce();
    const client = await served.client();
    await client.get('/').sees('first');
    client.get('/late', ...upgrade);
    await until(() => served.http.report().arrivedAfterFinCount === 1);
    finish.open();
    await client.sees('last');
    expect(await client.ended).toBe('end');
    client.socket.end();
    await served.http.drain(never);
    expect(served.http.report()).toMatchObject({ arrivedAfterFinCount: 1, completedCount: 1, refusedCount: 0 });
  });

  it('does not keep the connection open when its client does not close it', async () => {
    const served = await serve(() => {});
    served.server.on('upgrade', () => expect.unreachable());
    const client = await served.client();
    await stopped(served);
    await served.clock.advance(1_000);
    expect(await client.ended).toBe('end');
    client.get('/late', ...upgrade);
    await until(() => served.http.report().arrivedAfterFinCount === 1);
    await served.clock.advance(1_000);
    await served.http.drain(never);
    expect(served.http.report()).toMatchObject({ endedCount: 1, arrivedAfterFinCount: 1, refusedCount: 0 });
  });
});

/** Returns a server that has accepted a connection before it is drained. */
async function old<S extends ReturnType<typeof createServer> | ReturnType<typeof createHttp2Server>>(server: S) {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

describe('a connection that was accepted before the drain was created', () => {
  it('is known from its first upgrade on', async () => {
    const server = createServer();
    const sockets: Socket[] = [];
    server.on('upgrade', (_, socket: Socket) => {
      sockets.push(socket);
      socket.on('error', () => {}).resume();
    });
    const port = await old(server);
    const accepted = once(server, 'connection');
    const client = await dial(port);
    await accepted;
    const clock = new VirtualClock();
    const http = new HttpDrain(server, { clock, upgraded: (socket) => void socket.end('bye') });
    client.get('/chat', ...upgrade);
    await until(() => sockets.length === 1);
    expect(http.inFlightCount).toBe(1);
    const over = http.drain(never);
    await client.sees('bye');
    client.socket.end();
    await over;
    expect(http.report()).toMatchObject({ completedCount: 1 });
  });

  it('is known from its first stream on, when it speaks HTTP/2', async () => {
    const server = createHttp2Server();
    server.on('stream', (stream) => stream.end('ok'));
    const port = await old(server);
    const session = connectHttp2(`http://127.0.0.1:${port}`);
    onTestFinished(() => session.destroy());
    session.on('error', () => {});
    await once(session, 'remoteSettings');
    const clock = new VirtualClock();
    const http = new HttpDrain(server, { clock });
    await once(session.request({ ':path': '/' }).resume(), 'close');
    const goaway = once(session, 'goaway');
    http.stop();
    expect((await goaway).slice(0, 2)).toEqual([0, 2 ** 31 - 1]);
    await clock.advance(1_000);
    await http.drain(never);
    if (!session.destroyed) await once(session, 'close');
  });
});

describe('a connection that is ready only after the listener has closed', () => {
  it('is ended after its own idleGrace when its handshake took longer than the first idleGrace', async () => {
    const served = await serveWith(createHttpsServer({ key, cert }, (_, response) => response.end('ok')));
    const client = await served.client();
    const finish = gate();
    const secure = new Client(connectTls({ socket: slow(client.socket, finish), ca: cert, host: '127.0.0.1' }));
    await turns();
    await stopped(served);
    await served.clock.advance(60_000);
    const handshake = once(served.server, 'secureConnection');
    finish.open();
    await handshake;
    await served.clock.advance(999);
    expect(served.http.report().endedCount).toBe(0);
    await served.clock.advance(1);
    expect(await secure.ended).toBe('end');
    client.socket.end();
    await served.http.drain(never);
    expect(served.http.report()).toMatchObject({ endedCount: 1, destroyed: [] });
  });
});

/** Connects to a server through a relay that holds all bytes but the first until it is released. */
function slow(socket: Socket, mayGoOn: Promise<void>): Duplex {
  let isFirst = true;
  const way = new Duplex({
    write(chunk: Buffer, _, done) {
      if (isFirst) socket.write(chunk.subarray(0, 1));
      const rest = isFirst ? chunk.subarray(1) : chunk;
      isFirst = false;
      void mayGoOn.then(() => socket.write(rest, done));
    },
    read() {},
  });
  socket.setEncoding('latin1').on('data', (text: string) => way.push(Buffer.from(text, 'latin1')));
  socket.on('end', () => way.push(null));
  return way;
}
