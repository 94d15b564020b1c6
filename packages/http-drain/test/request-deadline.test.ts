import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect as connectHttp2, createServer as createHttp2Server } from 'node:http2';
import type { CancellationToken } from '@quiesce/cancellation-token';
import { HttpDrain, type HttpDrainOptions } from '@quiesce/http-drain';
import { expect, onTestFinished, test } from 'vitest';
import { serve, serveWith, turns, until } from './vocabulary.ts';

/** Starts a server whose handler keeps its response, and returns the tokens of its requests when they are first wanted. */
async function kept(options: HttpDrainOptions) {
  const requests: object[] = [];
  const served = await serve((request) => void requests.push(request), options);
  const send = async (head: string): Promise<object> => {
    const count = requests.length;
    (await served.client()).socket.write(`GET /work HTTP/1.1\r\nHost: x\r\n${head}\r\n`);
    await until(() => requests.length > count);
    return requests.at(-1) as object;
  };
  return { ...served, send, tokenOf: (request: object): CancellationToken => served.http.tokenOf(request) };
}

test('without the option a request has no deadline, whatever its headers state', async () => {
  for (const options of [{}, { deadline: false }]) {
    const { send, tokenOf } = await kept(options);
    expect(tokenOf(await send('quiesce-timeout-ms: 5\r\n')).timeLeft).toBeUndefined();
  }
});

test('`deadline: true` gives the token of a request the deadline that its headers state', async () => {
  const { send, tokenOf, clock } = await kept({ deadline: true });
  const token = tokenOf(await send('quiesce-timeout-ms: 500\r\ngrpc-timeout: 2S\r\n'));
  expect([token.timeLeft, tokenOf(await send('')).timeLeft]).toEqual([500, undefined]);
  await clock.advance(500);
  expect(token.reason).toMatchObject({ ms: 500, message: 'Timed out after 500 ms (token "GET /work")' });
});

test('`deadline: { maxTimeout }` limits every request', async () => {
  const { send, tokenOf } = await kept({ deadline: { maxTimeout: 400 } });
  const heads = ['', 'quiesce-timeout-ms: 500\r\n', 'quiesce-timeout-ms: 300\r\n', 'quiesce-timeout-ms: soon\r\n'];
  const left = [];
  for (const head of heads) left.push(tokenOf(await send(head)).timeLeft);
  expect(left).toEqual([400, 400, 300, 400]);
});

test('the time counts from the arrival of the request, and not from the first use of its token', async () => {
  const { send, tokenOf, clock } = await kept({ deadline: true });
  const request = await send('quiesce-timeout-ms: 500\r\n');
  await clock.advance(200);
  expect(tokenOf(request).timeLeft).toBe(300);
  await clock.advance(300);
  expect(tokenOf(request).reason).toMatchObject({ ms: 500 });
});

test('the deadline of the drain and the end of the client count, too', async () => {
  const { send, tokenOf, http } = await kept({ deadline: true });
  const token = tokenOf(await send('quiesce-timeout-ms: 500\r\n'));
  http.abort('deploy');
  expect(token.reason).toBe('deploy');
});

test('a request whose response has ended leaves no timer', async () => {
  const served = await serve(
    (request, response) => {
      served.http.tokenOf(request).onCancelled(() => {});
      response.end('done');
    },
    { deadline: { maxTimeout: 60_000 } },
  );
  const client = (await served.client()).get('/');
  await client.sees('done');
  await until(() => served.http.inFlightCount === 0);
  await turns();
  expect(served.clock.pendingCount).toBe(0);
});

test('an upgraded socket has no deadline', async () => {
  const served = await serve(() => {}, { deadline: { maxTimeout: 50 } });
  const upgraded = once(served.server, 'upgrade');
  (await served.client()).socket.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n');
  expect(served.http.tokenOf((await upgraded)[0]).timeLeft).toBeUndefined();
});

test('a stream of HTTP/2 has the deadline of its headers', async () => {
  const { server, port, http } = await serveWith(createHttp2Server(), { deadline: { maxTimeout: 400 } });
  const session = connectHttp2(`http://127.0.0.1:${port}`);
  onTestFinished(() => session.destroy());
  const left = async (headers: Record<string, string>): Promise<number | undefined> => {
    const stream = session.request(headers);
    stream.on('error', () => {});
    const [arrived] = await once(server, 'stream');
    return http.tokenOf(arrived as object).timeLeft;
  };
  expect([await left({ ':path': '/' }), await left({ ':path': '/', 'grpc-timeout': '300m' })]).toEqual([400, 300]);
});

test('bad options are refused', () => {
  for (const deadline of [5, 'yes', null, { maximum: 5 }, { maxTimeout: -1 }, { maxTimeout: '5' }]) {
    expect(() => new HttpDrain(createServer(), { deadline } as never)).toThrow(/new HttpDrain: deadline/);
  }
});
