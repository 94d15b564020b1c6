import { broadcast } from '@quiesce/broadcast-channel';
import { describe, expect, it } from 'vitest';
import { expectLagged, expectValues } from './vocabulary.ts';

describe('length of a receiver', () => {
  it('counts the values that are yet to be read', () => {
    const [tx, rx] = broadcast<number>(4);
    expect(rx.length).toBe(0);
    expect(rx.isEmpty).toBe(true);
    tx.send(1);
    tx.send(2);
    expect(rx.length).toBe(2);
    expect(rx.isEmpty).toBe(false);
    expectValues(rx, 1);
    expect(rx.length).toBe(1);
    expect(tx.subscribe().length).toBe(0);
  });

  it('exceeds the capacity until the lag has been reported', () => {
    const [tx, rx] = broadcast<number>(3);
    for (let n = 1; n <= 10; n++) tx.send(n);
    expect(rx.length).toBe(10);
    expectLagged(rx, 6);
    expect(rx.length).toBe(4);
    expectValues(rx, 7);
    expect(rx.length).toBe(3);
  });

  it('is 0 on a disposed receiver, and does not change when the channel closes', () => {
    const [tx, rx] = broadcast<number>(4);
    const other = tx.subscribe();
    tx.send(1);
    other.dispose();
    tx.close();
    expect(other.length).toBe(0);
    expect(other.isEmpty).toBe(true);
    expect(rx.length).toBe(1);
    expect(rx.isEmpty).toBe(false);
  });
});

describe('length of a sender', () => {
  it('is the backlog of the slowest receiver', () => {
    const [tx, a] = broadcast<number>(8);
    const b = tx.subscribe();
    expect(tx.length).toBe(0);
    expect(tx.isEmpty).toBe(true);
    for (const n of [1, 2, 3]) tx.send(n);
    expect(tx.length).toBe(3);
    expectValues(a, 1, 2, 3);
    expect(tx.length).toBe(3);
    expectValues(b, 1, 2);
    expect(tx.length).toBe(1);
    expectValues(b, 3);
    expect(tx.length).toBe(0);
    expect(tx.isEmpty).toBe(true);
  });

  it('never exceeds the number of values that the channel keeps', () => {
    const [tx, rx] = broadcast<number>(3);
    for (let n = 1; n <= 10; n++) tx.send(n);
    expect(tx.length).toBe(4);
    expectLagged(rx, 6);
    expect(tx.length).toBe(4);
    expectValues(rx, 7, 8);
    expect(tx.length).toBe(2);
  });

  it('falls as soon as the slowest receiver is disposed', () => {
    const [tx, slow] = broadcast<number>(4);
    const fast = tx.subscribe();
    for (const n of [1, 2, 3]) tx.send(n);
    expectValues(fast, 1, 2);
    slow.dispose();
    expect(tx.length).toBe(1);
    fast.dispose();
    expect(tx.length).toBe(0);
  });

  it('does not count values that were sent before the remaining receivers subscribed', () => {
    const [tx, early] = broadcast<number>(4);
    tx.send(1);
    const late = tx.subscribe();
    tx.send(2);
    early.dispose();
    expect(tx.length).toBe(1);
    expectValues(late, 2);
    expect(tx.length).toBe(0);
  });
});
