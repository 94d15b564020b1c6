// Requests to a real server, by `fetch` and by undici: both keep the same promises.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { fetchWith } from '@quiesce/adapters/fetch';
import { requestWith, type TokenRequestOptions } from '@quiesce/adapters/undici';
import { CancellationToken, isCancellationOf, isTimeoutError } from '@quiesce/cancellation-token';
import { VirtualClock } from '@quiesce/cancellation-token/testing';
import { Agent, type Dispatcher, MockAgent, fetch as undiciFetch } from 'undici';
import { describe, expect, it, onTestFinished } from 'vitest';
import { listen, until } from './socket-clients.ts';

const never = CancellationToken.never;

interface Options {
  readonly deadline?: boolean;
}
interface Init {
  readonly signal?: AbortSignal;
  readonly headers?: Record<string, string>;
  readonly method?: string;
  readonly body?: string;
}
/** Sends a request, and returns the response as text. */
type Send = (url: string, init?: Init) => Promise<{ readonly status: number; text(): Promise<string> }>;
type SendWith = (token: CancellationToken | AbortSignal, options?: Options) => Send;

function openAgent(): Agent {
  const agent = new Agent();
  onTestFinished(() => agent.destroy());
  return agent;
}

const clients: [string, SendWith][] = [
  ['fetchWith', (token, options) => fetchWith(token, options)],
  [
    'fetchWith with the fetch of undici',
    (token, options) => fetchWith(token, { ...options, fetch: undiciFetch as unknown as typeof fetch }),
  ],
  [
    'requestWith',
    (token, options) => async (url, init) => {
      const { statusCode, body } = await requestWith(token, openAgent(), options)(url, init);
      return { status: statusCode, text: () => body.text() };
    },
  ],
];

async function serve(handler: (request: IncomingMessage, response: ServerResponse) => void): Promise<string> {
  const server: Server = createServer(handler);
  return `http://127.0.0.1:${await listen(server)}/path?query=1`;
}

