// tx.closed(): there is nobody left who listens.
import { broadcast } from '@quiesce/broadcast-channel';
import { CancellationToken, PENDING, source } from '@quiesce/cancellation-token';
import { select } from '@quiesce/select';
import { describe, expect, it } from 'vitest';
import { expectValues, now, park } from './vocabulary.ts';

describe('closed', () => {
  it('is settled inside the close of the last receiver, and gives undefined', async () => {
    const [tx, rx] = broadcast<number>(4);
    const other = tx.subscribe();
    const gone = Promise.resolve(tx.closed());
    rx.close();
    expect(await now(gone)).toBe('pending');
    other.close();
    expect(await now(gone)).toBeUndefined();
  });

  it('is ready at once where there is no receiver yet', async () => {
    await broadcast.sender<number>(4).closed();
  });

  it('waits again after somebody has subscribed', async () => {
    const tx = broadcast.sender<number>(4);
    const closed = tx.closed();
    await closed;
    const rx = tx.subscribe();
    expect(await now(Promise.resolve(closed))).toBe('pending');
    rx.close();
    await closed;
  });

  it('keeps an await that was settled before somebody subscribed in the same run', async () => {
    const [tx, rx] = broadcast<number>(4);
    const gone = Promise.resolve(tx.closed());
    // An await begins one microtask later.
    await Promise.resolve();
    rx.close();
    const late = tx.subscribe();
    await gone;
    expect(late.isClosed).toBe(false);
  });

  it('has to do with receivers only: closing senders changes nothing, and a closed one can still wait', async () => {
    const [tx, rx] = broadcast<number>(4);
    tx.send(1);
    tx.close();
    const gone = Promise.resolve(tx.closed());
    expect(await now(gone)).toBe('pending');
    expectValues(rx, 1);
    rx.close();
    await gone;
  });

  it('wakes all who wait, in order', async () => {
    const [tx, rx] = broadcast<number>(4);
    const order: number[] = [];
    const waiting = [0, 1, 2].map((i) => tx.closed().then(() => order.push(i)));
    rx.close();
    await Promise.all(waiting);
    expect(order).toEqual([0, 1, 2]);
  });
});

describe('closed as a source', () => {
  it('says that it is taken once, and offers the same protocol at each reading', () => {
    const [tx] = broadcast<number>(4);
    const closed = tx.closed();
    expect(closed[source].once).toBe(true);
    expect(closed[source]).toBe(closed[source]);
  });

  it('is a stream no receiver is', () => {
    const [, rx] = broadcast<number>(4);
    expect(rx[source].once).toBeUndefined();
  });

  it('is not ready any more for a poll that comes after a new subscriber, though it was woken', () => {
    const [tx, rx] = broadcast<number>(4);
    const polled: unknown[] = [];
    const waiter = park(tx.closed(), (protocol) => {
      polled.push(protocol.poll());
      tx.subscribe();
      polled.push(protocol.poll());
      protocol.park(waiter);
    });
    rx.close();
    expect(polled).toEqual([undefined, PENDING]);
  });

  it('decides a select, and leaves nothing parked where it loses', async () => {
    const [tx, rx] = broadcast<number>(4);
    const stop = new CancellationToken();
    const outcome = select({ nobody: tx.closed(), stop });
    stop.cancel('first');
    expect(await outcome).toEqual({ branch: 'stop', value: 'first' });
    const again = select({ nobody: tx.closed(), never: CancellationToken.never });
    rx.close();
    expect((await again).branch).toBe('nobody');
  });

  it('may be asked while the last receiver is going: it is woken after what waited on that receiver', () => {
    const [tx, rx] = broadcast<number>(4);
    const order: string[] = [];
    park(tx.closed(), (protocol) => order.push(`nobody ${protocol.poll() !== PENDING}`));
    park(rx, () => order.push(`receiver, of ${tx.receiverCount}`));
    rx.close();
    expect(order).toEqual(['receiver, of 0', 'nobody true']);
  });

  it('is not woken where somebody subscribed while the last receiver was going', () => {
    const [tx, rx] = broadcast<number>(4);
    let woken = 0;
    const closed = park(tx.closed(), () => woken++);
    park(rx, () => tx.subscribe());
    rx.close();
    expect(woken).toBe(0);
    tx.closed()[source].unpark(closed);
  });
});
