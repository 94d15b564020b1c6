import { CancellationToken } from '@quiesce/cancellation-token';
import { describe, expect, it } from 'vitest';
import { gate, heads, serve, stopped, turns, until } from './vocabulary.ts';

const never = CancellationToken.never;
const late = new Error('too late');

describe('at the deadline', () => {
  it('a request whose handler ends because of its token still answers, and is not cut off', async () => {
    const served = await serve(async (request, response) => {
      await served.http.tokenOf(request).cancelled();
      response.writeHead(504).end('gave up');
    });
    const client = (await served.client()).get('/long');
    await turns();
    const deadline = new CancellationToken();
    const over = served.http.drain(deadline).catch((error) => error);
    await served.http.draining.cancelled();
    deadline.cancel(late);
    await client.sees('gave up');
    client.socket.end();
    expect(await over).toBe(late);
    expect(heads(client.text)).toEqual(['504 close']);
    expect(served.http.report()).toMatchObject({ completedCount: 1, cancelledCount: 1, destroyed: [] });
    expect(served.clock.pendingCount).toBe(0);
  });

  it('a request that has not ended after cleanupTimeout is destroyed, and named without its query', async () => {
    const served = await serve((_, response) => void response.write('begun'), { cleanupTimeout: 300 });
    const client = (await served.client()).get('/deaf?secret=1');
    await client.sees('begun');
    const deadline = new CancellationToken();
    const over = served.http.drain(deadline).catch((error) => error);
    await served.http.draining.cancelled();
    await served.clock.advance(60_000);
    expect(served.http.inFlightCount).toBe(1);
    deadline.cancel(late);
    await served.clock.advance(299);
    expect(served.http.inFlightCount).toBe(1);
    await served.clock.advance(1);
    expect(await over).toBe(late);
    expect(served.http.inFlightCount).toBe(0);
    expect(served.http.state).toBe('drained');
    expect(served.http.report()).toMatchObject({ completedCount: 0, cancelledCount: 1, destroyed: ['GET /deaf'] });
    expect(served.clock.pendingCount).toBe(0);
  });

  it('connections without a request are destroyed at once', async () => {
    const served = await serve(() => {}, { idleGrace: Number.POSITIVE_INFINITY, cleanupTimeout: 60_000 });
    const client = await served.client();
    await stopped(served);
    // Nothing was in flight, so nothing was cut off.
    await served.http.drain(CancellationToken.alreadyCancelled(late));
    expect(await client.ended).toBe('end');
    expect(served.http.report()).toMatchObject({ destroyed: [], cancelledCount: 0 });
  });

  it('a client that never completes its head is destroyed too', async () => {
    const served = await serve(() => {});
    const client = (await served.client()).send('GET / HT');
    await turns();
    await stopped(served);
    await served.clock.advance(60_000);
    expect(served.http.inFlightCount).toBe(0);
    await served.http.drain(CancellationToken.alreadyCancelled(late));
    expect(await client.ended).toMatch(/end|ECONNRESET/);
  });

  it('a client that never reads is destroyed too, and named', async () => {
    const served = await serve((_, response) => void response.end('x'.repeat(50_000_000)), { cleanupTimeout: 0 });
    const client = await served.client();
    client.socket.pause();
    client.get('/big');
    await turns();
    await stopped(served);
    await expect(served.http.drain(CancellationToken.alreadyCancelled(late))).rejects.toBe(late);
    expect(served.http.report()).toMatchObject({ destroyed: ['GET /big'] });
  });

  it('queued pipelined requests are named too', async () => {
    const served = await serve(() => {}, { cleanupTimeout: 0 });
    (await served.client()).get('/0').get('/1');
    await turns();
    await expect(served.http.drain(CancellationToken.alreadyCancelled(late))).rejects.toBe(late);
    expect(served.http.report().destroyed).toEqual(['GET /0', 'GET /1']);
  });

  it('two calls of `drain` reject with their own reasons, and everything is destroyed once', async () => {
    const served = await serve(() => {}, { cleanupTimeout: 0 });
    (await served.client()).get('/');
    await turns();
    const [first, second] = [new CancellationToken(), new CancellationToken()];
    const both = Promise.allSettled([served.http.drain(first), served.http.drain(second)]);
    first.cancel('first');
    second.cancel('second');
    expect(await both).toMatchObject([{ reason: 'first' }, { reason: 'second' }]);
    expect(served.http.report().destroyed).toEqual(['GET /']);
  });
});

