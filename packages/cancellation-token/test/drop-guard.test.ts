import { CancellationToken, isCancelledError } from '@quiesce/cancellation-token';
import { expect, test } from 'vitest';

test('a guard cancels its token at the end of the block', () => {
  const token = new CancellationToken();
  {
    using guard = token.dropGuard();
    expect([guard.token === token, token.isCancelled]).toEqual([true, false]);
  }
  expect(isCancelledError(token.reason)).toBe(true);
});

test('a guard cancels its token when the block throws, and rethrows the error', () => {
  const token = new CancellationToken();
  const block = (): void => {
    using _ = token.dropGuard();
    throw new Error('the block failed');
  };
  expect(block).toThrow('the block failed');
  expect(token.isCancelled).toBe(true);
});

test('a disarmed guard returns the token and does nothing', () => {
  const token = new CancellationToken();
  const guard = token.dropGuard();
  expect([guard.disarm() === token, guard.disarm() === token, guard.token === token]).toEqual([true, true, true]);
  guard.dispose();
  expect(token.isCancelled).toBe(false);
});

test('a guard that has cancelled does nothing at another dispose or disarm', () => {
  const token = new CancellationToken();
  const guard = token.dropGuard();
  expect(guard[Symbol.dispose]).toBe(guard.dispose);
  guard.dispose();
  guard.dispose();
  expect(guard.disarm()).toBe(token);
  expect(token.isCancelled).toBe(true);
});

test('the first of two guards to end cancels their token, and the reason of another cancel stays', () => {
  const token = new CancellationToken();
  const [first, second] = [token.dropGuard(), token.dropGuard()];
  second.disarm();
  token.cancel('why');
  first.dispose();
  expect(token.reason).toBe('why');
});

test('a guard of a disposed token does nothing', () => {
  const token = new CancellationToken();
  const guard = token.dropGuard();
  token.dispose();
  guard.dispose();
  expect(token.isCancelled).toBe(false);
});
