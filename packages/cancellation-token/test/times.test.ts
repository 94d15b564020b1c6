// Times, in every call that takes one: zero, fractions, more than the platform's timers support, and values that are not times.
import { CancellationToken, type Clock, TimeoutError } from '@quiesce/cancellation-token';
import { VirtualClock } from '@quiesce/cancellation-token/testing';
import { describe, expect, test } from 'vitest';

const longest = 2 ** 31 - 1;

/** All ways to give a token a time. */
const ways: Record<string, (ms: number, clock: Clock) => CancellationToken> = {
  'CancellationToken.timeout': (ms, clock) => CancellationToken.timeout(ms, { clock }),
  withTimeout: (ms, clock) => new CancellationToken().withTimeout(ms, { clock }),
  'withTimeout below a later one': (ms, clock) =>
    CancellationToken.timeout(Number.MAX_SAFE_INTEGER, { clock }).withTimeout(ms),
  'withTimeout below the same one': (ms, clock) => CancellationToken.timeout(ms, { clock }).withTimeout(ms),
};
const dated: Record<string, (ms: number, clock: Clock) => CancellationToken> = {
  withDeadline: (ms, clock) => new CancellationToken().withDeadline(new Date(clock.wall() + ms), { clock }),
};

describe.each(Object.entries({ ...ways, ...dated }))('%s', (_, make) => {
  test('of 0 ms has passed immediately, and calls callbacks immediately', () => {
    const clock = new VirtualClock();
    const token = make(0, clock);
    const reasons: unknown[] = [];
    token.onCancelled((reason) => reasons.push(reason));
    expect(reasons).toEqual([token.reason]);
    expect(token.reason).toBeInstanceOf(TimeoutError);
    expect(clock.pendingCount).toBe(0);
  });

  test.each([1, 250, longest - 1, longest, longest + 1, 2 ** 32, 10 * 365 * 86_400_000])(
    'of %d ms fires then, and not before',
    async (ms) => {
      const clock = new VirtualClock(1_000);
      const token = make(ms, clock);
      const fired: number[] = [];
      token.onCancelled(() => fired.push(clock.now()));
      expect(token.deadline).toEqual(new Date(1_000 + ms));
      await clock.advance(ms - 1);
      expect([fired, token.isCancelled]).toEqual([[], false]);
      await clock.advance(1);
      expect([fired, token.isCancelled, clock.pendingCount]).toEqual([[ms], true, 0]);
    },
  );
});

describe.each(Object.entries(ways))('%s', (name, make) => {
  test.each([-1, -Number.MIN_VALUE, Number.NaN, Number.NEGATIVE_INFINITY])('of %d ms is a RangeError', (ms) => {
    expect(() => make(ms, new VirtualClock())).toThrow(RangeError);
    expect(() => make(ms, new VirtualClock())).toThrow('from 0 to Infinity');
  });

  test.each(['5', null, undefined, 5n, {}])('of %o is a TypeError, since it is not a number', (ms) => {
    expect(() => make(ms as never, new VirtualClock())).toThrow(TypeError);
  });

  test('of Infinity is no deadline of its own, and sets no timer', async () => {
    const clock = new VirtualClock();
    const token = make(Number.POSITIVE_INFINITY, clock);
    const inherits = name === 'withTimeout below a later one';
    token.onCancelled(() => expect.unreachable());
    expect([token.deadline !== undefined, clock.pendingCount]).toEqual([inherits, inherits ? 1 : 0]);
    await clock.advance(2 ** 40);
    expect(token.isCancelled).toBe(false);
  });

  test('of a fraction of a millisecond waits for that fraction', async () => {
    const clock = new VirtualClock();
    const token = make(0.5, clock);
    await clock.advance(0.4);
    expect(token.isCancelled).toBe(false);
    await clock.advance(0.1);
    expect(token.isCancelled).toBe(true);
  });

  test('that exceeds the range of a Date has the last possible Date', () => {
    const token = make(Number.MAX_VALUE, new VirtualClock());
    token.onCancelled(() => {});
    expect(token.isCancelled).toBe(false);
    if (name !== 'withTimeout below a later one') expect(token.deadline).toEqual(new Date(8.64e15));
  });
});

describe('withDeadline', () => {
  test('of a past time is already cancelled, and of an invalid date a RangeError', () => {
    const clock = new VirtualClock(1_000);
    const token = new CancellationToken();
    expect(token.withDeadline(new Date(0), { clock }).reason).toMatchObject({ name: 'TimeoutError', ms: 0 });
    expect(() => token.withDeadline(new Date(Number.NaN), { clock })).toThrow(RangeError);
  });

  test('uses the clock of the deadline above when it is given none', async () => {
    const clock = new VirtualClock(1_000);
    const token = CancellationToken.timeout(500, { clock }).withDeadline(new Date(1_200));
    expect(token.deadline).toEqual(new Date(1_200));
    await clock.advance(200);
    expect(token.isCancelled).toBe(true);
  });
});
