import { CancellationToken, isSource, PENDING, type Source, source } from '@quiesce/cancellation-token';
import { describe, expect, test } from 'vitest';
import { chainBelow, idleWaiter, type Log, waiter } from './helpers/script.ts';

const sides: [string, (token: CancellationToken) => Source<unknown>][] = [
  ['a token', (token) => token],
  ['its cancelled()', (token) => token.cancelled()],
];

describe.each(sides)('%s as a source', (_, side) => {
  test('is recognised, and has the same protocol at each read', () => {
    const from = side(new CancellationToken());
    expect(isSource(from)).toBe(true);
    expect(from[source]).toBe(from[source]);
  });

  test('is pending until cancelled, and then gives the reason at each poll', () => {
    const root = new CancellationToken();
    const from = side(chainBelow(root, 2));
    expect(from[source].poll()).toBe(PENDING);
    root.cancel('why');
    expect([from[source].poll(), from[source].poll()]).toEqual(['why', 'why']);
  });

  test('wakes each waiter once, unparked, in the order of parking', () => {
    const log: Log = [];
    const root = new CancellationToken();
    const from = side(root.childToken());
    const names = ['a', 'b', 'c'];
    const waiters = names.map((name) =>
      idleWaiter(log, name, () => log.push(String(waiters.map((each) => each.owner !== undefined)))),
    );
    for (const each of waiters) from[source].park(each);
    root.cancel();
    expect(log).toEqual(['a', 'false,true,true', 'b', 'false,false,true', 'c', 'false,false,false']);
  });

  test('keeps the position of a waiter that parks twice', () => {
    const log: Log = [];
    const token = new CancellationToken();
    const from = side(token);
    const first = idleWaiter(log, 'first');
    from[source].park(first);
    from[source].park(idleWaiter(log, 'second'));
    from[source].park(first);
    token.cancel();
    expect(log).toEqual(['first', 'second']);
  });

  test('does not wake a waiter that has unparked, and takes it back at the end', () => {
    const log: Log = [];
    const token = new CancellationToken();
    const from = side(token);
    const [gone, again] = [idleWaiter(log, 'gone'), idleWaiter(log, 'again')];
    for (const each of [gone, again, idleWaiter(log, 'stays')]) from[source].park(each);
    from[source].unpark(gone);
    from[source].unpark(gone);
    from[source].unpark(again);
    from[source].park(again);
    token.cancel();
    expect(log).toEqual(['stays', 'again']);
    expect([gone.next, gone.prev, gone.owner]).toEqual([undefined, undefined, undefined]);
  });

  test('does not park on a cancelled token: nothing would wake the waiter', () => {
    const token = new CancellationToken();
    token.cancel();
    const late = idleWaiter([], 'late');
    side(token)[source].park(late);
    expect(late.owner).toBeUndefined();
  });

  test('may be polled and parked on again inside a wake-up', () => {
    const log: Log = [];
    const token = new CancellationToken();
    const from = side(token);
    const again = idleWaiter(log, 'woken', () => {
      log.push(String(from[source].poll()));
      from[source].park(again);
    });
    from[source].park(again);
    token.cancel('why');
    expect(log).toEqual(['woken', 'why']);
    expect(again.owner).toBeUndefined();
  });

  test('refuses a waiter that is parked elsewhere, including on another token', () => {
    const log: Log = [];
    const [token, other] = [new CancellationToken(), new CancellationToken()];
    const elsewhere = { ...idleWaiter(log, 'elsewhere'), owner: {} };
    expect(() => side(token)[source].park(elsewhere)).toThrow(TypeError);
    const parked = waiter(log, other, 'woken by the other');
    expect(() => side(token)[source].park(parked)).toThrow('parked on another source; unpark it there first');
    token.cancel();
    expect(log).toEqual([]);
    other.cancel();
    expect(log).toEqual(['woken by the other']);
  });

  test('does not unpark a waiter that is parked elsewhere', () => {
    const log: Log = [];
    const [token, other] = [new CancellationToken(), new CancellationToken()];
    const parked = waiter(log, other, 'woken by the other');
    side(token)[source].unpark(parked);
    side(token.childToken())[source].unpark(parked);
    const elsewhere = { ...idleWaiter(log, 'elsewhere'), owner: token.onCancelled };
    side(token)[source].unpark(elsewhere);
    expect(elsewhere.owner).toBe(token.onCancelled);
    other.cancel();
    expect(log).toEqual(['woken by the other']);
  });
});

test('a waiter can move from one token to another inside a wake-up', () => {
  const log: Log = [];
  const [token, next] = [new CancellationToken(), new CancellationToken()];
  const moving = waiter(log, token, 'woken', () => next[source].park(moving));
  token.cancel();
  next.cancel();
  next.childToken().cancel();
  expect(log).toEqual(['woken', 'woken']);
});

test('only an object that offers the protocol is a source', () => {
  const foreign = { [Symbol.for('quiesce.source')]: {} };
  expect(isSource(foreign)).toBe(true);
  expect(
    [undefined, null, 1, 'x', {}, () => {}, Promise.resolve(), new AbortController().signal].map(isSource),
  ).toEqual(Array(8).fill(false));
});

test('the symbols are the same in every copy of the package', () => {
  expect([source, PENDING]).toEqual([Symbol.for('quiesce.source'), Symbol.for('quiesce.pending')]);
});
