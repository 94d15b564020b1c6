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

test('a guard cancels its token when the block throws, and lets the error through', () => {
  const token = new CancellationToken();
  const block = (): void => {
    using _ = token.dropGuard();
    throw new Error('the block failed');
  };
  expect(block).toThrow('the block failed');
  expect(token.isCancelled).toBe(true);
});

test('a disarmed guard gives the token back and does nothing', () => {
  const token = new CancellationToken();
  const guard = token.dropGuard();
  expect([guard.disarm() === token, guard.disarm() === token, guard.token === token]).toEqual([true, true, true]);
  guard.dispose();
  expect(token.isCancelled).toBe(false);
});

test('a guard that has cancelled is done: dispose again and disarm do nothing', () => {
  const token = new CancellationToken();
  const guard = token.dropGuard();
  expect(guard[Symbol.dispose]).toBe(guard.dispose);
  guard.dispose();
  guard.dispose();
  expect(guard.disarm()).toBe(token);
  expect(token.isCancelled).toBe(true);
});

test('of two guards on one token the first to end cancels, and the reason of another cancel stays', () => {
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