// The limit ends the tests of a client that ignores its signal.
describe.each(clients)('%s', { timeout: 30_000 }, (_, sendWith) => {
  it('sends the request, and returns the response', async () => {
    const url = await serve((request, response) => {
      request.on('data', (chunk) =>
        response.end(`${request.method} ${request.url} ${request.headers['x-own']} ${chunk}`),
      );
    });
    const response = await sendWith(never)(url, { method: 'POST', headers: { 'x-own': 'kept' }, body: 'body' });
    expect([response.status, await response.text()]).toEqual([200, 'POST /path?query=1 kept body']);
  });

  it.each([['a string'], [new Error('deploy')], [undefined]])(
    'rejects with the reason (%s) when the token is cancelled before the response, and disconnects',
    async (reason) => {
      const token = new CancellationToken();
      let isGone = false;
      const url = await serve((_request, response) => {
        response.on('close', () => {
          isGone = true;
        });
        token.cancel(reason);
      });
      const error = await sendWith(token)(url).catch((thrown) => thrown);
      expect(error).toBe(token.reason);
      expect(isCancellationOf(error, token)).toBe(true);
      await until(() => isGone);
    },
  );

  it.each([['a string'], [new Error('deploy')], [undefined]])(
    'rejects with the reason (%s) when the token is cancelled while the body is read, and disconnects',
    async (reason) => {
      const token = new CancellationToken();
      let isGone = false;
      const url = await serve((_request, response) => {
        response.on('close', () => {
          isGone = true;
        });
        response.write('a part');
      });
      const response = await sendWith(token)(url);
      const text = response.text();
      text.catch(() => {});
      await new Promise(setImmediate);
      token.cancel(reason);
      await expect(text).rejects.toBe(token.reason);
      await until(() => isGone);
    },
  );

  it('rejects at the deadline of the token, in the response and in the body', async () => {
    const url = await serve((request, response) => {
      if (request.headers['x-part'] !== undefined) response.write('a part');
    });
    const late = await sendWith(CancellationToken.timeout(30))(url).catch((error) => error);
    expect(isTimeoutError(late)).toBe(true);
    const clock = new VirtualClock();
    const token = CancellationToken.timeout(100, { clock });
    const response = await sendWith(token)(url, { headers: { 'x-part': '1' } });
    const text = response.text().catch((thrown) => thrown);
    await clock.advance(100);
    expect(await text).toBe(token.reason);
  });

  it('sends nothing when the token is cancelled already', async () => {
    const url = await serve(() => expect.unreachable());
    await expect(sendWith(CancellationToken.alreadyCancelled('gone'))(url)).rejects.toBe('gone');
  });

  it('rejects with a failure of the network unchanged, also when the token is cancelled later', async () => {
    const token = new CancellationToken();
    const url = await serve((request) => request.socket.destroy());
    const error = await sendWith(token)(url).catch((thrown) => thrown);
    token.cancel('gone');
    expect(error).toBeInstanceOf(Error);
    expect(isCancellationOf(error, token)).toBe(false);
  });

  it('takes the signal of a request as well, and rejects with its reason', async () => {
    const token = new CancellationToken();
    const controller = new AbortController();
    const url = await serve(() => controller.abort(new Error('the user has left')));
    await expect(sendWith(token)(url, { signal: controller.signal })).rejects.toThrow('the user has left');
    const other = await serve(() => token.cancel('deploy'));
    const { signal } = new AbortController();
    await expect(sendWith(token)(other, { signal })).rejects.toBe('deploy');
  });

  it('takes an `AbortSignal` in place of the token', async () => {
    const controller = new AbortController();
    const url = await serve(() => controller.abort('gone'));
    await expect(sendWith(controller.signal)(url)).rejects.toBe('gone');
  });

  it('passes on the earliest deadline: of the token, of the signal of the request, or of its headers', async () => {
    const url = await serve(({ headers }, response) => response.end(headers['quiesce-timeout-ms'] ?? 'none'));
    const clock = new VirtualClock();
    const minute = CancellationToken.timeout(60_000, { clock });
    const { signal } = CancellationToken.timeout(1_500, { clock });
    const read = async (token: CancellationToken, init?: Init): Promise<string> =>
      await (await sendWith(token, { deadline: true })(url, init)).text();
    expect(await read(minute)).toBe('60000');
    expect(await read(never)).toBe('none');
    expect(await read(minute, { signal })).toBe('1500');
    expect(await read(never, { signal })).toBe('1500');
    expect(await read(minute, { headers: { 'Quiesce-Timeout-Ms': '7' } })).toBe('7');
    expect(await read(minute, { headers: { 'quiesce-timeout-ms': '70000' } })).toBe('60000');
  });

  it('is not sent when no time is left', async () => {
    let requestCount = 0;
    const url = await serve((_, response) => response.end(`${++requestCount}`));
    const clock = new VirtualClock();
    const token = CancellationToken.timeout(1_500, { clock });
    await clock.advance(1_499.5);
    const error = await sendWith(token, { deadline: true })(url).catch((error) => error);
    expect(error).toMatchObject({
      name: 'TimeoutError',
      message: expect.stringMatching(/^(fetch|request)With: no time is left after the margin of 0 ms$/),
    });
    expect([token.isCancelled, requestCount]).toEqual([false, 0]);
  });
});

describe('the time that is left', () => {
  it.each([
    ['x-request-timeout', 1_500, '1400'],
    ['grpc-timeout', 1_500, '1400m'],
    ['grpc-timeout', 1e12, '99999999m'],
    ['x-request-timeout', Number.POSITIVE_INFINITY, null],
  ])('is sent as %s, from %d ms, as %s after a margin of 100 ms', async (header, ms, sent) => {
    const clock = new VirtualClock();
    const values: (string | null)[] = [];
    const send = async (_: unknown, init?: RequestInit): Promise<Response> => {
      values.push(new Headers(init?.headers).get(header));
      return new Response();
    };
    const deadline = { header, margin: 100 };
    await fetchWith(CancellationToken.timeout(ms, { clock }), { deadline, fetch: send as typeof fetch })('http://x');
    expect(values).toEqual([sent]);
  });
});