describe('abort', () => {
  it('cancels the tokens of requests synchronously, and `drain` fulfils when all connections are closed', async () => {
    const reasons: unknown[] = [];
    const served = await serve(
      (request) =>
        served.http.tokenOf(request).onCancelled((reason) => {
          reasons.push(reason);
          served.http.abort('again');
        }),
      { cleanupTimeout: 300 },
    );
    (await served.client()).get('/deaf');
    await turns();
    const drained = served.http.drain(never);
    await served.http.draining.cancelled();
    served.http.abort(late);
    served.http.abort('later');
    expect(reasons).toEqual([late]);
    await served.clock.advance(299);
    expect(served.http.inFlightCount).toBe(1);
    await served.clock.advance(1);
    await drained;
    expect(served.http.state).toBe('drained');
    expect(served.http.report()).toMatchObject({ cancelledCount: 1, destroyed: ['GET /deaf'] });
    expect(served.clock.pendingCount).toBe(0);
  });

  it('lets a handler that obeys its token respond, without `stop` before', async () => {
    const served = await serve(async (request, response) => {
      await served.http.tokenOf(request).cancelled();
      response.writeHead(504).end('gave up');
    });
    const client = (await served.client()).get('/long');
    await turns();
    served.http.abort(late);
    await client.sees('gave up');
    client.socket.end();
    await served.http.drain(never);
    expect(heads(client.text)).toEqual(['504 close']);
    expect(served.http.report()).toMatchObject({ completedCount: 1, cancelledCount: 1, destroyed: [] });
  });

  it('ends a connection with half a head, and does not wait for it when the requests have ended', async () => {
    const served = await serve(
      async (request, response) => {
        await served.http.tokenOf(request).cancelled();
        response.end('gave up');
      },
      { cleanupTimeout: Number.POSITIVE_INFINITY },
    );
    const half = await served.client();
    half.socket.write('GET /never HTTP/1.1\r\nHost:');
    const client = (await served.client()).get('/long');
    await turns();
    const drained = served.http.drain(never);
    await served.http.draining.cancelled();
    served.http.abort(late);
    await client.sees('gave up');
    for (const { socket } of [client, half]) socket.end();
    await drained;
    expect(served.http.report()).toMatchObject({ completedCount: 1, endedCount: 1, destroyed: [] });
    expect(served.clock.pendingCount).toBe(0);
  });

  it('makes a later `drain` with a deadline reject only when that deadline passes', async () => {
    const served = await serve(() => {}, { cleanupTimeout: 60_000 });
    (await served.client()).get('/deaf');
    await turns();
    served.http.abort(late);
    const deadline = new CancellationToken();
    const over = served.http.drain(deadline).catch((error) => error);
    await served.http.draining.cancelled();
    deadline.cancel('over');
    await served.clock.advance(60_000);
    expect(await over).toBe('over');
    expect(served.http.report().destroyed).toEqual(['GET /deaf']);
  });
});

describe('the token of a request', () => {
  it('is cancelled when the client has disconnected', async () => {
    const seen = gate<CancellationToken>();
    const served = await serve((request) => seen.open(served.http.tokenOf(request)));
    const client = (await served.client()).get('/');
    const token = await seen;
    expect([token.isCancelled, token.name]).toEqual([false, 'GET /']);
    client.socket.destroy();
    await token.cancelled();
    expect(String(token.reason)).toBe('AbortError: The client went away before its response had ended');
    expect(served.http.inFlightCount).toBe(0);
  });

  it('is never cancelled after the response has ended', async () => {
    const seen = gate<CancellationToken>();
    const served = await serve((request, response) => {
      seen.open(served.http.tokenOf(request));
      response.end('ok');
    });
    const client = await served.client();
    await client.get('/').sees('ok');
    client.socket.end();
    await served.http.drain(never);
    const token = await seen;
    expect(token.isCancelled).toBe(false);
  });

  it('is the same at each call, and is refused for other objects', async () => {
    const seen = gate<CancellationToken[]>();
    const served = await serve((request) => seen.open([0, 1].map(() => served.http.tokenOf(request))));
    (await served.client()).get('/');
    expect(new Set(await seen).size).toBe(1);
    expect(() => served.http.tokenOf({})).toThrow('expected a request of the server');
    expect(() => served.http.tokenOf(undefined as never)).toThrow(TypeError);
  });

  it('is cancelled from the start when the client disconnected before the first call', async () => {
    const arrived = gate<object>();
    const served = await serve((request) => arrived.open(request));
    const client = (await served.client()).get('/');
    const request = await arrived;
    client.socket.destroy();
    while (served.http.inFlightCount > 0) await turns(1);
    expect(served.http.tokenOf(request).isCancelled).toBe(true);
  });
});

describe('a response without a natural end', () => {
  it('can end when the token `draining` is cancelled, after the listener has closed', async () => {
    const served = await serve((_, response) => {
      response.writeHead(200, { 'Content-Type': 'text/event-stream', Connection: 'keep-alive' }).write('data: 1\n\n');
      served.http.draining.onCancelled(() => response.end('event: bye\ndata: 2\n\n'));
    });
    const client = (await served.client()).get('/events');
    await client.sees('data: 1');
    served.http.announce();
    await turns();
    expect(client.text).not.toContain('bye');
    const over = served.http.drain(never);
    await client.sees('data: 2');
    await until(() => served.http.inFlightCount === 0);
    await served.clock.advance(1_000);
    expect(await client.ended).toBe('end');
    client.socket.end();
    await over;
    expect(served.http.report()).toMatchObject({ completedCount: 1, destroyed: [] });
  });
});
