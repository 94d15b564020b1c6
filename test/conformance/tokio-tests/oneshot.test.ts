// Counterparts of Tokio's tests of oneshot. tests.json maps each test.
import { oneshot } from '@quiesce/channel';
import { describe, expect, it } from 'vitest';
import { closed, rejection, turn, Wait } from './vocabulary.ts';

const endOf = (wait: Wait<unknown>): void => expect(() => wait.poll()).toThrow(expect.objectContaining(closed));

describe('a oneshot', () => {
  it('wakes the waiting receiver with the value', () => {
    const [tx, rx] = oneshot<number>();
    const wait = new Wait(rx);
    expect(wait.poll()).toBe('pending');
    expect([tx.send(1), wait.isWoken, wait.poll()]).toEqual([true, true, 1]);
  });

  it('can be awaited after its value was sent', async () => {
    const [tx, rx] = oneshot<number>();
    tx.send(1);
    expect(await rx).toBe(1);
  });

  it('ends for the receiver when the sender is dropped without a value', () => {
    const [tx, rx] = oneshot<number>();
    const wait = new Wait(rx);
    wait.poll();
    tx.close();
    expect(wait.isWoken).toBe(true);
    endOf(wait);
  });

  it('notifies the sender when the receiver is closed, and takes no value then', async () => {
    const [tx, rx] = oneshot<number>();
    const wait = new Wait(tx.closed());
    expect([wait.poll(), tx.isClosed]).toEqual(['pending', false]);
    rx.close();
    expect([wait.isWoken, wait.poll(), tx.isClosed, tx.send(1)]).toEqual([true, undefined, true, false]);
    endOf(new Wait(rx));
    expect(rx.tryRecv()).toEqual({ ok: false, why: 'closed' });
    const [other, gone] = oneshot<number>();
    setImmediate(() => gone.close());
    await other.closed();
  });

  it('returns a value that was sent before the close, for each kind of receive', () => {
    const [tx, rx] = oneshot<number>();
    tx.send(1);
    rx.close();
    expect([new Wait(rx).poll(), rx.tryRecv()]).toEqual([1, { ok: true, value: 1 }]);
  });

  it('keeps its value and its end, for each kind of receive', async () => {
    const [tx, rx] = oneshot<number>();
    tx.send(17);
    expect(rx.tryRecv()).toEqual({ ok: true, value: 17 });
    rx.close();
    expect([rx.tryRecv(), await rx, new Wait(rx).poll()]).toEqual([{ ok: true, value: 17 }, 17, 17]);
    const [, ended] = oneshot<number>();
    ended.close();
    expect(ended.tryRecv()).toEqual({ ok: false, why: 'closed' });
    expect(await rejection(ended)).toMatchObject(closed);
    endOf(new Wait(ended));
  });

  it('is empty until a value was sent, whichever end is closed', async () => {
    const [tx, rx] = oneshot<number>();
    expect(rx.isEmpty).toBe(true);
    tx.send(17);
    expect(rx.isEmpty).toBe(false);
    expect([rx.tryRecv(), await rx]).toEqual([{ ok: true, value: 17 }, 17]);
    // It keeps its value, while Tokio's receive moves the value out.
    expect(rx.isEmpty).toBe(false);
    const [gone, ended] = oneshot<number>();
    gone.close();
    const [, closing] = oneshot<number>();
    closing.close();
    expect([ended.isEmpty, await rejection(ended), ended.isEmpty, closing.isEmpty]).toMatchObject([
      true,
      closed,
      true,
      true,
    ]);
  });

  it('retains no waiters that have left, at either end', async () => {
    const [tx, rx] = oneshot<number>();
    const waits = [new Wait(tx.closed()), new Wait(rx)];
    for (const wait of waits) {
      wait.poll();
      wait.drop();
    }
    const [closing, receiving] = [new Wait(tx.closed()), new Wait(rx)];
    closing.poll();
    receiving.poll();
    rx.close();
    await turn();
    expect(waits.map(({ isWoken }) => isWoken)).toEqual([false, false]);
    expect([closing.isWoken, receiving.isWoken]).toEqual([true, true]);
  });
});
