import { once } from 'node:events';
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  createSecureServer,
  createServer,
  type Http2SecureServer,
  type Http2Server,
  type ServerHttp2Stream,
} from 'node:http2';
import { connect as connectTls } from 'node:tls';
import { CancellationToken } from '@quiesce/cancellation-token';
import type { HttpDrainOptions } from '@quiesce/http-drain';
import { describe, expect, it, onTestFinished } from 'vitest';
import { cert, key } from './certificate.ts';
import { Client, gate, heads, type Served, serveWith, stopped, turns, until } from './vocabulary.ts';

const never = CancellationToken.never;

type Handler = (stream: ServerHttp2Stream, path: string) => unknown;

/** The differences between the two kinds of servers. */
const kinds = [
  { kind: 'plain', create: (): Http2Server | Http2SecureServer => createServer(), scheme: 'http' },
  { kind: 'secure', create: (): Http2Server | Http2SecureServer => createSecureServer({ key, cert }), scheme: 'https' },
];

describe.each(kinds)('a $kind server of node:http2', ({ create, scheme }) => {
  async function serve(handler: Handler, options?: HttpDrainOptions): Promise<Served<Http2Server | Http2SecureServer>> {
    const server = create();
    server.on('stream', (stream: ServerHttp2Stream, headers) => {
      stream.on('error', () => {});
      handler(stream, String(headers[':path']));
    });
    return serveWith(server, options);
  }

  async function open(port: number): Promise<ClientHttp2Session & { goaways: number[] }> {
    const session = connect(`${scheme}://127.0.0.1:${port}`, { ca: cert });
    const goaways: number[] = [];
    session.on('goaway', (code) => goaways.push(code)).on('error', () => {});
    onTestFinished(() => session.destroy());
    await once(session, 'remoteSettings');
    return Object.assign(session, { goaways });
  }

  it('sends GOAWAY, serves streams that arrive within idleGrace, and then ends', async () => {
    const served = await serve((stream, path) => stream.end(`<${path}>`));
    const session = await open(served.port);
    expect(await answer(session.request({ ':path': '/a' }))).toBe('200 </a>');
    const goaway = once(session, 'goaway');
    await stopped(served);
    const over = served.http.drain(never);
    const [code, last] = await goaway;
    expect([code, last]).toEqual([0, 2 ** 31 - 1]);
    // The session of a Node client opens no more streams. A stream that was already sent is tested below.
    await served.clock.advance(1_000);
    if (!session.destroyed) await once(session, 'close');
    await over;
    expect(served.http.report()).toMatchObject({ completedCount: 0, disconnectedCount: 0, destroyed: [] });
  });

  it('serves a stream that was sent before the client received GOAWAY', async () => {
    const finish = gate();
    const served = await serve(async (stream) => {
      await finish;
      stream.end('done');
    });
    const session = await open(served.port);
    served.http.stop();
    // Sent before the client has received GOAWAY.
    const request = answer(session.request({ ':path': '/crossing' }));
    await once(session, 'goaway');
    await served.clock.advance(1_000);
    expect(served.http.inFlightCount).toBe(1);
    finish.open();
    expect(await request).toBe('200 done');
    await served.http.drain(never);
    expect(served.http.report()).toMatchObject({ completedCount: 1, disconnectedCount: 0, destroyed: [] });
  });

  it('serves open streams, however long they take', async () => {
    const finish = gate();
    const served = await serve(async (stream) => {
      stream.write('first ');
      await finish;
      stream.end('last');
    });
    const session = await open(served.port);
    const requests = [0, 1, 2].map((n) => session.request({ ':path': `/${n}` }));
    const answers = requests.map(answer);
    await Promise.all(requests.map((request) => once(request, 'response')));
    await stopped(served);
    const over = served.http.drain(never);
    await served.clock.advance(60_000);
    expect(served.http.inFlightCount).toBe(3);
    finish.open();
    expect(await Promise.all(answers)).toEqual(['200 first last', '200 first last', '200 first last']);
    await over;
    expect(served.http.report()).toMatchObject({ completedCount: 3, destroyed: [] });
  });

  it('cancels the tokens of its streams at the deadline, and destroys and names the remaining streams', async () => {
    const tokens: CancellationToken[] = [];
    const served = await serve((stream) => {
      tokens.push(served.http.tokenOf(stream));
      stream.respond({ ':status': 200 });
    });
    const session = await open(served.port);
    const request = session.request({ ':path': '/deaf?q=1' });
    request.on('error', () => {});
    await once(request, 'response');
    const deadline = new CancellationToken();
    const over = served.http.drain(deadline).catch((error) => error);
    await served.http.draining.cancelled();
    deadline.cancel('late');
    expect(tokens.map((token) => token.reason)).toEqual(['late']);
    await served.clock.advance(1_000);
    expect(await over).toBe('late');
    expect(served.http.report()).toMatchObject({ cancelledCount: 1, destroyed: ['GET /deaf'], completedCount: 0 });
    expect(served.http.state).toBe('drained');
  });

  it('cancels the token of a stream whose client resets it', async () => {
    const seen = gate<CancellationToken>();
    const served = await serve((stream) => seen.open(served.http.tokenOf(stream)));
    const session = await open(served.port);
    const request = session.request({ ':path': '/' });
    request.on('error', () => {});
    const token = await seen;
    request.close(8);
    await token.cancelled();
    expect(served.http.inFlightCount).toBe(0);
  });

  it('names a stream that its client never reads, although its handler has ended the response', async () => {
    const served = await serve((stream) => stream.end('x'.repeat(10_000_000)), { cleanupTimeout: 0 });
    const session = await open(served.port);
    const request = session.request({ ':path': '/big' }).pause();
    request.on('error', () => {});
    await once(request, 'response');
    await stopped(served);
    await served.clock.advance(60_000);
    expect(served.http.inFlightCount).toBe(1);
    await expect(served.http.drain(CancellationToken.alreadyCancelled('late'))).rejects.toBe('late');
    expect(served.http.report()).toMatchObject({ destroyed: ['GET /big'], completedCount: 0, cancelledCount: 1 });
  });

  it('refuses a stream after the second GOAWAY by the protocol, and serves the others', async () => {
    const finish = gate();
    const served = await serve(async (stream) => {
      await finish;
      stream.end('done');
    });
    const session = await open(served.port);
    const first = answer(session.request({ ':path': '/first' }));
    await until(() => served.http.inFlightCount === 1);
    await stopped(served);
    const over = served.http.drain(never);
    const goaways = once(session, 'goaway');
    await goaways;
    await served.clock.advance(1_000);
    finish.open();
    expect(await first).toBe('200 done');
    await over;
    expect(served.http.report()).toMatchObject({ completedCount: 1, disconnectedCount: 0, destroyed: [] });
  });

  it.each([
    ['with CANCEL, although its handler has ended the response', 8, 'x'.repeat(10_000_000)],
    ['with NO_ERROR, before its response has ended', 0, undefined],
  ])('counts a stream that its client resets as aborted: %s', async (_, code, body) => {
    const served = await serve((stream) => {
      stream.respond({ ':status': 200 });
      if (body !== undefined) stream.end(body);
    });
    const session = await open(served.port);
    const request = session.request({ ':path': '/' }).pause();
    request.on('error', () => {});
    await once(request, 'response');
    served.http.stop();
    request.close(code);
    await until(() => served.http.inFlightCount === 0);
    expect(served.http.report()).toMatchObject({ disconnectedCount: 1, completedCount: 0 });
  });

  it('works with request handlers and their health answers', async () => {
    const server = create();
    const served = await serveWith(server);
    server.on('request', (request, response) => {
      expect(served.http.tokenOf(request).isCancelled).toBe(false);
      served.http.readiness(request, response);
    });
    const session = await open(served.port);
    expect(await answer(session.request({ ':path': '/ready' }))).toBe('200 running\n');
    served.http.announce();
    expect(await answer(session.request({ ':path': '/ready' }))).toBe('503 stopping\n');
  });

  it('ends a session that never opened a stream', async () => {
    const served = await serve((stream) => stream.end());
    const session = await open(served.port);
    await stopped(served);
    await served.clock.advance(1_000);
    if (!session.destroyed) await once(session, 'close');
    await served.http.drain(never);
    expect(session.goaways[0]).toBe(0);
    expect(served.clock.pendingCount).toBe(0);
  });
});

