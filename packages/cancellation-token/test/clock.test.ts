import { systemClock } from '@quiesce/cancellation-token';
import { VirtualClock } from '@quiesce/cancellation-token/testing';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

const longest = 2 ** 31 - 1;
const held = { ref: true };

describe.each([
  ['the system clock', () => systemClock] as const,
  ['a virtual clock', () => new VirtualClock()] as const,
])('%s', (_, make) => {
  test.each([-1, -Number.MIN_VALUE, Number.NaN, Number.NEGATIVE_INFINITY])('refuses %d ms', (ms) => {
    expect(() => make().setTimer(ms, () => {}, held)).toThrow(RangeError);
  });

  test.each(['1', undefined, null, 1n])('refuses %o, which is not a number', (ms) => {
    expect(() => make().setTimer(ms as never, () => {}, held)).toThrow('from 0 to Infinity');
  });
});

describe('the system clock', () => {
  let calls: number;
  const count = (): void => {
    calls++;
  };

  beforeEach(() => {
    calls = 0;
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  test.each([0, 1, 1_000, longest, longest + 1, 3 * longest + 5])('fires once, after %i ms and not before', (ms) => {
    systemClock.setTimer(ms, count, held);
    expect(calls).toBe(0);
    vi.advanceTimersByTime(Math.max(ms - 1, 0));
    expect(calls).toBe(ms === 0 ? 1 : 0);
    vi.advanceTimersByTime(1);
    expect(calls).toBe(1);
    vi.advanceTimersByTime(4 * longest);
    expect([calls, vi.getTimerCount()]).toEqual([1, 0]);
  });

  test.each([0, 1_000, longest + 1, Number.POSITIVE_INFINITY])(
    'clears a timer of %d ms, in its second piece, too',
    (ms) => {
      const first = systemClock.setTimer(ms, count, held);
      systemClock.clearTimer(first);
      expect(vi.getTimerCount()).toBe(0);
      const second = systemClock.setTimer(longest + ms + 1, count, held);
      vi.advanceTimersByTime(longest);
      systemClock.clearTimer(second);
      systemClock.clearTimer(second);
      vi.advanceTimersByTime(4 * longest);
      expect([calls, vi.getTimerCount()]).toEqual([0, 0]);
    },
  );

  test('never fires at Infinity, and keeps the process alive only with `ref`', () => {
    systemClock.setTimer(Number.POSITIVE_INFINITY, count, { ref: false });
    expect(vi.getTimerCount()).toBe(0);
    systemClock.setTimer(Number.POSITIVE_INFINITY, count, held);
    vi.advanceTimersByTime(5 * longest);
    expect([calls, vi.getTimerCount()]).toEqual([0, 1]);
  });

  test('ignores clearing a timer that has fired', () => {
    const timer = systemClock.setTimer(1, count, held);
    vi.advanceTimersByTime(1);
    expect(() => systemClock.clearTimer(timer)).not.toThrow();
    expect(calls).toBe(1);
  });

  test('gives the time of the platform', () => {
    vi.setSystemTime(1_000_000);
    const before = systemClock.now();
    vi.advanceTimersByTime(250);
    expect([systemClock.now() - before, systemClock.wall()]).toEqual([250, 1_000_250]);
  });
});

describe('a timer of the system clock', () => {
  test.each([true, false])('keeps the process alive: %s', (ref) => {
    const set = vi.spyOn(globalThis, 'setTimeout');
    try {
      const timer = systemClock.setTimer(60_000, () => {}, { ref });
      const handle = set.mock.results[0]?.value as NodeJS.Timeout;
      expect(handle.hasRef()).toBe(ref);
      systemClock.clearTimer(timer);
    } finally {
      set.mockRestore();
    }
  });
});
