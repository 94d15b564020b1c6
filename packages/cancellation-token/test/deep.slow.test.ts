import { CancellationToken, source } from '@quiesce/cancellation-token';
import { VirtualClock } from '@quiesce/cancellation-token/testing';
import { expect, test, vi } from 'vitest';
import { RefClock } from './helpers/ref-clock.ts';
import { callback, chainBelow, type Log, waiter } from './helpers/script.ts';

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

test('a chain of a million tokens is linked by an observer, and unlinked when it leaves', () => {
  const root = new CancellationToken();
  const leaf = chainBelow(root, million);
  expect(leaf.onCancelled(() => expect.unreachable()).dispose()).toBe(true);
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

/** Orders in which every token of a chain is read once; the last is the leaf. */
const orders: Record<string, (chain: CancellationToken[]) => Iterable<CancellationToken>> = {
  'from the leaf upwards': (chain) => [...chain].reverse(),
  'from the root downwards': (chain) => chain,
  'in a scattered order': (chain) => chain.map((_, i) => chain[(i * 7_919) % chain.length] as CancellationToken),
  'from the middle outwards': (chain) =>
    chain.map((_, i) => chain.at((chain.length + (i % 2 === 0 ? i : -1 - i)) >> 1) as CancellationToken),
};

// If each walked to the root, this would be 500,000,000,000 steps.
test.each(Object.entries(orders))('each token of a chain of a million can be read %s', (_, order) => {
  const chain = [new CancellationToken()];
  for (let i = 0; i < million; i++) chain.push((chain[i] as CancellationToken).childToken());
  const cancelled = (): number => {
    let count = 0;
    for (const token of order(chain)) if (token.isCancelled) count++;
    return count;
  };
  expect(cancelled()).toBe(0);
  chain[million - 10]?.cancel();
  expect(cancelled()).toBe(11);
  chain[10]?.cancel();
  expect(cancelled()).toBe(million - 9);
});

test.each([false, true])('a chain of a million tokens below a deadline works, observed: %s', async (observed) => {
  const clock = new VirtualClock();
  const leaf = chainBelow(CancellationToken.timeout(5, { clock }), million);
  const log: Log = [];
  if (observed) callback(log, leaf, 'leaf');
  expect([leaf.isCancelled, leaf.deadline, clock.pendingCount]).toEqual([false, new Date(5), observed ? 1 : 0]);
  await clock.advance(5);
  expect([leaf.isCancelled, leaf.reason]).toEqual([true, expect.objectContaining({ ms: 5 })]);
  expect([log, clock.pendingCount]).toEqual([observed ? ['leaf'] : [], 0]);
});

test('a waiter a million tokens below a deadline keeps the process alive until it leaves', () => {
  const clock = new RefClock();
  const root = CancellationToken.timeout(5, { clock });
  const leaf = chainBelow(root, million);
  const parked = waiter([], leaf, 'woken');
  expect(clock.refs).toEqual([true]);
  leaf[source].unpark(parked);
  expect(clock.refs).toEqual([]);
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

test('a long chain below a deadline is read, observed and disposed token by token', () => {
  const length = 100_000;
  const chain = [CancellationToken.timeout(1e9)];
  for (let i = 1; i < length; i++) chain.push((chain[i - 1] as CancellationToken).childToken());
  expect(chain.some((token) => token.isCancelled)).toBe(false);
  const registrations = chain.map((token) => token.onCancelled(() => {}));
  expect(chain.some((token) => token.isCancelled)).toBe(false);
  for (const registration of registrations) registration.dispose();
  for (const token of chain.reverse()) token.dispose();
  expect(chain.some((token) => token.isCancelled)).toBe(false);
});
