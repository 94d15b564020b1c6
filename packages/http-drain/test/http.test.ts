import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { connect, type Socket } from 'node:net';
import { CancellationToken } from '@quiesce/cancellation-token';
import { HttpDrain } from '@quiesce/http-drain';
import { describe, expect, it } from 'vitest';
import { crowd, tallyOf } from './crowd.ts';
import { dialled, gate, heads, serve, stopped, turns, uncaught, until } from './vocabulary.ts';

const never = CancellationToken.never;

describe('a request that was received', () => {
  it('is served, with Connection: close in a head that is written later, and then the drain ends', async () => {
    const answer = gate();
    const served = await serve(async (_, response) => {
      await answer;
      response.end('done');
    });
    const client = (await served.client()).get('/slow');
    await turns();
    expect(served.http.inFlightCount).toBe(1);
    await stopped(served);
    const over = served.http.drain(never);
    answer.open();
    await client.sees('done');
    expect(heads(client.text)).toEqual(['200 close']);
    expect(await client.ended).toBe('end');
    client.socket.end();
    await over;
    expect(served.http.state).toBe('drained');
    expect(served.http.report()).toMatchObject({ completedCount: 1, refusedCount: 0, destroyed: [] });
  });

  it('leaves its connection idle when its head was sent before, and the connection ends after idleGrace', async () => {
    const finish = gate();
    const served = await serve(async (_, response) => {
      response.write('first');
      await finish;
      response.end('last');
    });
    const client = (await served.client()).get('/stream');
    await client.sees('first');
    await stopped(served);
    const over = served.http.drain(never);
    finish.open();
    await client.sees('last');
    await until(() => served.http.inFlightCount === 0);
    expect(heads(client.text)).toEqual(['200 keep-alive']);
    await served.clock.advance(999);
    expect(served.http.report().endedCount).toBe(0);
    await served.clock.advance(1);
    expect(await client.ended).toBe('end');
    client.socket.end();
    await over;
    expect(served.http.report()).toMatchObject({ completedCount: 1, endedCount: 1, arrivedAfterFinCount: 0 });
  });

  it('has Connection: close in its response and ends its connection, also when its handler sets keep-alive', async () => {
    const answer = gate();
    const served = await serve(async (_, response) => {
      await answer;
      response.writeHead(200, { Connection: 'keep-alive' }).end('kept');
    });
    const client = (await served.client()).get('/');
    await turns();
    await stopped(served);
    answer.open();
    await client.sees('kept');
    expect(heads(client.text)).toEqual(['200 close']);
    expect(await client.ended).toBe('end');
  });

  it('is served with its whole body, however slowly that arrives', async () => {
    const served = await serve((request, response) => {
      let size = 0;
      request.on('data', (chunk: Buffer) => {
        size += chunk.length;
      });
      request.on('end', () => response.end(`got ${size}`));
    });
    const client = (await served.client()).send('POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 6\r\n\r\nabc');
    await turns();
    await stopped(served);
    await served.clock.advance(60_000);
    client.send('d');
    await served.clock.advance(60_000);
    client.send('ef');
    await client.sees('got 6');
    expect(heads(client.text)).toEqual(['200 close']);
  });

  it('is served to a client that has ended its side, when the server allows that', async () => {
    const answer = gate();
    const served = await serve(async (_, response) => {
      await answer;
      response.end('half');
    });
    Object.assign(served.server, { httpAllowHalfOpen: true });
    const client = (await served.client()).get('/');
    client.socket.end();
    await turns();
    await stopped(served);
    answer.open();
    await client.sees('half');
    await served.http.drain(never);
  });
});

