import { broadcast, LaggedError } from '@quiesce/broadcast-channel';
import { describe, expect, it } from 'vitest';
import { expectClosed, expectEmpty, expectLagged, expectValues, now, sent } from './vocabulary.ts';

describe('a receiver that is too slow', () => {
  it.each([
    { capacity: 1, kept: 1 },
    { capacity: 2, kept: 2 },
    { capacity: 3, kept: 4 },
    { capacity: 5, kept: 8 },
    { capacity: 8, kept: 8 },
    { capacity: 1000, kept: 1024 },
  ])('lags beyond the capacity rounded up to a power of two: $capacity keeps $kept', ({ capacity, kept }) => {
    const [, full] = sent(capacity, kept);
    expectValues(full, 1);
    const [, over] = sent(capacity, kept + 1);
    expectLagged(over, 1);
    expectValues(over, 2);
  });

  it('gets the exact number of values that it missed, and continues at the oldest value kept', () => {
    const [tx, rx] = sent(2, 7);
    expectLagged(rx, 5);
    expectValues(rx, 6, 7);
    expectEmpty(rx);
    tx.send(8);
    expectValues(rx, 8);
  });

  it('gets one report for each gap', () => {
    const [tx, rx] = sent(2, 5);
    expectLagged(rx, 3);
    expectValues(rx, 4);
    for (const n of [6, 7, 8]) tx.send(n);
    expectLagged(rx, 2);
    expectValues(rx, 7, 8);
    expectEmpty(rx);
  });

  it('can lag again before it has read the kept values, and gets a report of the new gap only', () => {
    const [tx, rx] = sent(2, 4);
    expectLagged(rx, 2);
    tx.send(5);
    expectLagged(rx, 1);
    expectValues(rx, 4, 5);
  });

  it('does not slow down or disturb other receivers', () => {
    const [tx, slow] = broadcast<number>(2);
    const fast = tx.subscribe();
    for (let n = 1; n <= 6; n++) {
      tx.send(n);
      expectValues(fast, n);
    }
    const fresh = tx.subscribe();
    expectEmpty(fresh);
    expectLagged(slow, 4);
    expectValues(slow, 5, 6);
  });

  it('misses every value but the last when the capacity is one', () => {
    const [tx, rx] = sent(1, 2);
    expectLagged(rx, 1);
    expectValues(rx, 2);
    tx.send(3);
    expectValues(rx, 3);
    for (const n of [4, 5, 6]) tx.send(n);
    expectLagged(rx, 2);
    expectValues(rx, 6);
  });

  it('gets the report from recv as from tryRecv', async () => {
    const [, rx] = sent(2, 5);
    const error: unknown = await rx.recv().catch((error: unknown) => error);
    expect(error).toBeInstanceOf(LaggedError);
    expect(error).toMatchObject({ name: 'LaggedError', code: 'ERR_LAGGED', missedCount: 3 });
    expect((error as Error).message).toContain('missed 3');
    expect(await rx.recv()).toBe(4);
    expect(await rx.recv()).toBe(5);
    expect(await now(rx.recv())).toBe('pending');
  });

  it('gets the report between two receives that started together', async () => {
    const [, rx] = sent(1, 3);
    const results = await Promise.allSettled([rx.recv(), rx.recv()]);
    expect(results).toMatchObject([{ reason: { missedCount: 2 } }, { value: 3 }]);
  });
});

describe('a closed channel', () => {
  it.each([1, 2])('reports the lag first, then the kept values, then the end: capacity %d', (capacity) => {
    const [tx, rx] = sent(capacity, 4);
    tx.close();
    expect(rx.isClosed).toBe(true);
    expectLagged(rx, 4 - capacity);
    for (let n = 5 - capacity; n <= 4; n++) expectValues(rx, n);
    expectClosed(rx);
    expectClosed(rx);
  });

  it('overwrites nothing when it closes', () => {
    const [tx, rx] = sent(2, 2);
    tx.close();
    expectValues(rx, 1, 2);
    expectClosed(rx);
  });
});