describe('a session whose client does not close its connection', () => {
  /** The preface of HTTP/2, and empty SETTINGS. */
  const preface = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0';

  it('is destroyed one idleGrace after it has ended', async () => {
    const served = await serveWith(createServer());
    const client = await served.client();
    client.socket.write(preface, 'latin1');
    await client.sees('\0\0\0\x04\x01');
    await stopped(served);
    await served.clock.advance(1_000);
    expect(await client.ended).toBe('end');
    await served.clock.advance(999);
    expect(served.http.state).toBe('draining');
    await served.clock.advance(1);
    await served.http.drain(never);
    expect(served.clock.pendingCount).toBe(0);
  });

  it('is destroyed together with idle connections when it had ended before', async () => {
    const server = createServer();
    const opened = once(server, 'session');
    const served = await serveWith(server);
    const client = await served.client();
    client.socket.write(preface, 'latin1');
    const [session] = await opened;
    await client.sees('\0\0\0\x04\x01');
    session.close();
    expect(await client.ended).toBe('end');
    await stopped(served);
    await served.clock.advance(1_000);
    await served.http.drain(never);
  });
});

describe('a session whose handshake ends after the listener has closed', () => {
  it('gets GOAWAY at once, serves within idleGrace, and ends', async () => {
    const server = createSecureServer({ key, cert });
    server.on('stream', (stream: ServerHttp2Stream) => stream.end('served'));
    const served = await serveWith(server);
    const { socket } = await served.client();
    await stopped(served);
    const createConnection = () => connectTls({ socket, ca: cert, host: '127.0.0.1', ALPNProtocols: ['h2'] });
    const session = connect(`https://127.0.0.1:${served.port}`, { createConnection });
    onTestFinished(() => session.destroy());
    const goaway = once(session, 'goaway');
    expect(await answer(session.request({ ':path': '/' }))).toBe('200 served');
    expect((await goaway).slice(0, 2)).toEqual([0, 2 ** 31 - 1]);
    await served.clock.advance(1_000);
    await served.http.drain(never);
    expect(served.http.report()).toMatchObject({ completedCount: 1, destroyed: [] });
  });
});

