// Every error for a wrong argument names the call and the option, shows the value, and gives the correction.

import { createServer } from 'node:http';
import { createServer as createNetServer } from 'node:net';
import { inspect } from 'node:util';
import { HttpDrain, type HttpDrainOptions } from '@quiesce/http-drain';
import express from 'express';
import { Hono } from 'hono';
import { describe, expect, it } from 'vitest';

function refusal(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    return String(error);
  }
  return 'accepted';
}

describe('new HttpDrain(server) refuses a value without a server, and the error names the value to pass', () => {
  it.each([
    ['an Express app', express(), 'the result of app.listen()', 'the function "app"'],
    ['a Hono app', new Hono(), 'the result of serve()', 'a Hono'],
    ['a server of node:net', createNetServer(), 'createServer()', 'a Server'],
    ['an app without a server yet', { server: undefined }, 'for Fastify app.server or app', 'an object'],
    ['nothing', undefined, 'createServer()', 'undefined'],
    ['a port', 3000, 'createServer()', 'the number 3000'],
  ])('%s', (_, given, advice, shown) => {
    const text = refusal(() => new HttpDrain(given as never));
    expect(text).toMatch(/^TypeError: new HttpDrain: expected a server/);
    expect(text).toContain(advice);
    expect(text).toContain(shown);
  });

  it('a second HttpDrain, by the app and by its server', () => {
    const server = createServer();
    new HttpDrain({ server });
    expect(refusal(() => new HttpDrain(server))).toContain('has an HttpDrain already');
  });
});

describe('new HttpDrain(server, options) refuses', () => {
  const cases: [string, unknown, string][] = [
    ['an unknown option', { idleTimeout: 5 }, 'TypeError: new HttpDrain: there is no option "idleTimeout"'],
    ['a misspelled option', { idlegrace: 5 }, 'did you mean "idleGrace"?'],
    [
      'a number in place of the options',
      5_000,
      'TypeError: new HttpDrain: the options must be an object, got the number 5000',
    ],
    [
      'a time that is text',
      { idleGrace: '10' },
      'TypeError: new HttpDrain: idleGrace must be milliseconds from 0 to Infinity',
    ],
    ['a negative time', { cleanupTimeout: -1 }, 'RangeError: new HttpDrain: cleanupTimeout must be milliseconds'],
    [
      'seconds that are text',
      { retryAfter: '1' },
      'TypeError: new HttpDrain: retryAfter must be whole seconds from 0, got the string "1"',
    ],
    [
      'a part of a second',
      { retryAfter: 0.5 },
      'RangeError: new HttpDrain: retryAfter must be whole seconds from 0, got the number 0.5',
    ],
    ['a name that is not text', { name: 7 }, 'new HttpDrain: name: expected a string, got the number 7'],
    [
      'a `refuse` that is not a function',
      { refuse: 503 },
      'TypeError: new HttpDrain: refuse: expected a function, got the number 503',
    ],
    [
      'an `upgraded` that is not a function',
      { upgraded: true },
      'TypeError: new HttpDrain: upgraded: expected a function, got the boolean true',
    ],
    [
      'a `signal` that is not a token',
      { signal: true },
      'new HttpDrain: signal: expected an AbortSignal or a CancellationToken, got the boolean true',
    ],
    ['a controller', { signal: new AbortController() }, 'got an AbortController'],
    [
      'a `clock` that is not a clock',
      { clock: Date },
      'new HttpDrain: clock: expected a Clock, got the function "Date"',
    ],
  ];
  it.each(cases)('%s', (_, options, text) => {
    const server = createServer();
    expect(refusal(() => new HttpDrain(server, options as HttpDrainOptions))).toContain(text);
    // Nothing was changed: events are not intercepted, and the server can still be drained.
    expect(Object.hasOwn(server, 'emit')).toBe(false);
    expect(new HttpDrain(server).state).toBe('running');
  });
});

describe('http.drain refuses a value that is not a deadline, and the error has the correction', () => {
  it.each([
    ['a number of ms', 5_000, 'got the number 5000; write CancellationToken.timeout(5000)'],
    ['nothing', undefined, 'got undefined; write CancellationToken.timeout(10_000)'],
    ['options', { timeout: 5 }, 'got an object; write CancellationToken.timeout(10_000)'],
    ['text', '5s', 'got the string "5s"'],
  ])('%s', async (_, given, text) => {
    const http = new HttpDrain(createServer());
    const error = await http.drain(given as never).catch((reason) => reason);
    expect(String(error)).toMatch(/^TypeError: http\.drain: expected an AbortSignal or a CancellationToken/);
    expect(String(error)).toContain(text);
    expect(String(error)).toContain('CancellationToken.never');
    expect(http.state).toBe('running');
  });
});

describe('http.tokenOf refuses a value that is not a request', () => {
  it.each([
    [undefined, 'got undefined'],
    [{}, 'got an object'],
    ['GET /', 'got the string "GET /"'],
  ])('%s', (given, text) => {
    const http = new HttpDrain(createServer());
    expect(refusal(() => http.tokenOf(given as never))).toContain(text);
  });
});

describe('a method that is called without its drain', () => {
  it.each(['announce', 'stop', 'report', 'tokenOf'] as const)('throws an explanation: %s', (method) => {
    const http = new HttpDrain(createServer());
    const { [method]: detached } = http;
    expect(refusal(() => Reflect.apply(detached, process, []))).toContain(
      `${method} was called without its http, on a process: pass a function that calls http.${method}()`,
    );
    expect(http.state).toBe('running');
  });

  it('rejects with an explanation: drain', async () => {
    const { drain: detached } = new HttpDrain(createServer());
    const error = await Reflect.apply(detached, undefined, [AbortSignal.timeout(1)]).catch((reason) => reason);
    expect(String(error)).toContain('drain was called without its http, on undefined');
  });

  it('works when it is a health handler', () => {
    const { readiness } = new HttpDrain(createServer());
    let status = 0;
    const response = { statusCode: 0, setHeader: () => {}, end: () => (status = response.statusCode) };
    readiness(undefined, response);
    expect(status).toBe(200);
  });
});

it('prints its name, its state and its number of requests in flight', () => {
  const http = new HttpDrain(createServer(), { name: 'api' });
  expect(inspect(http)).toBe("HttpDrain { name: 'api', state: 'running', inFlightCount: 0 }");
  expect(JSON.stringify(http)).toBe('{"name":"api","state":"running","inFlightCount":0}');
});
