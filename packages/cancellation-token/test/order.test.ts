import { CancellationToken, source } from '@quiesce/cancellation-token';
import { describe, expect, test } from 'vitest';
import { callback, type Log, listener, waiter } from './helpers/script.ts';

test('callbacks, waiters and the signal of one token fire in registration order', () => {
  const log: Log = [];
  const token = new CancellationToken();
  callback(log, token, 'first');
  waiter(log, token, 'second');
  listener(log, token, 'third');
  callback(log, token, 'fourth');
  waiter(log, token, 'fifth');
  token.cancel();
  expect(log).toEqual(['first', 'second', 'third', 'fourth', 'fifth']);
});

test("the signal's position is that of its first read, not of its first listener", () => {
  const log: Log = [];
  const token = new CancellationToken();
  const { signal } = token;
  callback(log, token, 'callback');
  signal.addEventListener('abort', () => log.push('signal'));
  token.cancel();
  expect(log).toEqual(['signal', 'callback']);
});

test('notification is depth first: a token before the tokens below, and those before the next child', () => {
  const log: Log = [];
  const root = new CancellationToken();
  const a = root.childToken();
  const b = root.childToken();
  for (const [name, token] of Object.entries({
    a1: a.childToken(),
    b1: b.childToken(),
    a2: a.childToken(),
    b,
    a,
    root,
  }))
    callback(log, token, name);
  root.cancel();
  expect(log).toEqual(['root', 'a', 'a1', 'a2', 'b', 'b1']);
});

test('children are notified in the order in which they were first observed, not created', () => {
  const log: Log = [];
  const root = new CancellationToken();
  const born = ['first', 'second', 'third'].map((name) => ({ name, token: root.childToken() }));
  for (const { name, token } of born.reverse()) callback(log, token, name);
  for (const { name, token } of born) callback(log, token, `${name} again`);
  root.cancel();
  expect(log).toEqual(['third', 'third again', 'second', 'second again', 'first', 'first again']);
});

test("a token's own listeners are notified before its children, even if those were observed earlier", () => {
  const log: Log = [];
  const root = new CancellationToken();
  callback(log, root.childToken(), 'child 1');
  callback(log, root, 'own 1');
  callback(log, root.childToken(), 'child 2');
  waiter(log, root, 'own 2');
  root.cancel();
  expect(log).toEqual(['own 1', 'own 2', 'child 1', 'child 2']);
});

test('the whole subtree is marked before the first notification, and no other token is', () => {
  const root = new CancellationToken();
  const token = root.childToken();
  const tokens = [token, token.childToken(), token.childToken().childToken()];
  const unobserved = token.childToken().childToken();
  const seen: unknown[] = [];
  const look = (): void => {
    seen.push([...tokens.map((each) => each.reason), unobserved.reason, root.reason]);
  };
  for (const each of tokens) {
    each.onCancelled(look);
    waiter([], each, 'woken', look);
    each.signal.addEventListener('abort', look);
  }
  token.cancel('all');
  expect(seen).toEqual(Array(9).fill(['all', 'all', 'all', 'all', undefined]));
});

test('a callback receives the reason, once', () => {
  const calls: unknown[][] = [];
  const token = new CancellationToken();
  token.onCancelled((...args) => calls.push(args));
  token.cancel('why');
  token.cancel('again');
  expect(calls).toEqual([['why']]);
});

test('one function that is registered twice is called twice', () => {
  const log: Log = [];
  const token = new CancellationToken();
  const fn = (): void => void log.push('called');
  token.onCancelled(fn);
  token.onCancelled(fn).dispose();
  token.onCancelled(fn);
  token.cancel();
  expect(log).toEqual(['called', 'called']);
});

test('a callback that is registered on a cancelled token runs immediately', () => {
  const log: Log = [];
  const token = new CancellationToken();
  token.cancel('why');
  const registration = token.childToken().onCancelled((reason) => log.push(`called: ${reason}`));
  expect(log).toEqual(['called: why']);
  expect(registration.dispose()).toBe(false);
});

test('a value that is not a function is refused, with its kind in the text', () => {
  const token = new CancellationToken();
  for (const wrong of [undefined, null, 'fn', {}]) {
    expect(() => token.onCancelled(wrong as never)).toThrow(TypeError);
  }
  expect(() => token.onCancelled('fn' as never)).toThrow('onCancelled: expected a function, got');
});

describe('dispose', () => {
  test.each([0, 1, 2])('removes callback %i of three and leaves the others', (index) => {
    const log: Log = [];
    const token = new CancellationToken();
    const registrations = ['0', '1', '2'].map((name) => callback(log, token, name));
    expect(registrations[index]?.dispose()).toBe(true);
    token.cancel();
    expect(log).toEqual(['0', '1', '2'].filter((name) => name !== String(index)));
  });

  test('returns whether it prevented the call: once only, and not after it', () => {
    const token = new CancellationToken();
    const early = token.onCancelled(() => expect.unreachable());
    const late = token.onCancelled(() => {});
    expect([early.dispose(), early.dispose()]).toEqual([true, false]);
    token.cancel();
    expect([early.dispose(), late.dispose()]).toEqual([false, false]);
  });

  test('is called by `using`', () => {
    const token = new CancellationToken();
    {
      using registration = token.onCancelled(() => expect.unreachable());
      expect(registration[Symbol.dispose]).toBe(registration.dispose);
    }
    expect(token.cancel()).toBe(true);
  });

  test('keeps the order of the others when registrations and waiters are added and removed', () => {
    const log: Log = [];
    const token = new CancellationToken();
    callback(log, token, 'gone').dispose();
    callback(log, token, 'stays');
    const left = waiter(log, token, 'left');
    callback(log, token, 'last');
    token[source].unpark(left);
    token[source].park(left);
    token.cancel();
    expect(log).toEqual(['stays', 'last', 'left']);
  });
});
