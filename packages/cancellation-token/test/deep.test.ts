import { CancellationToken } from '@quiesce/cancellation-token';
import { expect, test, vi } from 'vitest';
import { callback, chainBelow, type Log } from './helpers/script.ts';

const million = 1_000_000;
vi.setConfig({ testTimeout: 120_000 });

test('a chain of a million unobserved tokens works', () => {
  const root = new CancellationToken();
  const leaf = chainBelow(root, million);
  expect(leaf.isCancelled).toBe(false);
  expect(root.cancel('stop')).toBe(true);
  expect([leaf.isCancelled, leaf.reason, leaf.cancel()]).toEqual([true, 'stop', false]);
});

test('a chain of a million observed tokens works', () => {
  const root = new CancellationToken();
  let leaf = root;
  let calls = 0;
  const count = (): void => {
    calls++;
  };
  for (let i = 0; i < million; i++) {
    leaf = leaf.childToken();
    leaf.onCancelled(count);
  }
  root.cancel('stop');
  expect([calls, leaf.reason]).toEqual([million, 'stop']);
});

test('a chain of a million tokens is linked and unlinked by an observer that comes and goes', () => {
  const root = new CancellationToken();
  const leaf = chainBelow(root, million);
  expect(leaf.onCancelled(() => expect.unreachable()).unregister()).toBe(true);
  const log: Log = [];
  callback(log, leaf, 'leaf');
  leaf.childToken().cancel();
  root.cancel();
  expect(log).toEqual(['leaf']);
});

test('a chain of a million tokens that is disposed from above stays linked to the root', () => {
  const root = new CancellationToken();
  const chain = [root.childToken()];
  for (let i = 1; i < million; i++) chain.push((chain[i - 1] as CancellationToken).childToken());
  const leaf = (chain.at(-1) as CancellationToken).childToken();
  for (const token of chain) token.dispose();
  expect(leaf.isCancelled).toBe(false);
  root.cancel('stop');
  expect(leaf.reason).toBe('stop');
});

test('a million children of one token work', () => {
  const root = new CancellationToken();
  let calls = 0;
  const count = (): void => {
    calls++;
  };
  for (let i = 0; i < million; i++) root.childToken().onCancelled(count);
  root.cancel();
  expect(calls).toBe(million);
});