describe('pipelined requests that were received', () => {
  it('are all served, and only the last response has Connection: close', async () => {
    const answers = [gate(), gate(), gate()];
    const served = await serve(async (request, response) => {
      await answers[Number(request.url?.slice(1))];
      response.end(`<${request.url}>`);
    });
    const client = (await served.client()).get('/0').get('/1').get('/2');
    await turns();
    expect(served.http.inFlightCount).toBe(3);
    await stopped(served);
    for (const answer of answers.reverse()) answer.open();
    await client.sees('</2>');
    expect(heads(client.text)).toEqual(['200 keep-alive', '200 keep-alive', '200 close']);
    expect(client.text).toMatch(/<\/0>.*<\/1>.*<\/2>/s);
    expect(await client.ended).toBe('end');
  });

  it('move the header on to a request that follows them', async () => {
    const answer = gate();
    const served = await serve(async (request, response) => {
      if (request.url === '/0') await answer;
      response.setHeader('X-Path', String(request.url));
      response.end();
    });
    const client = (await served.client()).get('/0');
    await turns();
    served.http.announce();
    client.get('/1');
    await turns();
    answer.open();
    await client.sees('X-Path: /1');
    await client.ended;
    expect(heads(client.text)).toEqual(['200 keep-alive', '200 close']);
  });

  it('keep the Connection header of their handler when another request follows', async () => {
    const answer = gate();
    const served = await serve(async (request, response) => {
      if (request.url === '/1') return void response.end('one');
      response.setHeader('Connection', 'keep-alive, x-own');
      await answer;
      response.end();
    });
    const client = (await served.client()).get('/0');
    await turns();
    served.http.announce();
    client.get('/1');
    await turns();
    answer.open();
    await client.sees('one');
    expect(heads(client.text)).toEqual(['200 keep-alive, x-own', '200 close']);
  });

  it('are refused with one 503 for all when they arrive too late, after a request that is served', async () => {
    const finish = gate();
    const served = await serve(async (_, response) => {
      response.write('first');
      await finish;
      response.end('last');
    });
    const client = (await served.client()).get('/0');
    await client.sees('first');
    await stopped(served);
    client.get('/1').get('/2');
    await turns();
    finish.open();
    await client.ended;
    expect(heads(client.text)).toEqual(['200 keep-alive', '503 close']);
    expect(served.http.report()).toMatchObject({ completedCount: 1, refusedCount: 1, arrivedAfterFinCount: 1 });
  });

  it('are not processed after a response with Connection: close', async () => {
    const finish = gate();
    const paths: unknown[] = [];
    const served = await serve(async (request, response) => {
      paths.push(request.url);
      response.write('first');
      await finish;
      response.end('last');
    });
    served.http.announce();
    const client = (await served.client()).get('/0');
    await client.sees('first');
    client.get('/crosses');
    await turns();
    finish.open();
    await client.sees('last');
    expect(await client.ended).toBe('end');
    expect(paths).toEqual(['/0']);
    expect(served.http.report()).toMatchObject({ completedCount: 1, arrivedAfterFinCount: 1 });
  });
});

