import { CancellationToken } from '@quiesce/cancellation-token';
import { describe, expect, test } from 'vitest';
import { chainBelow, observers } from './helpers/script.ts';

const observed: [string, (token: CancellationToken) => unknown][] = [
  ['nothing', () => {}],
  ...Object.entries(observers),
];

describe('a root', () => {
  test('starts active, without reason and name', () => {
    const root = new CancellationToken();
    expect([root.isCancelled, root.reason, root.name]).toEqual([false, undefined, undefined]);
  });

  test('is cancelled by the first call only', () => {
    const root = new CancellationToken();
    expect(root.cancel('first')).toBe(true);
    expect(root.cancel('second')).toBe(false);
    expect([root.isCancelled, root.reason]).toEqual([true, 'first']);
  });

  test('keeps its name, and passes it to no other token', () => {
    const root = new CancellationToken({ name: 'server' });
    expect(root.name).toBe('server');
    expect(root.childToken().name).toBeUndefined();
    expect(root.childToken({ name: 'request' }).name).toBe('request');
    expect(new CancellationToken({ name: undefined }).name).toBeUndefined();
  });
});

describe.each(observed)('a tree whose leaf is observed by %s', (_, observe) => {
  test.each([0, 1, 2, 7])('is cancelled from %i levels above', (depth) => {
    const root = new CancellationToken();
    const leaf = chainBelow(root, depth);
    observe(leaf);
    expect(leaf.isCancelled).toBe(false);
    expect(root.cancel('stop')).toBe(true);
    expect([leaf.isCancelled, leaf.reason]).toEqual([true, 'stop']);
    expect(leaf.cancel('too late')).toBe(false);
    expect(leaf.reason).toBe('stop');
  });

  test('is cancelled when its state was not read before', () => {
    const root = new CancellationToken();
    const leaf = chainBelow(root, 3);
    observe(leaf);
    root.cancel('stop');
    expect(leaf.cancel('too late')).toBe(false);
    expect(leaf.reason).toBe('stop');
  });

  test('never cancels a token above or beside it', () => {
    const root = new CancellationToken();
    const middle = root.childToken();
    const leaf = middle.childToken();
    const sibling = middle.childToken();
    observe(leaf);
    observe(sibling);
    expect(leaf.cancel()).toBe(true);
    expect([root, middle, leaf, sibling].map((token) => token.isCancelled)).toEqual([false, false, true, false]);
    expect(middle.childToken().isCancelled).toBe(false);
  });

  test('is cancelled in the middle: exactly the tokens below', () => {
    const root = new CancellationToken();
    const middle = chainBelow(root, 2);
    const leaf = chainBelow(middle, 2);
    const cousin = chainBelow(root, 3);
    observe(leaf);
    observe(cousin);
    middle.cancel('middle');
    expect([root, middle, leaf, cousin].map((token) => token.reason)).toEqual([
      undefined,
      'middle',
      'middle',
      undefined,
    ]);
    root.cancel('root');
    expect([root, middle, leaf, cousin].map((token) => token.reason)).toEqual(['root', 'middle', 'middle', 'root']);
  });

  test('stays not cancelled at each read, whatever is cancelled elsewhere', () => {
    const root = new CancellationToken();
    const leaf = chainBelow(root, 4);
    observe(leaf);
    for (let i = 0; i < 3; i++) {
      expect(leaf.isCancelled).toBe(false);
      new CancellationToken().cancel();
      leaf.childToken().cancel();
    }
    root.cancel();
    expect(leaf.isCancelled).toBe(true);
  });

  test('is unobserved again when the observer leaves, and still belongs to the tree', () => {
    const root = new CancellationToken();
    const leaf = chainBelow(root, 3);
    leaf.onCancelled(() => expect.unreachable()).dispose();
    observe(leaf);
    leaf.onCancelled(() => expect.unreachable()).dispose();
    root.cancel();
    expect(leaf.isCancelled).toBe(true);
  });
});

test('a child of a cancelled token is already cancelled, with its reason', () => {
  const root = new CancellationToken();
  root.cancel('stop');
  const child = root.childToken().childToken();
  expect([child.isCancelled, child.reason, child.cancel()]).toEqual([true, 'stop', false]);
});

test('throwIfCancelled throws the reason itself, and nothing before the cancellation', () => {
  const token = new CancellationToken().childToken();
  expect(() => token.throwIfCancelled()).not.toThrow();
  const reason = { any: 'thing' };
  token.cancel(reason);
  let thrown: unknown;
  try {
    token.throwIfCancelled();
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toBe(reason);
});

test('a token prints its name and state, in texts and in debuggers', async () => {
  const { inspect } = await import('node:util');
  const token = new CancellationToken({ name: 'jobs "a"' });
  const anonymous = token.childToken();
  expect([String(token), String(anonymous)]).toEqual([
    'CancellationToken("jobs \\"a\\"", active)',
    'CancellationToken(active)',
  ]);
  anonymous.dispose();
  token.cancel('deploy');
  expect(inspect(token, { breakLength: 120 })).toBe(
    `CancellationToken { name: 'jobs "a"', state: 'cancelled', reason: 'deploy' }`,
  );
  expect(inspect({ anonymous })).toBe("{ anonymous: CancellationToken { state: 'disposed' } }");
  const limited = new CancellationToken().withDeadline(new Date(Date.UTC(2100, 0)));
  expect(inspect(limited, { breakLength: 120 })).toBe(
    "CancellationToken { state: 'active', deadline: 2100-01-01T00:00:00.000Z }",
  );
});
