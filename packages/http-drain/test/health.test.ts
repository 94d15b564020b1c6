import { createServer } from 'node:http';
import { createServer as createNetServer } from 'node:net';
import { CancellationToken } from '@quiesce/cancellation-token';
import { drain } from '@quiesce/http-drain';
import type { Drainable } from '@quiesce/scope';
import { describe, expect, it } from 'vitest';
import { serve, stopped } from './vocabulary.ts';

async function serveHealth() {
  const served = await serve(
    (request, response) => {
      if (request.url === '/ready') served.http.readiness(request, response);
      else served.http.liveness(request, response);
    },
    // Only this function gets requests that arrive after the listener has closed.
    {
      refuse: (request, response) =>
        served.http[request.url === '/ready' ? 'readiness' : 'liveness'](request, response),
    },
  );
  const check = async (path: string): Promise<string> => {
    const client = await served.client();
    await client.get(path, 'Connection: close').ended;
    return `${client.text.slice(9, 12)} ${client.text.trim().split('\n').pop()}`;
  };
  return { ...served, check };
}

describe('health handlers', () => {
  it('answer ready only before `announce`, and alive always', async () => {
    const { http, check } = await serveHealth();
    expect([await check('/ready'), await check('/live')]).toEqual(['200 running', '200 running']);
    http.announce();
    expect([await check('/ready'), await check('/live')]).toEqual(['503 stopping', '200 stopping']);
  });

  it('can answer in place of the 503 on open connections', async () => {
    const served = await serveHealth();
    const [ready, live] = [await served.client(), await served.client()];
    await stopped(served);
    expect(await ready.get('/ready').sees('draining')).toContain('HTTP/1.1 503');
    expect(await live.get('/live').sees('draining')).toContain('HTTP/1.1 200');
  });

  it('forbid caching', async () => {
    const served = await serveHealth();
    expect(await (await served.client()).get('/ready').sees('running')).toContain('Cache-Control: no-store');
  });
});

describe('the drain as a Drainable', () => {
  it('has a name, counts requests in flight, stops and drains', async () => {
    const { http } = await serve(() => {}, { name: 'api' });
    const part: Drainable = http;
    expect([part.name, part.inFlightCount]).toEqual(['api', 0]);
    part.stop();
    part.stop();
    await part.drain(CancellationToken.never);
    await part.drain(CancellationToken.never);
    expect(http.state).toBe('drained');
  });

  it('stops first when it was not stopped', async () => {
    const { http } = await serve(() => {});
    await http.drain(CancellationToken.never);
    expect(http.state).toBe('drained');
  });

  it('drains a server that never listened', async () => {
    const http = drain(createServer());
    await http.drain(CancellationToken.never);
    expect([http.name, http.state]).toEqual(['http', 'drained']);
  });

  it('accepts an AbortSignal as its signal', async () => {
    const { http } = await serve(() => {});
    await http.drain(new AbortController().signal);
  });
});

describe('a drain refuses', () => {
  it.each([
    ['nothing', undefined],
    ['a server that does not speak HTTP', createNetServer()],
    ['a framework', { listen: () => {} }],
  ])('%s in place of a server', (_, server) => {
    expect(() => drain(server as never)).toThrow('for Fastify app.server');
  });

  it('a second drain of one server', () => {
    const server = createServer();
    drain(server);
    expect(() => drain(server)).toThrow('has a drain already');
  });

  it.each([
    [{ idleGrace: -1 }, 'idleGrace must be milliseconds'],
    [{ cleanupTimeout: Number.NaN }, 'cleanupTimeout must be milliseconds'],
    [{ idleGrace: '5' as never }, 'idleGrace must be milliseconds'],
    [{ retryAfter: 1.5 }, 'retryAfter must be whole seconds'],
    [{ retryAfter: -1 }, 'retryAfter must be whole seconds'],
    [{ refuse: 'no' as never }, 'drain: refuse: expected a function'],
    [{ upgraded: 1 as never }, 'drain: upgraded: expected a function'],
    [{ signal: {} as never }, 'expected an AbortSignal'],
  ])('%o, and the server can still be drained then', (options, text) => {
    const server = createServer();
    expect(() => drain(server, options)).toThrow(text);
    expect(() => drain(server)).not.toThrow();
  });

  it('a value that is not a deadline', async () => {
    const { http } = await serve(() => {});
    await expect(Promise.resolve().then(() => http.drain(5 as never))).rejects.toThrow('expected an AbortSignal');
  });
});
