import { CancellationToken, PENDING, source } from '@quiesce/cancellation-token';
import { describe, expect, test } from 'vitest';
import {
  callback,
  chainBelow,
  idleWaiter,
  type Log,
  listener,
  microtasks,
  observers,
  waiter,
} from './helpers/script.ts';

describe.each([['nothing', () => {}] as const, ...Object.entries(observers)])(
  'a disposed token observed by %s',
  (_, observe) => {
    test('stays active and frozen', () => {
      const root = new CancellationToken();
      const token = root.childToken();
      observe(token);
      token.dispose();
      root.cancel();
      expect([token.isCancelled, token.reason]).toEqual([false, undefined]);
      expect(token.cancel('too late')).toBe(false);
      expect([token.isCancelled, token.reason]).toEqual([false, undefined]);
      expect(() => token.throwIfCancelled()).not.toThrow();
    });

    test('moves its children to its parent, at any depth', () => {
      const root = new CancellationToken();
      const token = chainBelow(root, 2);
      const below = token.childToken();
      const deep = chainBelow(token, 3);
      observe(deep);
      observe(token);
      token.dispose();
      expect([below.isCancelled, deep.isCancelled]).toEqual([false, false]);
      root.cancel('root');
      expect([below.reason, deep.reason]).toEqual(['root', 'root']);
    });

    test('makes its children roots when it was a root', () => {
      const token = new CancellationToken();
      const below = token.childToken();
      const deep = below.childToken();
      observe(deep);
      observe(token);
      token.dispose();
      expect(token.cancel()).toBe(false);
      expect([below.isCancelled, deep.isCancelled]).toEqual([false, false]);
      expect(below.cancel('own')).toBe(true);
      expect(deep.reason).toBe('own');
    });

    test('stays cancelled if it was cancelled before, whether its state had been read or not', () => {
      const root = new CancellationToken();
      const token = chainBelow(root, 2);
      observe(token);
      root.cancel('before');
      token.dispose();
      expect([token.isCancelled, token.reason, token.cancel()]).toEqual([true, 'before', false]);
      expect(token.childToken().reason).toBe('before');
    });
  },
);

test('disposing is idempotent, and `using` does it', () => {
  const root = new CancellationToken();
  let inner: CancellationToken | undefined;
  {
    using token = root.childToken();
    inner = token;
    expect(token[Symbol.dispose]).toBe(token.dispose);
  }
  inner.dispose();
  root.cancel();
  expect(inner.isCancelled).toBe(false);
});

test('callbacks of a disposed token never run, and count as removed', () => {
  const log: Log = [];
  const root = new CancellationToken();
  const token = root.childToken();
  const registration = callback(log, token, 'callback');
  token.dispose();
  expect(registration.dispose()).toBe(false);
  root.cancel();
  expect(log).toEqual([]);
});

test('registering on a disposed token does nothing', () => {
  const log: Log = [];
  const root = new CancellationToken();
  const token = root.childToken();
  token.dispose();
  const registration = callback(log, token, 'callback');
  expect(registration.dispose()).toBe(false);
  root.cancel();
  expect(log).toEqual([]);
});

test('registering on a token that was disposed when cancelled runs the callback immediately', () => {
  const log: Log = [];
  const token = new CancellationToken();
  token.cancel();
  token.dispose();
  callback(log, token, 'callback');
  expect(log).toEqual(['callback']);
});

test('the signal of a disposed token never fires, whether it was read before or after', () => {
  const log: Log = [];
  const root = new CancellationToken();
  const [before, after] = [root.childToken(), root.childToken()];
  const read = listener(log, before, 'before');
  before.dispose();
  after.dispose();
  listener(log, after, 'after');
  root.cancel();
  expect(log).toEqual([]);
  expect([read.aborted, after.signal.aborted, before.signal === read]).toEqual([false, false, true]);
});

test('waiters move to the parent, after its own, and are woken with it', async () => {
  const log: Log = [];
  const root = new CancellationToken();
  const token = root.childToken();
  const moved = waiter(log, token, 'moved');
  const awaited = token.cancelled().then(() => log.push('awaited'));
  callback(log, root, 'own');
  token.dispose();
  expect(token[source].poll()).toBe(PENDING);
  root.cancel('root');
  expect(log).toEqual(['own', 'moved']);
  expect([token[source].poll(), token.isCancelled, moved.owner]).toEqual(['root', false, undefined]);
  await awaited;
  expect(log).toEqual(['own', 'moved', 'awaited']);
});

