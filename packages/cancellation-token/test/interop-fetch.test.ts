// The token's signal with the platform's own `fetch`, against a server whose responses the test triggers.
import { CancellationToken, CancelledError } from '@quiesce/cancellation-token';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type LocalServer, listen } from './helpers/server.ts';
import { warningsDuring } from './helpers/warnings.ts';

let server: LocalServer;
beforeAll(async () => {
  server = await listen();
});
afterAll(() => server.close());

const rejection = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => expect.unreachable(),
    (error: unknown) => error,
  );

const why = { why: 'because' };
const reasons: [string, unknown][] = [
  ['no reason given', undefined],
  ['an error', new Error('enough')],
  ['an object', why],
  ['a string', 'enough'],
];

describe.each(reasons)('a fetch, with %s, rejects with the reason itself when it is aborted', (_, reason) => {
  test('before it starts, and sends nothing', async () => {
    const route = server.route();
    const token = CancellationToken.alreadyCancelled(reason);
    expect(await rejection(fetch(route.url, { signal: token.signal }))).toBe(token.reason);
    // A later request that has been answered: an earlier one would have arrived before.
    const later = server.route();
    const answer = fetch(later.url);
    (await later.arrival).response.end();
    await (await answer).text();
    expect(route.hasArrived).toBe(false);
  });

  test('in the same synchronous run in which it starts', async () => {
    const token = new CancellationToken();
    const error = rejection(fetch(server.route().url, { signal: token.signal }));
    token.cancel(reason);
    expect(await error).toBe(token.reason);
  });

  test('while it waits for the headers', async () => {
    const root = new CancellationToken();
    using child = root.childToken();
    const { url, arrival } = server.route();
    const error = rejection(fetch(url, { signal: child.signal }));
    const { closed } = await arrival;
    root.cancel(reason);
    expect(await error).toBe(root.reason);
    await closed;
  });

  test('while it reads the body', async () => {
    const token = new CancellationToken();
    const { url, arrival } = server.route();
    const answer = fetch(url, { signal: token.signal });
    const { response, closed } = await arrival;
    response.write('the first half');
    const { body } = await answer;
    const reader = (body as ReadableStream<Uint8Array>).getReader();
    expect(Buffer.from((await reader.read()).value ?? []).toString()).toBe('the first half');
    const error = rejection(reader.read());
    token.cancel(reason);
    expect(await error).toBe(token.reason);
    await closed;
  });
});

test('the default reason is the one with which `fetch` itself would reject: an AbortError', async () => {
  const token = CancellationToken.alreadyCancelled();
  const error = await rejection(fetch(server.route().url, { signal: token.signal }));
  expect(error).toBeInstanceOf(CancelledError);
  expect(error).toMatchObject({ name: 'AbortError', code: 'ABORT_ERR' });
});

test('a fetch that has ended is not affected by later cancellations', async () => {
  const token = new CancellationToken();
  const { url, arrival } = server.route();
  const answer = fetch(url, { signal: token.signal });
  (await arrival).response.end('all of it');
  const text = await (await answer).text();
  token.cancel();
  expect(text).toBe('all of it');
});

test('twenty fetches on one signal cause no warning, and all reject with its reason', async () => {
  const token = new CancellationToken();
  const names = await warningsDuring(async () => {
    const routes = Array.from({ length: 20 }, () => server.route());
    const errors = routes.map(({ url }) => rejection(fetch(url, { signal: token.signal })));
    const exchanges = await Promise.all(routes.map(({ arrival }) => arrival));
    token.cancel('enough');
    expect(await Promise.all(errors)).toEqual(errors.map(() => 'enough'));
    await Promise.all(exchanges.map(({ closed }) => closed));
  });
  expect(names).toEqual([]);
});
