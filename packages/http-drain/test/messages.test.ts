// Every kind of message of HTTP/1, during a stop.
import { createServer, type RequestListener } from 'node:http';
import type { Socket } from 'node:net';
import { CancellationToken } from '@quiesce/cancellation-token';
import { describe, expect, it } from 'vitest';
import { gate, heads, serve, serveWith, stopped, turns, until } from './vocabulary.ts';

const never = CancellationToken.never;
const upgrade = ['Connection: Upgrade', 'Upgrade: echo'];

describe('a response in progress when stopping begins', () => {
  const sent: [string, string, RequestListener, RegExp][] = [
    ['to HTTP/1.0', 'GET / HTTP/1.0\r\n\r\n', (_, response) => response.end('old'), /Connection: close\r\n.*old$/s],
    [
      'to HTTP/1.0 with keep-alive',
      'GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n',
      (_, response) => response.end('old'),
      /Connection: close\r\n.*old$/s,
    ],
    [
      'to HEAD',
      'HEAD / HTTP/1.1\r\nHost: test\r\n\r\n',
      (_, response) => response.setHeader('Content-Length', 5).end('never'),
      /Content-Length: 5\r\n.*Connection: close\r\n(.*\r\n)?\r\n$/s,
    ],
    [
      '304',
      'GET / HTTP/1.1\r\nHost: test\r\nIf-None-Match: "1"\r\n\r\n',
      (_, response) => response.writeHead(304, { ETag: '"1"' }).end(),
      /304 Not Modified\r\n.*Connection: close\r\n(.*\r\n)?\r\n$/s,
    ],
    [
      'with trailers, to a request in chunks with trailers',
      'POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 3\r\n\r\n',
      (request, response) => {
        response.writeHead(200, { Trailer: 'X-Echo' });
        request.resume().on('end', () => {
          response.write('body');
          response.addTrailers({ 'X-Echo': String(request.trailers['x-sum']) });
          response.end();
        });
      },
      /Connection: close\r\n.*4\r\nbody\r\n0\r\nX-Echo: 3\r\n\r\n$/s,
    ],
  ];
  it.each(sent)('%s, has Connection: close, and is complete', async (_, text, respond, expected) => {
    const [arrived, answer] = [gate(), gate()];
    const served = await serve(async (request, response) => {
      arrived.open();
      await answer;
      respond(request, response);
    });
    const client = (await served.client()).send(text);
    await arrived;
    await stopped(served);
    const over = served.http.drain(never);
    answer.open();
    expect(await client.ended).toBe('end');
    expect(client.text).toMatch(expected);
    client.socket.end();
    await over;
    expect(served.http.report()).toMatchObject({ completedCount: 1, disconnectedCount: 0, destroyed: [] });
  });

  it('to a client that pauses reading is complete', async () => {
    const served = await serve((_, response) => void response.end('x'.repeat(20_000_000)));
    const client = await served.client();
    client.get('/big');
    await client.sees('xxx');
    client.socket.pause();
    await stopped(served);
    const over = served.http.drain(never);
    await served.clock.advance(60_000);
    expect(served.http.inFlightCount).toBe(1);
    client.socket.resume();
    await until(() => served.http.inFlightCount === 0);
    await served.clock.advance(1_000);
    expect(await client.ended).toBe('end');
    client.socket.end();
    await over;
    expect(client.text.length - client.text.indexOf('xxx')).toBe(20_000_000);
  });
});

describe('an upload', () => {
  const head = 'POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 10\r\n\r\n';

  it('that its client breaks off counts as aborted', async () => {
    const served = await serve((request) => void request.on('error', () => {}).resume());
    const client = (await served.client()).send(`${head}abc`);
    await until(() => served.http.inFlightCount === 1);
    await stopped(served);
    client.socket.resetAndDestroy();
    await served.http.drain(never);
    expect(served.http.report()).toMatchObject({ disconnectedCount: 1, completedCount: 0, destroyed: [] });
    expect(served.clock.pendingCount).toBe(0);
  });

  it('that continues after its response leaves an idle connection, which is ended', async () => {
    const received = gate();
    const served = await serve((request, response) => {
      request.on('end', received.open);
      response.end('enough');
    });
    const client = (await served.client()).send(`${head}abc`);
    await client.sees('enough');
    client.send('def');
    await turns();
    await stopped(served);
    await served.clock.advance(5_000);
    client.send('ghij');
    await received;
    await served.clock.advance(999);
    expect(served.http.report().endedCount).toBe(0);
    await served.clock.advance(1);
    expect(await client.ended).toBe('end');
    client.socket.end();
    await served.http.drain(never);
    expect(served.http.report()).toMatchObject({ endedCount: 1, arrivedAfterFinCount: 0 });
  });
});

describe('half a head', () => {
  it('that arrived while the request before it was in progress gets its 503 when it is complete', async () => {
    const answer = gate();
    const served = await serve(async (_, response) => {
      await answer;
      response.end('first');
    });
    const client = (await served.client()).get('/first');
    await turns();
    client.send('GET /second HTTP/1.1\r\nHo');
    await turns();
    answer.open();
    await client.sees('first');
    await stopped(served);
    await served.clock.advance(60_000);
    client.send('st: test\r\n\r\n');
    await client.sees('try again');
    expect(heads(client.text)).toEqual(['200 keep-alive', '503 close']);
  });

  it('after a body that was read slowly does not count as idle either', async () => {
    const served = await serve((request, response) => void request.resume().on('end', () => response.end('first')));
    const client = (await served.client()).send('POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 3\r\n\r\nab');
    await turns();
    await client.send('c').sees('first');
    client.send('GET /second HTTP/1.1\r\nHo');
    await turns();
    await stopped(served);
    await served.clock.advance(60_000);
    client.send('st: test\r\n\r\n');
    await client.sees('try again');
  });
});

