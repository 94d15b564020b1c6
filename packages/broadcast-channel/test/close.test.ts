import { broadcast } from '@quiesce/broadcast-channel';
import { ClosedError } from '@quiesce/cancellation-token';
import { describe, expect, it } from 'vitest';
import { expectClosed, expectValues, now } from './vocabulary.ts';

describe('closing a sender', () => {
  it('closes the channel when the sender is the last of its clones, and wakes every receive that waits', async () => {
    const [tx, rx] = broadcast<number>(2);
    const clone = tx.clone();
    const other = tx.subscribe();
    const waiting = [rx.recv(), rx.recv(), other.recv()];
    tx.close();
    expect(rx.isClosed).toBe(false);
    expect(await now(Promise.race(waiting))).toBe('pending');
    clone.close();
    expect(rx.isClosed).toBe(true);
    for (const result of await Promise.allSettled(waiting)) {
      expect(result).toMatchObject({ status: 'rejected', reason: { name: 'ClosedError', code: 'ERR_CLOSED' } });
    }
  });

  it('counts each sender once, however often it is closed', () => {
    const [tx, rx] = broadcast<number>(2);
    const clone = tx.clone();
    for (const close of [() => tx.close(), () => tx.close(), () => tx[Symbol.dispose]()]) {
      close();
      expect(rx.isClosed).toBe(false);
    }
    expect(clone.send(1)).toBe(1);
    expectValues(rx, 1);
  });

  it('refuses every call on the closed sender, and does not affect its clones', () => {
    const [tx, rx] = broadcast<number>(2);
    const clone = tx.clone();
    tx.close();
    expect(() => tx.send(1)).toThrow(ClosedError);
    expect(() => tx.subscribe()).toThrow(ClosedError);
    expect(() => tx.clone()).toThrow(ClosedError);
    expect(() => tx.send(1)).toThrow('this sender was closed');
    expect(clone.send(2)).toBe(1);
    expect(clone.subscribe().isClosed).toBe(false);
    expectValues(rx, 2);
  });

  it('leaves the counts and properties of the sender readable', () => {
    const [tx, rx] = broadcast<number>(2);
    tx.send(1);
    tx.close();
    expect({ length: tx.length, isEmpty: tx.isEmpty, receivers: tx.receiverCount }).toEqual({
      length: 1,
      isEmpty: false,
      receivers: 1,
    });
    expectValues(rx, 1);
    expect(tx.isEmpty).toBe(true);
  });

  it('happens at the end of a block with using', () => {
    const [tx, rx] = broadcast<number>(2);
    {
      using sender = tx;
      sender.send(1);
    }
    expectValues(rx, 1);
    expectClosed(rx);
  });
});

describe('disposing a receiver', () => {
  it('ends the waits on it with ClosedError, and does not affect other receivers', async () => {
    const [tx, rx] = broadcast<number>(2);
    const other = tx.subscribe();
    const waiting = [rx.recv(), rx.recv()];
    const stays = other.recv();
    rx.dispose();
    for (const result of await Promise.allSettled(waiting)) {
      expect(result).toMatchObject({ reason: { name: 'ClosedError', message: 'recv: this receiver was disposed' } });
    }
    tx.send(1);
    expect(await stays).toBe(1);
  });

  it('releases the values that it has not read', () => {
    const [tx, rx] = broadcast<number>(4);
    tx.send(1);
    tx.send(2);
    rx.dispose();
    rx.dispose();
    expectClosed(rx);
    expect(tx.length).toBe(0);
    expect(tx.receiverCount).toBe(0);
  });

  it('releases the kept values that a lagging receiver has not read, and no others', () => {
    const [tx, lagging] = broadcast<number>(2);
    const other = tx.subscribe();
    for (const n of [1, 2, 3, 4]) tx.send(n);
    lagging.dispose();
    expect(tx.length).toBe(2);
    expect(other.tryRecv()).toMatchObject({ why: 'lagged', missedCount: 2 });
    expectValues(other, 3, 4);
    expect(tx.length).toBe(0);
  });

  it('happens at the end of a block with using', () => {
    const [tx, rx] = broadcast<number>(2);
    {
      using receiver = tx.subscribe();
      expect(tx.receiverCount).toBe(2);
      expect(receiver.isClosed).toBe(false);
    }
    expect(tx.receiverCount).toBe(1);
    rx[Symbol.dispose]();
    expect(tx.receiverCount).toBe(0);
  });

  it('can be followed by the close of the channel', async () => {
    const [tx, rx] = broadcast<number>(2);
    rx.dispose();
    tx.close();
    await expect(rx.recv()).rejects.toBeInstanceOf(ClosedError);
  });
});