describe('a secure server of node:http2 that allows HTTP/1', () => {
  it('drains both kinds of connections', async () => {
    const finish = gate();
    const server = createSecureServer({ key, cert, allowHTTP1: true }, async (request, response) => {
      if (request.url === '/slow') await finish;
      response.end(`<${request.url}>`);
    });
    const served = await serveWith(server);
    const socket = connectTls({ port: served.port, host: '127.0.0.1', ca: cert, ALPNProtocols: ['http/1.1'] });
    const first = new Client(socket);
    await once(socket, 'secureConnect');
    const session = connect(`https://127.0.0.1:${served.port}`, { ca: cert });
    onTestFinished(() => session.destroy());
    const second = answer(session.request({ ':path': '/slow' }));
    first.get('/slow');
    while (served.http.inFlightCount < 2) await turns(1);
    await stopped(served);
    const over = served.http.drain(never);
    finish.open();
    await first.sees('</slow>');
    expect(heads(first.text)).toEqual(['200 close']);
    expect(await second).toBe('200 </slow>');
    await served.clock.advance(1_000);
    await over;
    expect(served.http.report()).toMatchObject({ completedCount: 2, destroyed: [] });
  });
});

/** Returns the status and the body of a response. */
async function answer(request: ClientHttp2Stream): Promise<string> {
  request.setEncoding('utf8').end();
  let body = '';
  request.on('data', (chunk: string) => {
    body += chunk;
  });
  const [headers] = await once(request, 'response');
  await once(request, 'close');
  return `${headers[':status']} ${body}`;
}