describe('a request for another protocol', () => {
  it.each(['GET', 'CONNECT'])('that is too late is refused after the responses before it: %s', async (method) => {
    const finish = gate();
    const served = await serve(async (_, response) => {
      response.write('first');
      await finish;
      response.end('last');
    });
    served.server.on('upgrade', () => expect.unreachable()).on('connect', () => expect.unreachable());
    const client = (await served.client()).get('/slow');
    await client.sees('first');
    await stopped(served);
    const over = served.http.drain(never);
    client.send([`${method} /late:80 HTTP/1.1`, 'Host: test', ...upgrade, '', ''].join('\r\n'));
    await until(() => served.http.report().refusedCount === 1);
    expect(client.text).not.toContain('503');
    finish.open();
    expect(await client.ended).toBe('end');
    client.socket.end();
    await over;
    expect(heads(client.text)).toEqual(['200 keep-alive', '503 close']);
    expect(client.text).toMatch(/4\r\nlast\r\n0\r\n\r\nHTTP\/1\.1 503/);
    expect(served.http.report()).toMatchObject({ completedCount: 1, refusedCount: 1, arrivedAfterFinCount: 0 });
  });

  it('removes the mark from the response before it, which has not been sent', async () => {
    const answer = gate();
    const served = await serve(async (_, response) => {
      await answer;
      response.end('first');
    });
    served.server.on('upgrade', () => expect.unreachable());
    const client = (await served.client()).get('/slow');
    await until(() => served.http.inFlightCount === 1);
    await stopped(served);
    client.get('/late', ...upgrade);
    await until(() => served.http.report().refusedCount === 1);
    answer.open();
    expect(await client.ended).toBe('end');
    expect(heads(client.text)).toEqual(['200 keep-alive', '503 close']);
  });

  it('is destroyed one idleGrace after its refusal when its client does not close it', async () => {
    const served = await serve(() => {});
    served.server.on('upgrade', () => expect.unreachable());
    const client = await served.client();
    await stopped(served);
    await client.get('/late', ...upgrade).sees('503');
    await served.clock.advance(1_000);
    await served.http.drain(never);
    expect(served.clock.pendingCount).toBe(0);
  });

  it('of CONNECT is a tunnel, passed to the callback and awaited', async () => {
    const served = await serveWith(createServer(), { upgraded: (socket) => void socket.end('bye') });
    served.server.on('connect', (_, socket: Socket, head: Buffer) => {
      socket.write(`HTTP/1.1 200 Connected\r\n\r\n${head}`);
    });
    const client = (await served.client()).send('CONNECT far:443 HTTP/1.1\r\nHost: far:443\r\n\r\nhello');
    await client.sees('hello');
    expect(served.http.inFlightCount).toBe(1);
    const over = served.http.drain(never);
    await client.sees('bye');
    client.socket.end();
    await over;
    expect(served.http.report()).toMatchObject({ completedCount: 1, destroyed: [] });
  });

  it('with an unread body is awaited like any other', async () => {
    const served = await serveWith(createServer(), { upgraded: (socket) => void socket.end('bye') });
    served.server.on('upgrade', (_, socket: Socket) => void socket.write('HTTP/1.1 101 Switching Protocols\r\n\r\n'));
    const client = await served.client();
    client.send(['POST / HTTP/1.1', 'Host: test', 'Content-Length: 3', ...upgrade, '', 'abc'].join('\r\n'));
    await client.sees('101');
    const over = served.http.drain(never);
    await client.sees('bye');
    client.socket.destroy();
    await over;
    expect(served.http.inFlightCount).toBe(0);
  });

  it('of CONNECT without a handler leaves nothing in flight', async () => {
    const served = await serve(() => {});
    const client = (await served.client()).send('CONNECT far:443 HTTP/1.1\r\nHost: far:443\r\n\r\n');
    expect(await client.ended).toMatch(/end|ECONNRESET/);
    client.socket.destroy();
    await served.http.drain(never);
    expect(served.http.report()).toMatchObject({ completedCount: 0, disconnectedCount: 0, destroyed: [] });
  });
});

describe('Expect: 100-continue', () => {
  it('keeps its promise when it was sent before `stop`', async () => {
    const arrived = gate();
    const served = await serve(async (request, response) => {
      arrived.open();
      let body = '';
      for await (const chunk of request) body += chunk;
      response.end(`got ${body}`);
    });
    const client = await served.client();
    client.send('POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n');
    await client.sees('100 Continue');
    await arrived;
    await stopped(served);
    await served.clock.advance(60_000);
    await client.send('abc').sees('got abc');
    expect(await client.ended).toBe('end');
    expect(heads(client.text)).toEqual(['100 -', '200 close']);
    client.socket.end();
    await served.http.drain(never);
    expect(served.http.report()).toMatchObject({ completedCount: 1 });
  });
});

describe('a client that disconnects', () => {
  it('with a reset during a response is counted, and does not delay the drain', async () => {
    const served = await serve((_, response) => void response.write('begun'));
    const client = (await served.client()).get('/');
    await client.sees('begun');
    await stopped(served);
    const over = served.http.drain(never);
    client.socket.resetAndDestroy();
    await over;
    expect(served.http.report()).toMatchObject({ disconnectedCount: 1, completedCount: 0, destroyed: [] });
  });

  it('with a reset between its request and the sweep causes no error', async () => {
    const served = await serve((_, response) => response.end('ok'));
    const client = await served.client();
    await client.get('/').sees('ok');
    await stopped(served);
    const over = served.http.drain(never);
    client.socket.resetAndDestroy();
    await over;
    expect(served.http.report()).toMatchObject({ endedCount: 0, disconnectedCount: 0, destroyed: [] });
  });
});
