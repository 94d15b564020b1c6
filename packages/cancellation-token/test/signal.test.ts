import { getEventListeners } from 'node:events';
import { CancellationToken, type CancelledError, isCancelledError } from '@quiesce/cancellation-token';
import { expect, test, vi } from 'vitest';
import { chainBelow, listener } from './helpers/script.ts';

test('the signal is a native AbortSignal, always the same object', () => {
  const token = new CancellationToken();
  expect(token.signal).toBeInstanceOf(AbortSignal);
  expect(token.signal).toBe(token.signal);
  expect(token.signal).not.toBe(token.childToken().signal);
  expect([token.signal.aborted, token.signal.reason]).toEqual([false, undefined]);
});

test.each([0, 1, 4])('the signal fires once, with the reason, when the token %i levels above is cancelled', (depth) => {
  const root = new CancellationToken();
  const token = chainBelow(root, depth);
  const events: string[] = [];
  token.signal.addEventListener('abort', ({ type, target }) => events.push(`${type} ${target === token.signal}`));
  const reason = { why: 'because' };
  root.cancel(reason);
  root.cancel();
  expect(events).toEqual(['abort true']);
  expect(token.signal.aborted).toBe(true);
  expect(token.signal.reason).toBe(reason);
});

test('without a reason the signal has the same CancelledError as the token', () => {
  const token = new CancellationToken();
  const { signal } = token;
  token.cancel();
  expect(isCancelledError(signal.reason)).toBe(true);
  expect(signal.reason).toBe(token.reason);
});

test('a signal that is first read after the cancellation is already aborted, and fires no event', () => {
  const log: string[] = [];
  const token = new CancellationToken();
  token.cancel('why');
  const signal = listener(log, token.childToken(), 'fired');
  expect([signal.aborted, signal.reason, log]).toEqual([true, 'why', []]);
  expect(() => signal.throwIfAborted()).toThrow('why');
});

test('the platform accepts it: a timer of the platform stops, with the reason as the cause', async () => {
  const { setTimeout: sleep } = await import('node:timers/promises');
  const token = new CancellationToken();
  const waiting = sleep(2 ** 30, undefined, { signal: token.childToken().signal });
  token.cancel('why');
  await expect(waiting).rejects.toMatchObject({ name: 'AbortError', cause: 'why' });
});

test('AbortSignal.any follows it', () => {
  const token = new CancellationToken();
  const any = AbortSignal.any([new AbortController().signal, token.signal]);
  token.cancel('why');
  expect([any.aborted, any.reason]).toEqual([true, 'why']);
});

test('fetch rejects with the default reason as it does with its own abort error', async () => {
  const token = new CancellationToken();
  const { signal } = token;
  token.cancel();
  const error = (await fetch('data:,', { signal }).catch((reason) => reason)) as CancelledError;
  expect([error.name, error === token.reason]).toEqual(['AbortError', true]);
});

test('twenty listeners cause no warning', () => {
  const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
  const listenTwentyTimes = (target: EventTarget): void => {
    for (let i = 0; i < 20; i++) target.addEventListener('abort', () => {});
    expect(getEventListeners(target, 'abort')).toHaveLength(20);
  };
  try {
    listenTwentyTimes(new CancellationToken().signal);
    expect(warn).not.toHaveBeenCalled();
    // Other targets do warn, including signals on Node 20; otherwise this would show nothing.
    listenTwentyTimes(new EventTarget());
    expect(warn).toHaveBeenCalledOnce();
  } finally {
    warn.mockRestore();
  }
});