describe('a new request on an open connection', () => {
  it('gets 503 with Retry-After and Connection: close, and its handler never sees it', async () => {
    const paths: unknown[] = [];
    const served = await serve(
      (request, response) => {
        paths.push(request.url);
        response.end('ok');
      },
      { retryAfter: 7 },
    );
    const client = (await served.client()).get('/before');
    await client.sees('ok');
    await stopped(served);
    client.get('/after');
    await client.sees('try again');
    expect(client.text).toContain('Retry-After: 7\r\n');
    expect(heads(client.text)).toEqual(['200 keep-alive', '503 close']);
    expect(await client.ended).toBe('end');
    expect(paths).toEqual(['/before']);
    expect(served.http.report()).toMatchObject({ refusedCount: 1, completedCount: 0 });
  });

  it('gets the answer of the `refuse` option instead', async () => {
    const refuse = (_: unknown, response: ServerResponse): unknown => response.end(`custom ${response.statusCode}`);
    const served = await serve((_, response) => response.end('ok'), { refuse });
    const client = await served.client();
    await stopped(served);
    await client.get('/').sees('custom 503');
    expect(heads(client.text)).toEqual(['503 close']);
  });

  it.each([
    [
      'throws',
      () => {
        throw new Error('mine');
      },
    ],
    ['rejects', () => Promise.reject(new Error('mine'))],
    [
      'rejects after it has sent the head of another answer',
      async (_: unknown, response: ServerResponse) => {
        response.statusCode = 200;
        response.setHeader('Content-Length', 3).setHeader('Content-Encoding', 'gzip').removeHeader('Retry-After');
        await turns();
        throw new Error('mine');
      },
    ],
  ])('gets the 503 when the `refuse` option %s, and the error is uncaught', async (_, refuse) => {
    const errors = uncaught();
    const served = await serve((_, response) => response.end('ok'), { refuse });
    const client = await served.client();
    await stopped(served);
    await client.get('/').sees('try again');
    expect(errors).toEqual(['mine']);
    expect(heads(client.text)).toEqual(['503 close']);
    expect(client.text).toContain('Retry-After: 1');
    expect(client.text).not.toMatch(/gzip|length: 3\r/i);
  });

  it('gets the 503 also when its head began before and takes longer than idleGrace', async () => {
    const served = await serve((_, response) => response.end('ok'));
    const client = (await served.client()).send('GET / HTTP/1.1\r\nHo');
    await turns();
    await stopped(served);
    await served.clock.advance(60_000);
    client.send('st: test\r\n\r\n');
    await client.sees('try again');
    expect(await client.ended).toBe('end');
  });

  it('gets the complete 503 while its body is still being sent, and the connection is not reset', async () => {
    const served = await serve((_, response) => response.end('ok'));
    const client = await served.client();
    await stopped(served);
    client.send('POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 1000000\r\n\r\n');
    await client.sees('try again');
    for (let i = 0; i < 10; i++) {
      await served.clock.advance(5_000);
      client.send('x'.repeat(100_000));
      await turns();
    }
    expect(client.socket.errored).toBe(null);
    expect(await client.ended).toBe('end');
    client.socket.end();
    await served.http.drain(never);
  });

  it('gets 503 and no 100 when it has Expect: 100-continue', async () => {
    const served = await serve((_, response) => response.end('ok'));
    served.server.on('checkContinue', () => expect.unreachable());
    const client = await served.client();
    await stopped(served);
    client.send('POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n');
    await client.sees('try again');
    expect(heads(client.text)).toEqual(['503 close']);
  });
});

describe('a response that is finished before its request', () => {
  it('keeps its connection while the body of the request is being sent', async () => {
    const served = await serve((_, response) => response.writeHead(413).end('too large'));
    served.http.announce();
    const client = await served.client();
    client.send('POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 1000000\r\n\r\n');
    await client.sees('too large');
    for (let i = 0; i < 10; i++) {
      await served.clock.advance(5_000);
      client.send('x'.repeat(100_000));
      await turns();
    }
    expect(client.socket.errored).toBe(null);
    expect(await client.ended).toBe('end');
    expect(heads(client.text)).toEqual(['413 close']);
  });
});

describe('a connection without a request in progress', () => {
  it.each([
    ['that was used before', true],
    ['that was never used', false],
  ])('%s is ended with FIN after idleGrace, and not before', async (_, isUsed) => {
    const served = await serve((_, response) => response.end('ok'), { idleGrace: 500 });
    const client = await served.client();
    if (isUsed) await client.get('/').sees('ok');
    await stopped(served);
    await served.clock.advance(499);
    expect(served.http.report().endedCount).toBe(0);
    await served.clock.advance(1);
    expect(await client.ended).toBe('end');
    client.socket.end();
    await served.http.drain(never);
    expect(served.http.report()).toMatchObject({ endedCount: 1, arrivedAfterFinCount: 0 });
  });

  it('is destroyed one idleGrace later when its client does not close it', async () => {
    const served = await serve((_, response) => response.end('ok'), { idleGrace: 500 });
    const client = await served.client();
    await stopped(served);
    await served.clock.advance(500);
    expect(await client.ended).toBe('end');
    await served.clock.advance(500);
    await served.http.drain(never);
    expect(served.clock.pendingCount).toBe(0);
  });

  it('has a request that arrives after our FIN counted, and not processed', async () => {
    const served = await serve(() => expect.unreachable(), { idleGrace: 500 });
    const client = await served.client();
    await stopped(served);
    await served.clock.advance(500);
    client.get('/crosses');
    await turns();
    expect(client.text).toBe('');
    client.socket.end();
    await served.http.drain(never);
    expect(served.http.report()).toMatchObject({
      endedCount: 1,
      arrivedAfterFinCount: 1,
      completedCount: 0,
      refusedCount: 0,
    });
  });
});

