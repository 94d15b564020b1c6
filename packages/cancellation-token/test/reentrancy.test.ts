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
  test('cancelling a marked token returns false and runs nothing', () => {
    const log: Log = [];
    const token = new CancellationToken();
    const below = token.childToken();
    inside(() => log.push(`${token.cancel('again')} ${below.cancel('again')}`), token);
    callback(log, below, 'below');
    token.cancel('once');
    expect(log).toEqual(['false false', 'below']);
    expect(below.reason).toBe('once');
  });

  test('cancelling another tree marks it immediately; its callbacks run before the outermost cancel returns', () => {
    const log: Log = [];
    const token = new CancellationToken();
    const other = new CancellationToken();
    callback(log, other, 'other');
    callback(log, other.childToken(), "other's child");
    inside(() => log.push(`${other.cancel('inner')} ${other.reason}`), token);
    callback(log, token, 'still queued');
    expect(token.cancel()).toBe(true);
    expect(log).toEqual(['true inner', 'still queued', 'other', "other's child"]);
  });

  test('cancelling the parent does not affect marked tokens, and reaches their siblings', () => {
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

  test('registering on a marked token runs the callback immediately, even before the queued ones', () => {
    const log: Log = [];
    const token = new CancellationToken();
    const below = token.childToken();
    inside(() => {
      callback(log, token, 'here');
      callback(log, below, 'below');
      callback(log, token.childToken(), 'new child');
    }, token);
    callback(log, token, 'queued');
    token.cancel();
    expect(log).toEqual(['here', 'below', 'new child', 'queued']);
  });

  test('registering on another tree waits for its cancellation', () => {
    const log: Log = [];
    const token = new CancellationToken();
    const other = new CancellationToken();
    inside(() => callback(log, other, 'other'), token);
    token.cancel();
    expect(log).toEqual([]);
    other.cancel();
    expect(log).toEqual(['other']);
  });

  test('disposing the registration of a queued callback prevents it, at any position', () => {
    const log: Log = [];
    const token = new CancellationToken();
    const taken: Registration[] = [];
    inside(() => log.push(`${taken.map((registration) => registration.dispose())}`), token);
    taken.push(callback(log, token, 'next'));
    callback(log, token, 'stays');
    taken.push(callback(log, token.childToken(), 'below'), callback(log, token, 'last'));
    token.cancel();
    expect(log).toEqual(['true,true,true', 'stays']);
  });

  test('unparking a queued waiter prevents the wake-up', () => {
    const log: Log = [];
    const token = new CancellationToken();
    inside(() => token[source].unpark(queued), token);
    const queued = waiter(log, token, 'queued');
    callback(log, token, 'stays');
    token.cancel();
    expect(log).toEqual(['stays']);
  });

  test('disposing a token before it is notified removes its callbacks; its waiters and signal are still notified', () => {
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
    expect(registration.dispose()).toBe(false);
  });

  test('disposing the token itself removes its remaining callbacks', () => {
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

test('disposing the registration of a callback of a disposed token returns false', () => {
  const log: Log = [];
  const token = new CancellationToken();
  const below = token.childToken();
  token.onCancelled(() => {
    below.dispose();
    log.push(`${silenced.dispose()}`);
  });
  const silenced = callback(log, below, 'silenced');
  token.cancel();
  expect(log).toEqual(['false']);
});

test('a callback that disposes its own registration gets false', () => {
  const log: Log = [];
  const token = new CancellationToken();
  const registration = token.onCancelled(() => log.push(`${registration.dispose()}`));
  token.cancel();
  expect(log).toEqual(['false']);
});

test('a notification continues while children of an active token are created and disposed inside it', () => {
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
  callback(log, token, 'queued');
  token.cancel();
  root.cancel();
  expect(log).toEqual(['queued', 'late']);
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