describe('fetchWith', () => {
  it('takes a Request, with its headers and its signal', async () => {
    const controller = new AbortController();
    const url = await serve(({ headers }, response) => {
      if (headers['x-abort'] === undefined) response.end(`${headers['x-own']} ${headers['quiesce-timeout-ms']}`);
      else controller.abort('left');
    });
    const get = fetchWith(CancellationToken.timeout(60_000), { deadline: true });
    const response = await get(new Request(url, { headers: { 'x-own': 'kept' } }));
    expect(await response.text()).toMatch(/^kept \d+$/);
    const request = new Request(url, { headers: { 'x-abort': '1' }, signal: controller.signal });
    await expect(get(request)).rejects.toBe('left');
  });

  it('takes a token as the signal of a request', async () => {
    const own = new CancellationToken();
    const get = fetchWith(never);
    const url = await serve(() => own.cancel('left'));
    await expect(get(url, { signal: own as never })).rejects.toBe('left');
    await expect(get(url, { signal: {} as never })).rejects.toThrow('fetch: signal: expected an AbortSignal or');
  });

  it('leaves the headers alone when it adds none', async () => {
    const seen: unknown[] = [];
    const send = async (_: unknown, init?: RequestInit): Promise<Response> => {
      seen.push(init?.headers);
      return new Response();
    };
    const url = 'http://x';
    const headers = { 'x-own': 'kept' };
    const options = { deadline: true, fetch: send as typeof fetch };
    await fetchWith(never, options)(url, { headers });
    await fetchWith(never, options)(new Request(url, { headers }));
    await fetchWith(CancellationToken.timeout(60_000), { fetch: send as typeof fetch })(url, { headers });
    expect([seen[0] === headers, seen[1], seen[2] === headers]).toEqual([true, undefined, true]);
  });

  it('makes an `AbortError` of another platform the reason of the token', async () => {
    const token = new CancellationToken();
    const send = async (): Promise<Response> => {
      token.cancel('deploy');
      throw new DOMException('The user aborted a request.', 'AbortError');
    };
    await expect(fetchWith(token, { fetch: send as typeof fetch })('http://x')).rejects.toBe('deploy');
  });
});

describe('requestWith', () => {
  it('replaces the limits of undici when the token has a deadline, but not those of a request', async () => {
    const agent = new MockAgent();
    const seen: object[] = [];
    const dispatch = agent.dispatch.bind(agent);
    agent.dispatch = (options, handler) => {
      seen.push({ headersTimeout: options.headersTimeout, bodyTimeout: options.bodyTimeout });
      return dispatch(options, handler);
    };
    agent.get('http://x').intercept({ path: '/' }).reply(200, '').persist();
    const deadline = CancellationToken.timeout(60_000);
    await requestWith(deadline, agent)('http://x');
    await requestWith(deadline, agent)('http://x', { bodyTimeout: 5 });
    await requestWith(never, agent)('http://x');
    expect(seen).toEqual([
      { headersTimeout: 0, bodyTimeout: 0 },
      { headersTimeout: 0, bodyTimeout: 5 },
      { headersTimeout: undefined, bodyTimeout: undefined },
    ]);
  });
});

