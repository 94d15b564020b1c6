import { broadcast, LaggedError } from '@quiesce/broadcast-channel';
import { CancellationToken } from '@quiesce/cancellation-token';
import { describe, expect, it } from 'vitest';
import { expectEmpty, expectValues, now, sent } from './vocabulary.ts';

describe('recvMany', () => {
  it('takes the values that are there up to the limit, oldest first', async () => {
    const [, rx] = sent(8, 5);
    expect(await rx.recvMany(2)).toEqual([1, 2]);
    expect(await rx.recvMany(100)).toEqual([3, 4, 5]);
    expectEmpty(rx);
  });

  it('takes the values inside the call', () => {
    const [, rx] = sent(8, 5);
    void rx.recvMany(4);
    expectValues(rx, 5);
  });

  it('waits for one value when there is none, and returns it alone', async () => {
    const [tx, rx] = broadcast<number>(8);
    const batch = rx.recvMany(10);
    expect(await now(batch)).toBe('pending');
    tx.send(1);
    tx.send(2);
    expect(await batch).toEqual([1]);
    expectValues(rx, 2);
  });

  it('returns a new array each time', async () => {
    const [, rx] = sent(8, 2);
    const [first, second] = await Promise.all([rx.recvMany(1), rx.recvMany(1)]);
    expect([first, second]).toEqual([[1], [2]]);
  });

  it('wraps around the ring', async () => {
    const [tx, rx] = sent(4, 3);
    expect(await rx.recvMany(3)).toEqual([1, 2, 3]);
    for (const n of [4, 5, 6, 7]) tx.send(n);
    expect(await rx.recvMany(9)).toEqual([4, 5, 6, 7]);
  });

  it('reports a lag once, consuming nothing, before the kept values', async () => {
    const [, rx] = sent(4, 10);
    const error: unknown = await rx.recvMany(10).catch((error: unknown) => error);
    expect(error).toBeInstanceOf(LaggedError);
    expect(error).toMatchObject({ missedCount: 6 });
    expect(await rx.recvMany(10)).toEqual([7, 8, 9, 10]);
  });

  it('drains a closed channel, then rejects with ClosedError', async () => {
    const [tx, rx] = sent(4, 2);
    tx.close();
    expect(await rx.recvMany(10)).toEqual([1, 2]);
    await expect(rx.recvMany(10)).rejects.toMatchObject({ code: 'ERR_CLOSED' });
  });

  it('waits in one queue with other receives', async () => {
    const [tx, rx] = broadcast<number>(8);
    const waiting = [rx.recv(), rx.recvMany(5), rx.recv()];
    for (const n of [1, 2, 3, 4]) tx.send(n);
    expect(await Promise.all(waiting)).toEqual([1, [2], 3]);
    expectValues(rx, 4);
  });

  it('consumes nothing when it is cancelled, before or during the wait', async () => {
    const [tx, rx] = broadcast<number>(8);
    const token = new CancellationToken();
    const waiting = rx.recvMany(5, { signal: token });
    token.cancel('stop');
    await expect(waiting).rejects.toBe('stop');
    tx.send(1);
    await expect(rx.recvMany(5, { signal: AbortSignal.abort('late') })).rejects.toBe('late');
    expectValues(rx, 1);
  });

  it('releases the values that its last reader has read', async () => {
    const [tx, rx] = sent(8, 5);
    await rx.recvMany(3);
    expect(tx.length).toBe(2);
  });

  it.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, undefined, '3', null, {}])(
    'rejects the limit %s, and consumes nothing',
    async (limit) => {
      const [, rx] = sent(8, 1);
      const wrong = rx.recvMany(limit as number);
      await expect(wrong).rejects.toBeInstanceOf(typeof limit === 'number' ? RangeError : TypeError);
      await expect(wrong).rejects.toThrow('recvMany: the limit must be an integer from 1 to 2^53-1, got ');
      expectValues(rx, 1);
    },
  );
});