describe('the listener', () => {
  it('serves every connection in the backlog, and then refuses new ones', async () => {
    const { port, http } = await serve((_, response) => response.end('ok'));
    const { answers } = await crowd(port, 100);
    http.stop();
    expect(tallyOf(await answers)).toEqual({ 'HTTP/1.1 200 OK': 100 });
    await http.draining.cancelled();
    expect(await dialled(port)).toBe('ECONNREFUSED');
  });

  it('closes when the backlog is accepted, although new connections still arrive', async () => {
    const { server, port, http } = await serve((_, response) => response.end('ok'));
    let accepted = 0;
    server.on('connection', () => accepted++);
    const { answers } = await crowd(port, 20);
    const comers = new Set<Socket>();
    const come = (): void => {
      const socket = connect(port, '127.0.0.1', () => !http.draining.isCancelled && come());
      comers.add(socket.on('error', () => {}));
    };
    http.stop();
    for (let i = 0; i < 10; i++) come();
    await http.draining.cancelled();
    expect(tallyOf(await answers)).toEqual({ 'HTTP/1.1 200 OK': 20 });
    // No listener sees the probe.
    expect(accepted).toBe(20);
    for (const socket of comers) socket.destroy();
    await http.drain(never);
    expect(http.state).toBe('drained');
  });

  it('is closed also when it begins to listen after `stop`', async () => {
    const server = createServer();
    const http = new HttpDrain(server);
    http.stop();
    await http.drain(never);
    const closed = new Promise((resolve) => server.once('close', resolve));
    server.listen(0, '127.0.0.1');
    await closed;
    expect(server.listening).toBe(false);
  });

  it('still has its address when it begins to listen after `stop`: frameworks read it then', async () => {
    const server = createServer();
    const http = new HttpDrain(server);
    await http.drain(never);
    await once(server.listen(0, '127.0.0.1'), 'listening');
    expect([server.listening, server.address()]).toMatchObject([false, { address: '127.0.0.1' }]);
  });

  it('emits "close" once', async () => {
    const { server, http } = await serve((_, response) => response.end('ok'));
    let closed = 0;
    server.on('close', () => closed++);
    http.stop();
    await http.drain(never);
    await turns(10);
    expect(closed).toBe(1);
  });
});

describe('announce', () => {
  it('only adds Connection: close: every request is served, also on new connections', async () => {
    const served = await serve((_, response) => response.end('ok'));
    const old = await served.client();
    await old.get('/').sees('ok');
    served.http.announce();
    expect(served.http.state).toBe('stopping');
    await old.get('/').sees(/ok.*ok/s);
    const fresh = await served.client();
    await fresh.get('/').sees('ok');
    expect([heads(old.text), heads(fresh.text)]).toEqual([['200 keep-alive', '200 close'], ['200 close']]);
  });

  it('is called when the `stopping` token is cancelled', async () => {
    const stopping = new CancellationToken();
    const { http } = await serve((_, response) => response.end('ok'), { signal: stopping });
    expect(http.state).toBe('running');
    stopping.cancel();
    expect(http.state).toBe('stopping');
  });
});
