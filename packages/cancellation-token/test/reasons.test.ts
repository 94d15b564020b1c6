import { runInNewContext } from 'node:vm';
import { CancellationToken, type CancelledError, isCancelledError } from '@quiesce/cancellation-token';
import { VirtualClock } from '@quiesce/cancellation-token/testing';
import { describe, expect, test } from 'vitest';
import { chainBelow } from './helpers/script.ts';

const reasons: [string, unknown][] = [
  ['null', null],
  ['a string', 'why'],
  ['the empty string', ''],
  ['zero', 0],
  ['false', false],
  ['NaN', Number.NaN],
  ['a symbol', Symbol('why')],
  ['an object', { why: 1 }],
  ['a function', (): void => {}],
  ['an error', new Error('why')],
  ['an error of another realm', runInNewContext('new Error("why")')],
  // biome-ignore lint/suspicious/noThenProperty: a reason that promises would follow
  ['a thenable', { then: (resolve: (value: string) => void): void => resolve('followed') }],
  ['a promise', Promise.resolve('followed')],
];

describe.each(reasons)('%s as the reason', (_, reason) => {
  test('is passed on verbatim to every reader', () => {
    const root = new CancellationToken();
    const [observed, unobserved] = [chainBelow(root, 2), chainBelow(root, 2)];
    const heard: unknown[] = [];
    observed.onCancelled((given) => heard.push(given));
    const { signal } = observed;
    root.cancel(reason);
    observed.onCancelled((given) => heard.push(given));
    expect(heard).toHaveLength(2);
    for (const given of [...heard, observed.reason, unobserved.reason, root.reason, signal.reason])
      expect(Object.is(given, reason)).toBe(true);
  });

  test('is not followed by an await of the cancellation', async () => {
    const token = new CancellationToken();
    const before = token.cancelled();
    const waiting = before.then((value) => ['fulfilled', value]);
    token.cancel(reason);
    expect(await waiting).toEqual(['fulfilled', undefined]);
    expect(await token.cancelled()).toBeUndefined();
  });
});

describe('no reason', () => {
  test('gives a CancelledError that looks like the platform’s abort', () => {
    const token = new CancellationToken();
    token.cancel(undefined);
    const error = token.reason as CancelledError;
    expect(error).toBeInstanceOf(Error);
    expect([error.name, error.code, error.source, error.message]).toEqual([
      'AbortError',
      'ABORT_ERR',
      'explicit',
      'This operation was cancelled',
    ]);
  });

  test('gives the same error to the whole subtree, whichever token is read first', () => {
    const root = new CancellationToken();
    const observed = chainBelow(root, 3);
    const unobserved = chainBelow(root, 3);
    const heard: unknown[] = [];
    observed.onCancelled((reason) => heard.push(reason));
    observed.signal.addEventListener('abort', () => heard.push(observed.signal.reason));
    root.cancel();
    heard.push(unobserved.reason, observed.reason, root.reason, observed.childToken().reason);
    expect(isCancelledError(heard[0])).toBe(true);
    expect(new Set(heard).size).toBe(1);
  });

  test('gives different errors to different cancellations', () => {
    const [a, b] = [new CancellationToken(), new CancellationToken()];
    a.cancel();
    b.cancel();
    expect(a.reason).not.toBe(b.reason);
  });

  test('formats no stack until it is read', () => {
    const made: string[] = [];
    const { prepareStackTrace } = Error;
    Error.prepareStackTrace = (error): string => {
      made.push(error.name);
      return '';
    };
    try {
      const token = new CancellationToken();
      const child = token.childToken();
      child.cancelled().then(() => {});
      token.cancel();
      expect([token.isCancelled, child.isCancelled, child.cancel()]).toEqual([true, true, false]);
      expect(made).toEqual([]);
      void (token.reason as Error).stack;
      expect(made).toEqual(['AbortError']);
    } finally {
      Error.prepareStackTrace = prepareStackTrace;
    }
  });
});

describe('a default reason', () => {
  const stackOf = (token: CancellationToken): string => (token.reason as Error).stack as string;

  test('shows in its stack the caller of `cancel`, however late it is read', async () => {
    const token = new CancellationToken();
    const child = token.childToken();
    const guarded = new CancellationToken();
    function whoStopsIt(): void {
      token.cancel();
      guarded.dropGuard().dispose();
    }
    whoStopsIt();
    await null;
    for (const each of [token, child, guarded]) expect(stackOf(each)).toContain('whoStopsIt');
  });

  test('of a deadline shows where it was set', async () => {
    const clock = new VirtualClock();
    const root = new CancellationToken();
    const tokens: CancellationToken[] = [];
    function whoLimitsIt(): void {
      tokens.push(root.withTimeout(5, { clock }), root.withDeadline(new Date(5), { clock }));
    }
    whoLimitsIt();
    const observed = tokens.map((token) => token.cancelled());
    await clock.advance(5);
    await Promise.all(observed);
    for (const token of tokens) expect(stackOf(token)).toContain('whoLimitsIt');
  });

  test('names the token that was cancelled, or whose deadline has passed', async () => {
    const clock = new VirtualClock();
    const request = new CancellationToken().withTimeout(5, { name: 'request', clock });
    const query = request.withTimeout(60_000, { name: 'query' });
    const worker = new CancellationToken({ name: 'worker' });
    const child = worker.childToken({ name: 'child' });
    await clock.advance(5);
    worker.cancel();
    const texts = [query, worker, child].map(({ reason }) => (reason as Error).message);
    expect(texts).toEqual([
      'Timed out after 5 ms (token "request")',
      'This operation was cancelled (token "worker")',
      'This operation was cancelled (token "worker")',
    ]);
  });
});
