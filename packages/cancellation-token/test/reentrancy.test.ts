import { CancellationToken, type Registration, source } from '@quiesce/cancellation-token';
import { describe, expect, test } from 'vitest';
import { callback, type Log, listener, waiter } from './helpers/script.ts';

type Act = (then: () => void, token: CancellationToken) => void;
const places: Record<string, Act> = {
  'a callback': (then, token) => void token.onCancelled(then),
  'a wake-up': (then, token) => void waiter([], token, 'woken', then),
  'a listener': (then, token) => void listener([], token, 'fired', then),
};

describe.each(Object.entries(places))('inside %s', (_, inside) => {
  test('cancelling a marked token returns false at once and runs nothing', () => {
    const log: Log = [];
    const token = new CancellationToken();
    const below = token.childToken();
    inside(() => log.push(`${token.cancel('again')} ${below.cancel('again')}`), token);
    callback(log, below, 'below');
    token.cancel('once');
    expect(log).toEqual(['false false', 'below']);
    expect(below.reason).toBe('once');
  });

  test('cancelling another tree marks it at once; its callbacks run before the outermost cancel returns', () => {
    const log: Log = [];
    const token = new CancellationToken();
    const other = new CancellationToken();
    callback(log, other, 'other');
    callback(log, other.childToken(), "other's child");
    inside(() => log.push(`${other.cancel('inner')} ${other.reason}`), token);
    callback(log, token, 'still due');
    expect(token.cancel()).toBe(true);
    expect(log).toEqual(['true inner', 'still due', 'other', "other's child"]);
  });

  test('cancelling the parent leaves what is marked alone and reaches its siblings', () => {
    const log: Log = [];
    const root = new CancellationToken();
    const token = root.childToken();
    const sibling = root.childToken();
    callback(log, sibling, 'sibling');
    inside(() => root.cancel('root'), token);
    callback(log, token.childToken(), 'below');
    token.cancel('token');
    expect(log).toEqual(['below', 'sibling']);
    expect([token.reason, sibling.reason]).toEqual(['token', 'root']);
  });

  test('registering on a marked token runs the callback at once, also before those that are due', () => {
    const log: Log = [];
    const token = new CancellationToken();
    const below = token.childToken();
    inside(() => {
      callback(log, token, 'here');
      callback(log, below, 'below');
      callback(log, token.childToken(), 'new child');
    }, token);
    callback(log, token, 'due');
    token.cancel();
    expect(log).toEqual(['here', 'below', 'new child', 'due']);
  });

  test('registering on another tree waits for that', () => {
    const log: Log = [];
    const token = new CancellationToken();
    const other = new CancellationToken();
    inside(() => callback(log, other, 'other'), token);
    token.cancel();
    expect(log).toEqual([]);
    other.cancel();
    expect(log).toEqual(['other']);
  });

  test('unregistering what is due prevents it, wherever it stands', () => {
    const log: Log = [];
    const token = new CancellationToken();
    const taken: Registration[] = [];
    inside(() => log.push(`${taken.map((registration) => registration.unregister())}`), token);
    taken.push(callback(log, token, 'next'));
    callback(log, token, 'stays');
    taken.push(callback(log, token.childToken(), 'below'), callback(log, token, 'last'));
    token.cancel();
    expect(log).toEqual(['true,true,true', 'stays']);
  });

  test('unparking what is due prevents the wake-up', () => {
    const log: Log = [];
    const token = new CancellationToken();
    inside(() => token[source].unpark(due), token);
    const due = waiter(log, token, 'due');
    callback(log, token, 'stays');
    token.cancel();
    expect(log).toEqual(['stays']);
  });

  test('disposing a token before its turn takes its callbacks; its waiters and signal are told all the same', () => {
    const log: Log = [];
    const token = new CancellationToken();
    const below = token.childToken();
    inside(() => below.dispose(), token);
    const registration = callback(log, below, 'callback');
    waiter(log, below, 'waiter');
    listener(log, below, 'signal');
    callback(log, below.childToken(), 'further below');
    token.cancel('why');
    expect(log).toEqual(['waiter', 'signal', 'further below']);
    expect([below.isCancelled, below.reason, below.signal.reason]).toEqual([true, 'why', 'why']);
    expect(registration.unregister()).toBe(false);
  });

  test('disposing the token itself takes its remaining callbacks', () => {
    const log: Log = [];
    const token = new CancellationToken();
    inside(() => token.dispose(), token);
    callback(log, token, 'callback');
    callback(log, token.childToken(), 'below');
    token.cancel();
    expect(log).toEqual(['below']);
    expect(token.isCancelled).toBe(true);
  });

  test('a new child of a marked token is cancelled, one of another tree is not', () => {
    const token = new CancellationToken();
    const other = new CancellationToken();
    const born: CancellationToken[] = [];
    inside(() => born.push(token.childToken().childToken(), other.childToken()), token);
    token.cancel('why');
    expect(born.map((child) => child.reason)).toEqual(['why', undefined]);
  });
});

test('unregistering what a dispose has silenced prevents nothing more', () => {
  const log: Log = [];
  const token = new CancellationToken();
  const below = token.childToken();
  token.onCancelled(() => {
    below.dispose();
    log.push(`${silenced.unregister()}`);
  });
  const silenced = callback(log, below, 'silenced');
  token.cancel();
  expect(log).toEqual(['false']);
});

test('a callback that unregisters itself is told that it is too late', () => {
  const log: Log = [];
  const token = new CancellationToken();
  const registration = token.onCancelled(() => log.push(`${registration.unregister()}`));
  token.cancel();
  expect(log).toEqual(['false']);
});

test('a notification goes on while children of an active token come and go inside it', () => {
  const log: Log = [];
  const root = new CancellationToken();
  const token = root.childToken();
  token.onCancelled(() => {
    const late = root.childToken();
    callback(log, late, 'late');
    const gone = root.childToken();
    callback(log, gone, 'gone');
    gone.dispose();
  });
  callback(log, token, 'due');
  token.cancel();
  root.cancel();
  expect(log).toEqual(['due', 'late']);
});

test('100,000 tokens that cancel one another do not overflow the stack', () => {
  const count = 100_000;
  const tokens = Array.from({ length: count }, () => new CancellationToken());
  const seen: number[] = [];
  for (const [index, token] of tokens.entries()) {
    token.onCancelled(() => {
      seen.push(index);
      tokens[index + 1]?.cancel();
    });
  }
  tokens[0]?.cancel();
  expect(seen).toEqual(tokens.map((_token, index) => index));
});
