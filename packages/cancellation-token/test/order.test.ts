import { CancellationToken, source } from '@quiesce/cancellation-token';
import { describe, expect, test } from 'vitest';
import { callback, type Log, listener, waiter } from './helpers/script.ts';

test('on one token callbacks, waiters and the signal fire in registration order', () => {
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

test("the signal's place is when it was first read, not when something listens to it", () => {
  const log: Log = [];
  const token = new CancellationToken();
  const { signal } = token;
  callback(log, token, 'callback');
  signal.addEventListener('abort', () => log.push('signal'));
  token.cancel();
  expect(log).toEqual(['signal', 'callback']);
});

test('depth first: a token before what is below it, and that before the next child', () => {
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

test('children come in the order in which they were first observed, not in that of birth', () => {
  const log: Log = [];
  const root = new CancellationToken();
  const born = ['first', 'second', 'third'].map((name) => ({ name, token: root.childToken() }));
  for (const { name, token } of born.reverse()) callback(log, token, name);
  for (const { name, token } of born) callback(log, token, `${name} again`);
  root.cancel();
  expect(log).toEqual(['third', 'third again', 'second', 'second again', 'first', 'first again']);
});

test('what a token has itself comes before its children, also when they were observed before', () => {
  const log: Log = [];
  const root = new CancellationToken();
  callback(log, root.childToken(), 'child 1');
  callback(log, root, 'own 1');
  callback(log, root.childToken(), 'child 2');
  waiter(log, root, 'own 2');
  root.cancel();
  expect(log).toEqual(['own 1', 'own 2', 'child 1', 'child 2']);
});

test('the whole subtree is marked before anything is notified, and what is outside is not', () => {
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
  token.onCancelled(fn).unregister();
  token.onCancelled(fn);
  token.cancel();
  expect(log).toEqual(['called', 'called']);
});

test('a callback that is registered on a cancelled token runs at once', () => {
  const log: Log = [];
  const token = new CancellationToken();
  token.cancel('why');
  const registration = token.childToken().onCancelled((reason) => log.push(`called: ${reason}`));
  expect(log).toEqual(['called: why']);
  expect(registration.unregister()).toBe(false);
});

test('what is not a function is refused, with its kind in the text', () => {
  const token = new CancellationToken();
  for (const wrong of [undefined, null, 'fn', {}]) {
    expect(() => token.onCancelled(wrong as never)).toThrow(TypeError);
  }
  expect(() => token.onCancelled('fn' as never)).toThrow('onCancelled: expected a function, got');
});

describe('unregister', () => {
  test.each([0, 1, 2])('takes callback %i of three back and leaves the others', (index) => {
    const log: Log = [];
    const token = new CancellationToken();
    const registrations = ['0', '1', '2'].map((name) => callback(log, token, name));
    expect(registrations[index]?.unregister()).toBe(true);
    token.cancel();
    expect(log).toEqual(['0', '1', '2'].filter((name) => name !== String(index)));
  });

  test('says whether it prevented the call: once only, and not after it', () => {
    const token = new CancellationToken();
    const early = token.onCancelled(() => expect.unreachable());
    const late = token.onCancelled(() => {});
    expect([early.unregister(), early.unregister()]).toEqual([true, false]);
    token.cancel();
    expect([early.unregister(), late.unregister()]).toEqual([false, false]);
  });

  test('is what `using` does with a registration', () => {
    const token = new CancellationToken();
    {
      using registration = token.onCancelled(() => expect.unreachable());
      expect(registration[Symbol.dispose]).toBe(registration.unregister);
    }
    expect(token.cancel()).toBe(true);
  });

  test('keeps the place of others when registrations and waiters come and go', () => {
    const log: Log = [];
    const token = new CancellationToken();
    callback(log, token, 'gone').unregister();
    callback(log, token, 'stays');
    const left = waiter(log, token, 'left');
    callback(log, token, 'last');
    token[source].unpark(left);
    token[source].park(left);
    token.cancel();
    expect(log).toEqual(['stays', 'last', 'left']);
  });
});