test('waiters move again when the parent is disposed too, and can still be unparked through the token', () => {
  const log: Log = [];
  const root = new CancellationToken();
  const parent = root.childToken();
  const token = parent.childToken();
  const leaves = waiter(log, token, 'leaves');
  waiter(log, token, 'stays');
  token.dispose();
  parent.dispose();
  token[source].park(leaves);
  token[source].unpark(leaves);
  expect(leaves.owner).toBeUndefined();
  root.cancel();
  expect(log).toEqual(['stays']);
});

test('a waiter that parks on a disposed token waits for its parent', () => {
  const log: Log = [];
  const root = new CancellationToken();
  const token = chainBelow(root, 3);
  token.dispose();
  waiter(log, token, 'woken');
  root.cancel();
  expect(log).toEqual(['woken']);
});

test('a waiter on a disposed root is never woken, and can unpark', async () => {
  const log: Log = [];
  const token = new CancellationToken();
  const parked = waiter(log, token, 'woken');
  void token.cancelled().then(() => log.push('awaited'));
  token.dispose();
  token.cancel();
  await microtasks();
  expect(log).toEqual([]);
  expect([parked.owner, token[source].poll()]).toEqual([undefined, PENDING]);
  token[source].park(parked);
  expect(parked.owner).toBeUndefined();
  token[source].unpark(parked);
});

test('observed children keep their order, after the children of the parent', () => {
  const log: Log = [];
  const root = new CancellationToken();
  const middle = root.childToken();
  callback(log, middle.childToken(), 'first of the middle');
  callback(log, root.childToken(), "root's");
  callback(log, middle.childToken(), 'second of the middle');
  middle.dispose();
  callback(log, root, 'root');
  root.cancel();
  expect(log).toEqual(['root', "root's", 'first of the middle', 'second of the middle']);
});

test('a child of a disposed token is a child of the nearest ancestor that is not disposed', () => {
  const root = new CancellationToken();
  const middle = root.childToken();
  const token = middle.childToken();
  token.dispose();
  const child = token.childToken();
  middle.dispose();
  const later = token.childToken();
  expect([child.isCancelled, later.isCancelled]).toEqual([false, false]);
  root.cancel('root');
  expect([child.reason, later.reason, token.childToken().reason]).toEqual(['root', 'root', 'root']);
});

test('a child of a disposed root is a root', () => {
  const root = new CancellationToken();
  root.dispose();
  const child = root.childToken();
  root.cancel();
  expect(child.isCancelled).toBe(false);
  expect(child.cancel()).toBe(true);
});

test('disposing a whole chain in any order keeps the leaf linked to the root', () => {
  const orders: ((chain: CancellationToken[]) => CancellationToken[])[] = [
    (chain) => chain,
    (chain) => chain.reverse(),
  ];
  for (const order of orders) {
    const root = new CancellationToken();
    const chain: CancellationToken[] = [];
    let leaf = root;
    for (let i = 0; i < 10_000; i++) {
      leaf = leaf.childToken();
      chain.push(leaf);
    }
    const [observed, unobserved] = [leaf.childToken(), leaf.childToken()];
    const log: Log = [];
    callback(log, observed, 'observed');
    for (const token of order(chain)) token.dispose();
    expect([observed.isCancelled, unobserved.isCancelled]).toEqual([false, false]);
    root.cancel('root');
    expect([log, observed.reason, unobserved.reason]).toEqual([['observed'], 'root', 'root']);
  }
});

test('a token that is replaced by its child 100,000 times stays linked to the root', () => {
  const root = new CancellationToken();
  const log: Log = [];
  let unobserved = root.childToken();
  let observed = root.childToken();
  const parked = idleWaiter(log, 'parked');
  // A chain that grew with each round would overflow the stack, or take 5,000,000,000 steps.
  for (let i = 0; i < 100_000; i++) {
    let child = unobserved.childToken();
    unobserved.dispose();
    unobserved = child;
    child = observed.childToken();
    child.onCancelled(() => log.push('observed'));
    observed.dispose();
    observed = child;
  }
  unobserved[source].park(parked);
  root.cancel('root');
  expect([observed.reason, unobserved.reason]).toEqual(['root', 'root']);
  expect(log).toEqual(['observed', 'parked']);
});
