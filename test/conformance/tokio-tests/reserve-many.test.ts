// Counterparts of Tokio's tests of reserve_many. tests.json maps each test.
import { channel, type Permit } from '@quiesce/channel';
import { describe, expect, it } from 'vitest';
import { closed, drain, idle, rejection, unwrap, Wait } from './vocabulary.ts';

describe('reserving room for several values', () => {
  it('waits or tries, and the permits are used one by one', async () => {
    const [tx, rx] = channel<string>(100);
    for (let count = 0; count < 100; count++) {
      for (const reserve of [() => tx.reserveMany(count), () => unwrap(tx.tryReserveMany(count))]) {
        const permits = await reserve();
        expect(permits.length).toBe(count);
        for (const permit of permits) {
          permit.send('a');
          expect(await rx.recv()).toBe('a');
        }
        expect([drain(rx), tx.capacity]).toEqual([['empty'], 100]);
      }
    }
  });

  it('rejects a count beyond the capacity at the call', () => {
    const [tx] = channel<number>(1);
    for (const count of [2, Number.MAX_SAFE_INTEGER, Number.POSITIVE_INFINITY]) {
      expect(() => tx.reserveMany(count)).toThrow(RangeError);
      expect(() => tx.tryReserveMany(count)).toThrow(RangeError);
    }
    expect(tx.capacity).toBe(1);
  });

  it('of zero succeeds in a full channel, and fails in a closed one', async () => {
    const [tx, rx] = channel<number>(1);
    for (const isFull of [false, true]) {
      if (isFull) tx.trySend(1);
      expect([(await tx.reserveMany(0)).length, unwrap(tx.tryReserveMany(0)).next().done]).toEqual([0, true]);
    }
    rx.dispose();
    expect(tx.tryReserveMany(0)).toEqual({ ok: false, why: 'closed' });
    expect(await rejection(tx.reserveMany(0))).toMatchObject(closed);
  });

  it('fails in a closed channel', async () => {
    const [tx, rx] = channel<number>(100);
    rx.dispose();
    expect(await rejection(tx.reserveMany(10))).toMatchObject(closed);
    expect(tx.tryReserveMany(10)).toEqual({ ok: false, why: 'closed' });
  });

  it('returns the room of each permit that is used and received, or released', () => {
    for (let capacity = 1; capacity < 12; capacity++) {
      for (let used = 0; used < capacity; used++) {
        const [tx, rx] = channel<number>(capacity);
        const permits = unwrap(tx.tryReserveMany(capacity));
        expect([permits.length, tx.capacity, tx.tryReserveMany(1)]).toEqual([capacity, 0, { ok: false, why: 'full' }]);
        for (let i = 0; i < used; i++) (permits.next().value as Permit<number>).send(i);
        permits.release();
        const left = capacity - used;
        expect([tx.capacity, tx.tryReserveMany(Math.min(capacity, left + 1)).ok]).toEqual([left, used === 0]);
        expect(drain(rx)).toEqual([...Array.from({ length: used }, (_, i) => i), 'empty']);
        if (used > 0) expect(tx.capacity).toBe(capacity);
      }
    }
  });

  it('admits the next waiter of the same size when it is released', () => {
    for (let count = 1; count < 20; count++) {
      const [tx] = channel<number>(count);
      const permits = unwrap(tx.tryReserveMany(count));
      const next = new Wait(tx.clone().reserveMany(count));
      expect(next.poll()).toBe('pending');
      permits.release();
      expect(next.isWoken).toBe(true);
      const got = next.poll();
      if (got === 'pending') expect.unreachable();
      got.release();
      expect(tx.capacity).toBe(count);
    }
  });

  it('keeps a closed channel open until it is released', () => {
    const [tx, rx] = channel<number>(100);
    const permits = unwrap(tx.tryReserveMany(1));
    rx.close();
    const receiving = new Wait(rx);
    expect(receiving.poll()).toBe('pending');
    permits.release();
    expect(receiving.isWoken).toBe(true);
    expect(() => receiving.poll()).toThrow(expect.objectContaining(closed));
  });

  it('does not keep a closed channel open when no call takes its permits', () => {
    const [tx, rx] = channel<number>(2);
    const permit = unwrap(tx.tryReserve());
    const failing = new Wait(tx.reserveMany(2));
    expect(failing.poll()).toBe('pending');
    const gone = idle(tx.reserveMany(2));
    rx.close();
    // Both have been woken by the end; one polls, the other does not.
    expect([failing.isWoken, gone.isWoken]).toEqual([true, true]);
    expect(() => failing.poll()).toThrow();
    const receiving = new Wait(rx);
    expect(receiving.poll()).toBe('pending');
    permit.release();
    expect(receiving.isWoken).toBe(true);
    expect(() => receiving.poll()).toThrow(expect.objectContaining(closed));
  });
});
