// Requests that Node answers without a request event, and bytes that are not a request. None of them delays a drain.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { CancellationToken } from '@quiesce/cancellation-token';
import { describe, expect, it } from 'vitest';
import { gate, heads, serve, serveWith, stopped, turns, until } from './vocabulary.ts';

const never = CancellationToken.never;
const post = 'POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 2\r\n';

/** Binds methods to the target of a proxy, which has private fields. */
function bound(target: ServerResponse, key: string | symbol): unknown {
  const value: unknown = Reflect.get(target, key);
  return typeof value === 'function' ? value.bind(target) : value;
}

describe('a request that a listener of checkContinue handles first', () => {
  const served = async (check: (request: IncomingMessage, response: ServerResponse) => Promise<boolean>) => {
    const server = createServer((request, response) => void request.resume().on('end', () => response.end('served')));
    server.on('checkContinue', async (request, response) => {
      if (!(await check(request, response))) return;
      response.writeContinue();
      server.emit('request', request, response);
    });
    return serveWith(server);
  };

  it('counts once, also when that listener passes it on, and is served after the server has closed its listener', async () => {
    const decision = gate();
    const one = await served(async () => {
      await decision;
      return true;
    });
    const client = (await one.client()).send(`${post}Expect: 100-continue\r\n\r\n`);
    await until(() => one.http.inFlightCount === 1);
    await stopped(one);
    decision.open();
    await client.sees('100 Continue');
    expect(one.http.inFlightCount).toBe(1);
    await client.send('ab').sees('served');
    expect(heads(client.text)).toEqual(['100 -', '200 close']);
    client.socket.end();
    await one.http.drain(never);
    expect(one.http.report()).toMatchObject({ completedCount: 1, refusedCount: 0 });
  });

  it.each<[string, (request: IncomingMessage, response: ServerResponse) => unknown[]]>([
    ['a proxy', (request, response) => [new Proxy(request, {}), response]],
    ['proxies of both', (request, response) => [new Proxy(request, {}), new Proxy(response, { get: bound })]],
    ['an object that inherits from it', (request, response) => [Object.create(request), response]],
    ['a new object', (request, response) => [{ url: request.url, resume: () => request.resume() }, response]],
  ])('counts once when it is passed on in %s, after the listener has closed', async (_, wrap) => {
    const decision = gate();
    const tokens: CancellationToken[] = [];
    const server = createServer();
    server.on('checkContinue', async (request, response) => {
      await decision;
      response.writeContinue();
      server.emit('request', ...wrap(request, response));
    });
    server.on('request', (request, response) => {
      if ('rawHeaders' in request) tokens.push(one.http.tokenOf(request));
      response.end(`${one.http.inFlightCount} in flight`);
    });
    const one = await serveWith(server);
    const client = (await one.client()).send(`${post}Expect: 100-continue\r\n\r\n`);
    await until(() => one.http.inFlightCount === 1);
    await stopped(one);
    decision.open();
    await client.send('ab').sees('1 in flight');
    expect(heads(client.text)).toEqual(['100 -', '200 close']);
    client.socket.end();
    await one.http.drain(never);
    expect(one.http.report()).toMatchObject({ completedCount: 1, refusedCount: 0, arrivedAfterFinCount: 0 });
    expect(tokens.length).toBe(_ === 'a new object' ? 0 : 1);
  });

  it('can be refused by that listener, as without a drain', async () => {
    const one = await served(async (_, response) => {
      response.writeHead(401, { Connection: 'keep-alive' }).end('login');
      return false;
    });
    one.http.announce();
    const client = (await one.client()).send(`${post}Expect: 100-continue\r\n\r\n`);
    await client.sees('login');
    expect(heads(client.text)).toEqual(['401 close']);
    expect(one.http.inFlightCount).toBe(0);
  });
});

