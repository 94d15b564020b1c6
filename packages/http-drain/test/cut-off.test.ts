// A response that is cut off at the deadline must not look complete. A connection without a request is not a failure.
import { once } from 'node:events';
import { createServer } from 'node:http';
import { type ClientHttp2Stream, connect, createServer as createHttp2Server, createSecureServer } from 'node:http2';
import { createServer as createHttpsServer } from 'node:https';
import type { Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { CancellationToken, TimeoutError } from '@quiesce/cancellation-token';
import { VirtualClock } from '@quiesce/cancellation-token/testing';
import type { DrainableServer } from '@quiesce/http-drain';
import { formatLogEvent, type LogEvent, Shutdown } from '@quiesce/shutdown';
import { Agent, request } from 'undici';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { cert, key } from './certificate.ts';
import { Client, type Served, serve, serveWith, turns, until } from './vocabulary.ts';

const now = CancellationToken.alreadyCancelled('now');

describe('a response of HTTP/1 that is cut off', () => {
  it.each([
    ['ends with the connection, as for HTTP/1.0', 'GET / HTTP/1.0\r\n\r\n', 'HTTP/1.0'],
    ['has chunks', 'GET / HTTP/1.1\r\nHost: test\r\n\r\n', 'chunked'],
  ])('is reset, when it %s', async (_, text, part) => {
    const served = await serve((_, response) => void response.write(`begun ${part}`), { cleanupTimeout: 0 });
    const client = (await served.client()).send(text);
    await client.sees('begun');
    await expect(served.http.drain(now)).rejects.toBe('now');
    expect(await client.ended).toBe('ECONNRESET');
    expect(served.http.report()).toMatchObject({ destroyed: ['GET /'] });
  });

  it('is reset, when it is a tunnel', async () => {
    const served = await serveWith(createServer(), { cleanupTimeout: 0 });
    served.server.on('connect', (_, socket: Socket) => void socket.write('HTTP/1.1 200 Connected\r\n\r\npart'));
    const client = (await served.client()).send('CONNECT far:443 HTTP/1.1\r\nHost: far:443\r\n\r\n');
    await client.sees('part');
    await expect(served.http.drain(now)).rejects.toBe('now');
    expect(await client.ended).toBe('ECONNRESET');
    expect(served.http.report()).toMatchObject({ destroyed: ['CONNECT far:443'] });
  });

  it('is destroyed when a reset is impossible, above TLS', async () => {
    const served = await serveWith(
      createHttpsServer({ key, cert }, (_, response) => void response.write('begun')),
      { cleanupTimeout: 0 },
    );
    const client = new Client(connectTls({ port: served.port, host: '127.0.0.1', ca: cert }));
    await client.get('/').sees('begun');
    await expect(served.http.drain(now)).rejects.toBe('now');
    expect(await client.ended).toMatch(/end|ECONNRESET/);
    expect(served.http.report()).toMatchObject({ destroyed: ['GET /'] });
  });
});

const kinds: [string, () => DrainableServer, string][] = [
  ['without TLS', () => createHttp2Server(), 'http'],
  ['with TLS', () => createSecureServer({ key, cert }), 'https'],
];

describe.each(kinds)('a stream of HTTP/2 %s that is cut off', (_, create, scheme) => {
  async function begun(
    write: (stream: ClientHttp2Stream) => void,
  ): Promise<{ served: Served<DrainableServer>; stream: ClientHttp2Stream }> {
    const server = create();
    server.on('stream' as 'close', write as never);
    const served = await serveWith(server, { cleanupTimeout: 0 });
    const session = connect(`${scheme}://127.0.0.1:${served.port}`, { ca: cert });
    onTestFinished(() => session.destroy());
    session.on('error', () => {});
    const stream = session.request({ ':path': '/slow?secret' });
    await once(stream, 'response');
    return { served, stream };
  }

  it('is reset with an error, and the process of its server continues', async () => {
    const { served, stream } = await begun((one) => void one.write('part'));
    let hasEnded = false;
    stream.on('end', () => (hasEnded = true)).resume();
    const failed = once(stream, 'error');
    await expect(served.http.drain(now)).rejects.toBe('now');
    expect(await failed).toMatchObject([{ code: 'ERR_HTTP2_STREAM_ERROR' }]);
    expect([stream.rstCode, hasEnded]).toEqual([2, false]);
    expect(served.http.report()).toMatchObject({ destroyed: ['GET /slow'], completedCount: 0 });
  });
});

it('a stream of HTTP/2 that is cut off is an error for undici', async () => {
  const server = createSecureServer({ key, cert });
  server.on('stream', (stream) => void stream.write('part'));
  const served = await serveWith(server, { cleanupTimeout: 0 });
  const dispatcher = new Agent({ allowH2: true, connect: { ca: cert } });
  onTestFinished(() => dispatcher.destroy());
  const { body } = await request(`https://127.0.0.1:${served.port}/`, { dispatcher });
  const read = body.text().catch((error: Error) => `failed: ${error.name}`);
  await until(() => served.http.inFlightCount === 1);
  await expect(served.http.drain(now)).rejects.toBe('now');
  expect(await read).toMatch(/^failed/);
});

describe('a connection without a request at the deadline', () => {
  const tls = () => createHttpsServer({ key, cert }, (_, response) => response.end('ok'));
  const plain = () => createServer((_, response) => response.end('ok'));
  const cases: [string, () => DrainableServer, string, string][] = [
    ['an idle connection', plain, 'GET / HTTP/1.1\r\nHost: test\r\n\r\n', 'ok'],
    ['a connection that was never used', plain, '', ''],
    ['half a head', plain, 'GET / HT', ''],
    ['an empty line', plain, '\r\n', ''],
    ['a handshake that has not begun', tls, '', ''],
    ['half a handshake', tls, '\x16\x03\x01', ''],
    ['a session of HTTP/2 without a stream', () => createHttp2Server(), 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', ''],
  ];
  it.each(cases)(
    '%s is closed, is not in flight, and does not make the exit code 1',
    async (_, create, text, answer) => {
      const served = await serveWith(create(), { idleGrace: 5_000 });
      const client = (await served.client()).send(text);
      if (answer !== '') await client.sees(answer);
      await turns();
      const shutdown = new Shutdown({ clock: served.clock, drainTimeout: 1_000, logger: false });
      shutdown.add(served.http);
      shutdown.request('deploy');
      await served.http.draining.cancelled();
      expect(shutdown.progress.inFlightCount).toBe(0);
      const stopped = shutdown.stopped();
      await served.clock.advance(1_000);
      const report = await served.clock.run(() => stopped);
      expect(report).toMatchObject({ exitCode: 0, cutOff: [], unfinished: [] });
      expect(report.drained).toContainEqual(expect.objectContaining({ name: 'http', outcome: 'drained' }));
      expect(await client.ended).toMatch(/end|ECONNRESET/);
      expect(served.http.report()).toMatchObject({ destroyed: [], cancelledCount: 0 });
    },
  );

  it('is not reported together with a request, which is reported by its method and path', async () => {
    const served = await serve((_, response) => void response.write('begun'), { cleanupTimeout: 10 });
    await served.client();
    const busy = (await served.client()).get('/report?token=secret');
    await busy.sees('begun');
    expect(served.http.inFlightNames).toEqual(['GET /report']);
    const lines: string[] = [];
    const logger = (event: LogEvent): unknown => event.level !== 'info' && lines.push(formatLogEvent(event));
    const shutdown = new Shutdown({ clock: served.clock, drainTimeout: 1_000, logger });
    shutdown.add(served.http);
    shutdown.request('deploy');
    const stopped = shutdown.stopped();
    await served.http.draining.cancelled();
    const report = await served.clock.run(() => stopped);
    expect(report).toMatchObject({ exitCode: 1, cutOff: [{ name: 'http', inFlightCount: 1, names: ['GET /report'] }] });
    expect(lines.join('\n')).toContain('cut off: http (1 in flight): GET /report');
    expect(lines.join('\n')).not.toContain('secret');
  });
});

it('the deadline of a drain keeps the process alive: its timer is not unreferenced', async () => {
  const clock = new VirtualClock();
  const setTimer = vi.spyOn(clock, 'setTimer');
  const served = await serve((_, response) => void response.write('begun'), { cleanupTimeout: 0 });
  const client = (await served.client()).send('GET / HTTP/1.1\r\nHost: test\r\n\r\n');
  await client.sees('begun');
  const drained = served.http.drain(CancellationToken.timeout(5, { clock }));
  expect(setTimer.mock.calls.map(([ms, , options]) => [ms, options?.ref])).toContainEqual([5, true]);
  const refused = expect(drained).rejects.toBeInstanceOf(TimeoutError);
  await clock.advance(5);
  await refused;
});
