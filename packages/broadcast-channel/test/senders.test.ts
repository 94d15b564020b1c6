// Strong and weak senders, and their counts on every handle.
import { broadcast, type ChannelEnd } from '@quiesce/broadcast-channel';
import { ClosedError } from '@quiesce/cancellation-token';
import { describe, expect, it } from 'vitest';
import { expectClosed, expectCounts, expectEmpty, expectValues } from './vocabulary.ts';

describe('broadcast.sender', () => {
  it('makes a channel without a receiver: values are gone until a receiver subscribes', () => {
    const tx = broadcast.sender<number>(4);
    expect(tx.receiverCount).toBe(0);
    expect(tx.send(1)).toBe(0);
    expect({ length: tx.length, isEmpty: tx.isEmpty }).toEqual({ length: 0, isEmpty: true });
    const rx = tx.subscribe();
    expectEmpty(rx);
    expect(tx.send(2)).toBe(1);
    expectValues(rx, 2);
  });

  it.each([
    [0, 'the number 0'],
    [-1, 'the number -1'],
    [1.5, 'the number 1.5'],
    [Number.NaN, 'the number NaN'],
    [2 ** 24 + 1, 'the number 16777217'],
    ['4', 'the string "4"'],
    [undefined, 'undefined'],
  ])('refuses the capacity %s as broadcast does', (capacity, shown) => {
    const type = typeof capacity === 'number' ? RangeError : TypeError;
    expect(() => broadcast.sender(capacity as number)).toThrow(type);
    expect(() => broadcast.sender(capacity as number)).toThrow(`got ${shown}`);
  });
});

describe('a weak sender', () => {
  it('does not keep the channel open', () => {
    const [tx, rx] = broadcast<number>(4);
    const weak = tx.downgrade();
    tx.close();
    expect(rx.isClosed).toBe(true);
    expectClosed(rx);
    expect(weak.upgrade()).toBeUndefined();
  });

  it('makes a sender, which keeps the channel open', () => {
    const [tx, rx] = broadcast<number>(4);
    const weak = tx.downgrade();
    const again = weak.upgrade();
    tx.close();
    expect(rx.isClosed).toBe(false);
    expect(again?.send(1)).toBe(1);
    again?.close();
    expectValues(rx, 1);
    expectClosed(rx);
  });

  it('cannot be upgraded once the last sender was closed, even when receivers are left', () => {
    const [tx, rx] = broadcast<number>(4);
    const weak = tx.downgrade();
    const clone = weak.clone();
    tx.send(1);
    tx.close();
    for (const handle of [weak, clone, weak.clone()]) expect(handle.upgrade()).toBeUndefined();
    expectValues(rx, 1);
    expectCounts(0, 3, rx);
  });

  it('can be disposed more than once, which changes nothing but the count', () => {
    const [tx, rx] = broadcast<number>(4);
    const weak = tx.downgrade();
    const clone = weak.clone();
    weak.dispose();
    weak.dispose();
    weak[Symbol.dispose]();
    expectCounts(1, 1, tx, weak, clone, rx);
    expect(() => weak.upgrade()).toThrow(ClosedError);
    expect(() => weak.upgrade()).toThrow('upgrade: this weak sender was disposed');
    expect(() => weak.clone()).toThrow('clone: this weak sender was disposed');
    const again = clone.upgrade();
    expectCounts(2, 1, tx, rx);
    again?.close();
    expect(tx.send(1)).toBe(1);
  });

  it('is disposed by `using` at the end of its block', () => {
    const [tx] = broadcast<number>(4);
    {
      using weak = tx.downgrade();
      expectCounts(1, 1, tx, weak);
    }
    expectCounts(1, 0, tx);
  });

  it('cannot be made from a closed sender', () => {
    const [tx] = broadcast<number>(4);
    tx.close();
    expect(() => tx.downgrade()).toThrow('downgrade: this sender was closed');
    expectCounts(0, 0, tx);
  });
});

describe('counts', () => {
  it('are the same on every handle, and exact through clones, upgrades and closes', () => {
    const [tx, rx] = broadcast<number>(4);
    expectCounts(1, 0, tx, rx);
    const second = tx.clone();
    const weak = second.downgrade();
    expectCounts(2, 1, tx, second, weak, rx);
    const third = weak.upgrade();
    const weaker = weak.clone();
    expectCounts(3, 2, tx, second, weak, weaker, rx);
    tx.close();
    tx.close();
    weak.dispose();
    expectCounts(2, 1, tx, second, weak, weaker, rx);
    second.close();
    third?.close();
    weaker.dispose();
    expectCounts(0, 0, tx, second, weak, weaker, rx);
  });

  it('of receivers do not include a receiver made from a disposed receiver', () => {
    const [tx, rx] = broadcast<number>(4);
    rx.dispose();
    const other = rx.resubscribe();
    expect(tx.receiverCount).toBe(1);
    expectCounts(1, 0, rx, other);
  });
});

describe('sameChannel', () => {
  it('is true for the handles of one channel and false for another, whatever their kind', () => {
    const handles = (): ChannelEnd[] => {
      const [tx, rx] = broadcast<number>(4);
      const weak = tx.downgrade();
      return [tx, tx.clone(), rx, rx.resubscribe(), weak, weak.clone()];
    };
    const [ours, others] = [handles(), handles()];
    for (const one of ours) {
      for (const same of ours) expect(one.sameChannel(same)).toBe(true);
      for (const other of others) expect(one.sameChannel(other)).toBe(false);
    }
  });

  it('still works after all handles were closed or disposed', () => {
    const [tx, rx] = broadcast<number>(4);
    tx.close();
    rx.dispose();
    expect(tx.sameChannel(rx)).toBe(true);
  });
});
