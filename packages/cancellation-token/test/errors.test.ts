import { runInNewContext } from 'node:vm';
import {
  CancellationToken,
  CancelledError,
  ClosedError,
  isCancellation,
  isCancellationOf,
  isCancelledError,
  isClosedError,
} from '@quiesce/cancellation-token';
import { describe, expect, test } from 'vitest';

test('a CancelledError is an Error with a text, a cause and its origin', () => {
  const cause = new Error('why');
  const error = new CancelledError('the page was closed', { cause, source: 'scope' });
  expect(error).toBeInstanceOf(Error);
  expect([error.name, error.code, error.message, error.cause, error.source]).toEqual([
    'AbortError',
    'ABORT_ERR',
    'the page was closed',
    cause,
    'scope',
  ]);
  expect(String(error)).toBe('AbortError: the page was closed');
});

test('a ClosedError is an Error with its code', () => {
  const error = new ClosedError('the channel is closed');
  expect([String(error), error.code, error instanceof Error]).toEqual([
    'ClosedError: the channel is closed',
    'ERR_CLOSED',
    true,
  ]);
});

test('names are not own fields, which would be printed with each error', () => {
  expect(Object.keys(new CancelledError())).not.toContain('name');
  expect(Object.keys(new ClosedError())).not.toContain('name');
});

test('errors are distinguished by class, whatever value is thrown', () => {
  const [cancelled, closed] = [new CancelledError(), new ClosedError()];
  const others = [undefined, null, 0, 'AbortError', {}, new Error('x'), new DOMException('x', 'AbortError')];
  expect([isCancelledError(cancelled), isClosedError(closed)]).toEqual([true, true]);
  expect([closed, ...others].map(isCancelledError)).toEqual(Array(8).fill(false));
  expect([cancelled, ...others].map(isClosedError)).toEqual(Array(8).fill(false));
});

class Deployed extends CancelledError {}
class RollbackError extends CancelledError {
  override readonly name = 'RollbackError' as never;
}

const aborts: [string, unknown][] = [
  ['a subclass of CancelledError', new Deployed()],
  ['a CancelledError', new CancelledError()],
  ["the platform's AbortError", new DOMException('stopped', 'AbortError')],
  ['the reason of AbortSignal.abort()', AbortSignal.abort().reason],
  ['an AbortError of another realm', runInNewContext('Object.assign(new Error("x"), { name: "AbortError" })')],
];
const failures: [string, unknown][] = [
  ['an Error', new Error('failed')],
  ['a ClosedError', new ClosedError()],
  ['a subclass of CancelledError with a name of its own', new RollbackError()],
  ["the platform's TimeoutError", new DOMException('late', 'TimeoutError')],
  ['a string', 'AbortError'],
  ['undefined', undefined],
  ['null', null],
];

describe('isCancellation', () => {
  test.each(aborts)('is true for %s', (_, error) => {
    expect(isCancellation(error)).toBe(true);
    expect(isCancellation(error, new CancellationToken())).toBe(true);
  });

  test.each(failures)('is false for %s, unless it is the reason of the token', (_, error) => {
    const token = new CancellationToken();
    expect([isCancellation(error), isCancellation(error, token)]).toEqual([false, false]);
    token.cancel(error ?? 'not undefined');
    expect([isCancellation(error), isCancellation(token.reason, token)]).toEqual([false, true]);
    expect(isCancellation(new Error('another'), token)).toBe(false);
  });

  test('takes a signal as well', () => {
    const controller = new AbortController();
    expect(isCancellation('why', controller.signal)).toBe(false);
    controller.abort('why');
    expect([isCancellation('why', controller.signal), isCancellation('x', controller.signal)]).toEqual([true, false]);
  });

  test('refuses a value that is neither a token nor a signal', () => {
    expect(() => isCancellation('why', {} as never)).toThrow(TypeError);
  });
});

describe('isCancellationOf', () => {
  test.each([...aborts, ...failures])('is false for %s when the token was not cancelled', (_, error) => {
    expect(isCancellationOf(error, new CancellationToken())).toBe(false);
  });

  test.each(aborts)('is true for %s once the token is cancelled', (_, error) => {
    const token = new CancellationToken();
    token.cancel('why');
    expect(isCancellationOf(error, token)).toBe(true);
  });

  test.each(failures)('is false for %s, even once the token is cancelled', (_, error) => {
    const token = new CancellationToken();
    token.cancel('why');
    expect(isCancellationOf(error, token)).toBe(false);
  });

  test('is true for the reason, and for an error that has it as its cause', () => {
    const token = new CancellationToken();
    token.cancel('why');
    expect(isCancellationOf('why', token)).toBe(true);
    expect(isCancellationOf(new Error('rollback failed', { cause: 'why' }), token)).toBe(false);
    expect(isCancellationOf(Object.assign(new Error('canceled'), { name: 'CanceledError' }), token)).toBe(true);
  });

  test('takes a signal as well, and refuses any other value', () => {
    expect(isCancellationOf('why', AbortSignal.abort('why'))).toBe(true);
    expect(() => isCancellationOf('why', undefined as never)).toThrow(TypeError);
  });
});
