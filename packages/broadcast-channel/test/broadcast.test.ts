import { broadcast } from '@quiesce/broadcast-channel';
import { ClosedError, type Sendable } from '@quiesce/cancellation-token';
import { describe, expect, it } from 'vitest';
import { expectClosed, expectEmpty, expectValues } from './vocabulary.ts';

describe('broadcast', () => {
  it.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 31])('refuses the capacity %d', (capacity) => {
    expect(() => broadcast(capacity)).toThrow(RangeError);
    expect(() => broadcast(capacity)).toThrow(`got the number ${capacity}`);
  });

  it('refuses a capacity that is not a number, with a TypeError', () => {
    expect(() => broadcast('4' as never)).toThrow(TypeError);
    expect(() => broadcast(undefined as never)).toThrow(TypeError);
  });

  it('returns a sender and one receiver, both open', () => {
    const [tx, rx] = broadcast<number>(1);
    expect(tx.receiverCount).toBe(1);
    expect(rx.isClosed).toBe(false);
    expectEmpty(rx);
  });
});

describe('send', () => {
  it('returns the number of receivers that will see the value, and each of them sees it', () => {
    const [tx, a] = broadcast<string>(4);
    const b = tx.subscribe();
    expect(tx.send('x')).toBe(2);
    b.dispose();
    expect(tx.send('y')).toBe(1);
    expectValues(a, 'x', 'y');
    expectClosed(b);
  });

  it('shares the value: all receivers get the same object', () => {
    const [tx, a] = broadcast<{ n: number }>(1);
    const b = tx.subscribe();
    const value = { n: 1 };
    tx.send(value);
    for (const rx of [a, b]) {
      const got = rx.tryRecv();
      expect(got.ok && got.value).toBe(value);
    }
  });

  it('returns 0 when there is no receiver, and a later subscriber revives the channel without that value', () => {
    const [tx, rx] = broadcast<number>(2);
    rx.dispose();
    expect(tx.send(1)).toBe(0);
    expect(tx.length).toBe(0);
    const late = tx.subscribe();
    expectEmpty(late);
    expect(tx.send(2)).toBe(1);
    expectValues(late, 2);
  });

  it('carries every kind of value that a promise can carry', () => {
    const values = ['', 0, -0, Number.NaN, 1n, false, null, undefined, Symbol.iterator, {}, () => 1, new Error('e')];
    const [tx, rx] = broadcast<Sendable>(16);
    for (const value of values) tx.send(value as Sendable);
    for (const value of values) {
      const got = rx.tryRecv();
      expect(got.ok && Object.is(got.value, value)).toBe(true);
    }
  });

  it('refuses a thenable, and no receiver gets anything', () => {
    const [tx, rx] = broadcast<object>(4);
    const withThen = (on: object, then: unknown = () => {}) => Object.defineProperty(on, 'then', { value: then });
    const thenables = [Promise.resolve(1), withThen({}), withThen(() => {})];
    for (const thenable of thenables) {
      expect(() => tx.send(thenable)).toThrow(TypeError);
      expect(() => tx.send(thenable)).toThrow('send: ');
    }
    expectEmpty(rx);
    expect(tx.send(withThen({}, 'not a function'))).toBe(1);
  });
});

describe('subscribe', () => {
  it('starts at the next value that is sent', () => {
    const [tx, first] = broadcast<number>(4);
    tx.send(1);
    const second = tx.subscribe();
    tx.send(2);
    expectValues(first, 1, 2);
    expectValues(second, 2);
  });

  it('lets receivers read at their own pace within the capacity', () => {
    const [tx, fast] = broadcast<number>(4);
    const slow = tx.subscribe();
    for (const n of [1, 2, 3, 4]) {
      tx.send(n);
      expectValues(fast, n);
    }
    expectValues(slow, 1);
    tx.send(5);
    expectValues(slow, 2, 3, 4, 5);
    expectEmpty(slow);
  });

  it('counts exactly the receivers that are open', () => {
    const [tx, rx] = broadcast<number>(1);
    const others = [tx.subscribe(), rx.resubscribe(), tx.subscribe()];
    expect(tx.receiverCount).toBe(4);
    for (const other of others) other.dispose();
    for (const other of others) other.dispose();
    expect(tx.receiverCount).toBe(1);
    rx.dispose();
    expect(tx.receiverCount).toBe(0);
  });
});

describe('resubscribe', () => {
  it('starts at the tail and leaves the original where it is', () => {
    const [tx, rx] = broadcast<number>(4);
    tx.send(1);
    const again = rx.resubscribe();
    tx.send(2);
    expectValues(again, 2);
    expectValues(rx, 1, 2);
  });

  it('skips the lag of a receiver that has fallen behind', () => {
    const [tx, rx] = broadcast<number>(1);
    for (const n of [1, 2, 3]) tx.send(n);
    const again = rx.resubscribe();
    expectEmpty(again);
    tx.send(4);
    expectValues(again, 4);
  });

  it('returns a receiver that has ended once the channel is closed', async () => {
    const [tx, rx] = broadcast<number>(4);
    tx.send(1);
    tx.close();
    const again = rx.resubscribe();
    expectClosed(again);
    await expect(again.recv()).rejects.toBeInstanceOf(ClosedError);
    expectValues(rx, 1);
  });

  it('works from a receiver that was disposed', () => {
    const [tx, rx] = broadcast<number>(4);
    rx.dispose();
    const again = rx.resubscribe();
    tx.send(1);
    expectValues(again, 1);
  });
});