describe('a request with Expect, without a listener for it', () => {
  it('gets its 100 and its answer, as without a drain', async () => {
    const served = await serve((request, response) => void request.resume().on('end', () => response.end('served')));
    const client = (await served.client()).send(`${post}Expect: 100-continue\r\n\r\n`);
    await client.sees('100 Continue');
    expect(served.http.inFlightCount).toBe(1);
    await client.send('ab').sees('served');
    expect(heads(client.text)).toEqual(['100 -', '200 keep-alive']);
  });

  it('gets 503 and no 100 after the listener has closed', async () => {
    const served = await serve(() => expect.unreachable());
    const client = await served.client();
    await stopped(served);
    await client.send(`${post}Expect: 100-continue\r\n\r\n`).sees('try again');
    expect(heads(client.text)).toEqual(['503 close']);
  });

  it('gets 417 when Node does not support its expectation, and its connection is ended', async () => {
    const served = await serve(() => expect.unreachable());
    const client = (await served.client()).send('GET / HTTP/1.1\r\nHost: test\r\nExpect: tea\r\n\r\n');
    await client.sees('417');
    await until(() => served.http.inFlightCount === 0);
    await stopped(served);
    await served.clock.advance(1_000);
    expect(await client.ended).toBe('end');
    client.socket.end();
    await served.http.drain(never);
    expect(served.http.report()).toMatchObject({ endedCount: 1 });
  });

  it('gets 417 with Connection: close after `announce`', async () => {
    const served = await serve(() => expect.unreachable());
    served.http.announce();
    const client = (await served.client()).send('GET / HTTP/1.1\r\nHost: test\r\nExpect: tea\r\n\r\n');
    expect(await client.ended).toBe('end');
    expect(heads(client.text)).toEqual(['417 close']);
    expect(served.http.report()).toMatchObject({ completedCount: 1 });
  });

  it('goes to a listener of the user', async () => {
    const server = createServer();
    server.on('checkExpectation', (_, response) => response.end('tea'));
    const served = await serveWith(server);
    const client = (await served.client()).send('GET / HTTP/1.1\r\nHost: test\r\nExpect: tea\r\n\r\n');
    await client.sees(/\r\n\r\ntea/);
    expect(heads(client.text)).toEqual(['200 keep-alive']);
  });
});

describe('a request that is emitted again', () => {
  it('without a connection, as by a library that calls handlers, is not changed', async () => {
    const served = await serve((request, response) => void response.end(String(request.url)));
    served.http.announce();
    let answer = '';
    const made = { url: '/made', method: 'GET', httpVersionMajor: 1, rawHeaders: [], socket: {} };
    served.server.emit('request', made as never, { end: (text: string) => (answer = text) } as never);
    expect([answer, served.http.inFlightCount]).toEqual(['/made', 0]);
  });

  it('is counted once, and reaches every listener', async () => {
    const paths: unknown[] = [];
    const server = createServer((request, response) => {
      paths.push(request.url);
      if (paths.length === 1) server.emit('request', request, response);
      else response.end(`in flight: ${served.http.inFlightCount}`);
    });
    const served = await serveWith(server);
    await (await served.client()).get('/').sees('in flight: 1');
    expect(paths).toEqual(['/', '/']);
  });
});

describe('empty lines', () => {
  it.each([
    ['after a POST', `${post}\r\nab\r\n`, '\r\n'],
    ['after a GET', 'GET / HTTP/1.1\r\nHost: test\r\n\r\n', '\r\n\r\n\r\n'],
    [
      'after a request in chunks',
      `${post.replace('Content-Length: 2', 'Transfer-Encoding: chunked')}\r\n0\r\n\r\n`,
      '\n',
    ],
  ])('%s do not keep a connection open', async (_, text, more) => {
    const served = await serve((request, response) => void request.resume().on('end', () => response.end('served')));
    const client = await served.client();
    await client.send(text).sees('served');
    client.send(more);
    await turns();
    await stopped(served);
    await served.clock.advance(1_000);
    expect(await client.ended).toBe('end');
    client.socket.end();
    await served.http.drain(never);
    expect(served.http.report()).toMatchObject({ endedCount: 1, arrivedAfterFinCount: 0 });
  });
});

describe('half a head', () => {
  it('in one chunk with the end of the request before it gets its 503 when it is complete', async () => {
    const served = await serve((_, response) => response.end('first'));
    const client = (await served.client()).send('GET / HTTP/1.1\r\nHost: test\r\n\r\nGET /second HTTP/1.1\r\nHo');
    await client.sees('first');
    await stopped(served);
    await served.clock.advance(60_000);
    await client.send('st: test\r\n\r\n').sees('try again');
    expect(heads(client.text)).toEqual(['200 keep-alive', '503 close']);
  });
});
