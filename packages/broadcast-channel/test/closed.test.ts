// tx.closed(): no receiver is left.
import { broadcast } from '@quiesce/broadcast-channel';
import { CancellationToken, PENDING, source } from '@quiesce/cancellation-token';
import { select } from '@quiesce/select';
import { describe, expect, it } from 'vitest';
import { expectValues, now, park } from './vocabulary.ts';

describe('closed', () => {
  it('settles inside the `dispose` of the last receiver, with undefined', async () => {
    const [tx, rx] = broadcast<number>(4);
    const other = tx.subscribe();
    const gone = Promise.resolve(tx.closed());
    rx.dispose();
    expect(await now(gone)).toBe('pending');
    other.dispose();
    expect(await now(gone)).toBeUndefined();
  });

  it('is ready at once when there is no receiver yet', async () => {
    await broadcast.sender<number>(4).closed();
  });

  it('is pending again after a receiver has subscribed', async () => {
    const tx = broadcast.sender<number>(4);
    const closed = tx.closed();
    await closed;
    const rx = tx.subscribe();
    expect(await now(Promise.resolve(closed))).toBe('pending');
    rx.dispose();
    await closed;
  });

  it('keeps an await that settled before a receiver subscribed in the same run', async () => {
    const [tx, rx] = broadcast<number>(4);
    const gone = Promise.resolve(tx.closed());
    // An await begins one microtask later.
    await Promise.resolve();
    rx.dispose();
    const late = tx.subscribe();
    await gone;
    expect(late.isClosed).toBe(false);
  });

  it('depends on receivers only: closing senders changes nothing, and a closed sender can still wait', async () => {
    const [tx, rx] = broadcast<number>(4);
    tx.send(1);
    tx.close();
    const gone = Promise.resolve(tx.closed());
    expect(await now(gone)).toBe('pending');
    expectValues(rx, 1);
    rx.dispose();
    await gone;
  });

  it('wakes all its waiters, in order', async () => {
    const [tx, rx] = broadcast<number>(4);
    const order: number[] = [];
    const waiting = [0, 1, 2].map((i) => tx.closed().then(() => order.push(i)));
    rx.dispose();
    await Promise.all(waiting);
    expect(order).toEqual([0, 1, 2]);
  });
});

describe('closed as a source', () => {
  it('is marked as having one value, and returns the same protocol at each reading', () => {
    const [tx] = broadcast<number>(4);
    const closed = tx.closed();
    expect(closed[source].once).toBe(true);
    expect(closed[source]).toBe(closed[source]);
  });

  it('differs from a receiver, which is a stream', () => {
    const [, rx] = broadcast<number>(4);
    expect(rx[source].once).toBeUndefined();
  });

  it('is pending for a poll after a new subscriber, even when it was woken', () => {
    const [tx, rx] = broadcast<number>(4);
    const polled: unknown[] = [];
    const waiter = park(tx.closed(), (protocol) => {
      polled.push(protocol.poll());
      tx.subscribe();
      polled.push(protocol.poll());
      protocol.park(waiter);
    });
    rx.dispose();
    expect(polled).toEqual([undefined, PENDING]);
  });

  it('wins a select, and leaves nothing parked when it loses', async () => {
    const [tx, rx] = broadcast<number>(4);
    const stop = new CancellationToken();
    const outcome = select({ noReceiver: tx.closed(), stop });
    stop.cancel('first');
    expect(await outcome).toEqual({ branch: 'stop', value: 'first' });
    const again = select({ noReceiver: tx.closed(), never: CancellationToken.never });
    rx.dispose();
    expect((await again).branch).toBe('noReceiver');
  });

  it('can be polled while the last receiver is disposed: it is woken after the waits on that receiver', () => {
    const [tx, rx] = broadcast<number>(4);
    const order: string[] = [];
    park(tx.closed(), (protocol) => order.push(`noReceiver ${protocol.poll() !== PENDING}`));
    park(rx, () => order.push(`receiver, of ${tx.receiverCount}`));
    rx.dispose();
    expect(order).toEqual(['receiver, of 0', 'noReceiver true']);
  });

  it('is not woken when a receiver subscribes while the last one is disposed', () => {
    const [tx, rx] = broadcast<number>(4);
    let woken = 0;
    const closed = park(tx.closed(), () => woken++);
    park(rx, () => tx.subscribe());
    rx.dispose();
    expect(woken).toBe(0);
    tx.closed()[source].unpark(closed);
  });
});