describe('the requests of requestWith', () => {
  /** Sends a request to a mock, and returns what the dispatcher gets. */
  async function sent(options: TokenRequestOptions, token = never): Promise<Dispatcher.DispatchOptions | undefined> {
    const agent = new MockAgent();
    agent
      .get('http://x')
      .intercept({ path: '/', method: () => true })
      .reply(200, '');
    const dispatch = agent.dispatch.bind(agent);
    let seen: Dispatcher.DispatchOptions | undefined;
    agent.dispatch = (given, handler) => {
      seen = given;
      return dispatch(given, handler);
    };
    await requestWith(token, agent, { deadline: { header: 'X-Left' } })('http://x', options);
    return seen;
  }

  it('have the default methods of undici', async () => {
    expect((await sent({}))?.method).toBe('GET');
    expect((await sent({ body: 'a' }))?.method).toBe('PUT');
    expect((await sent({ body: 'a', method: 'POST' }))?.method).toBe('POST');
  });

  it('have the headers that they were given when no header is added', async () => {
    const headers = ['a', '1'];
    expect((await sent({ headers }))?.headers).toBe(headers);
  });

  it.each<[string, TokenRequestOptions['headers'], object]>([
    ['an object with lists and holes', { a: ['1', '2'], b: undefined, C: '3' }, { a: ['1', '2'], C: '3' }],
    ['a flat list', ['a', '1', 'b', '2', 'a', '3'], { a: ['1', '3'], b: '2' }],
    ['pairs', new Map([['a', '1']]), { a: '1' }],
    ['Headers', new Headers({ A: '1' }), { a: '1' }],
    ['nothing', undefined, {}],
    ['null', null, {}],
  ])('get the header in addition to %s', async (_, headers, expected) => {
    const seen = await sent({ headers }, CancellationToken.timeout(60_000));
    expect(seen?.headers).toEqual({ ...expected, 'X-Left': expect.stringMatching(/^\d+$/) });
  });

  it('keep a smaller time of their own in any spelling', async () => {
    const headers = ['x-LEFT', '5'];
    expect((await sent({ headers }, CancellationToken.timeout(60_000)))?.headers).toEqual({ 'X-Left': '5' });
  });

  it('take a token as their signal', async () => {
    const signal = CancellationToken.alreadyCancelled('left');
    await expect(sent({ signal })).rejects.toBe('left');
  });
});

describe('wrong arguments', () => {
  const agent = new Agent();

  it.each<[string, () => unknown, string | RegExp]>([
    [
      'no token',
      () => fetchWith(undefined as never),
      'TypeError: fetchWith: expected an AbortSignal or a CancellationToken',
    ],
    [
      'an unknown option',
      () => fetchWith(never, { header: 'x' } as never),
      'TypeError: fetchWith: there is no option "header"',
    ],
    [
      'a header that is no name',
      () => fetchWith(never, { deadline: { header: 'a b' } }),
      'TypeError: fetchWith: deadline: header: expected',
    ],
    [
      'a fetch that is no function',
      () => fetchWith(never, { fetch: 1 as never }),
      'TypeError: fetchWith: fetch: expected a func',
    ],
    [
      'no token',
      () => requestWith({} as never, agent),
      'TypeError: requestWith: expected an AbortSignal or a CancellationToken',
    ],
    [
      'no dispatcher',
      () => requestWith(never, {} as never),
      'TypeError: requestWith: expected a dispatcher of undici, got an ob',
    ],
    [
      'an unknown option',
      () => requestWith(never, agent, { fetch } as never),
      'TypeError: requestWith: there is no option "fetch"',
    ],
    [
      'a header that is no name',
      () => requestWith(never, agent, { deadline: { header: '' } }),
      'requestWith: deadline: header: expected the',
    ],
    [
      'a bad margin',
      () => requestWith(never, agent, { deadline: { margin: -1 } }),
      'RangeError: requestWith: deadline: margin must be',
    ],
    [
      'an unknown option of the deadline',
      () => fetchWith(never, { deadline: { maxTimeout: 5 } as never }),
      'TypeError: fetchWith: deadline: there is no option "maxTimeout"',
    ],
  ])('%s', (_, call, text) => {
    let error: unknown;
    try {
      call();
    } catch (thrown) {
      error = thrown;
    }
    expect(String(error)).toMatch(text);
  });

  it('rejects a URL that is not valid', async () => {
    await expect(requestWith(never, agent)('path')).rejects.toThrow('Invalid URL');
  });
});
