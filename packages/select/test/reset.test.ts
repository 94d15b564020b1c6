import { VirtualClock } from '@quiesce/cancellation-token/testing';
import { interval, intervalAt, select, sleep, sleepUntil } from '@quiesce/select';
import { describe, expect, it } from 'vitest';

/** Advances the clock to the end of this promise. */
async function ends(clock: VirtualClock, waiting: PromiseLike<unknown>): Promise<number> {
  return clock.run(() => endOf(clock, waiting));
}

/** The time at which this promise settles, on a clock that other code advances. */
async function endOf(clock: VirtualClock, waiting: PromiseLike<unknown>): Promise<number> {
  await waiting;
  return clock.now();
}

describe('Sleep', () => {
  it('sets a later or earlier deadline for present waiters', async () => {
    const clock = new VirtualClock();
    const later = sleep(100, { clock });
    const both = [endOf(clock, later), endOf(clock, select({ later }))];
    await clock.advance(50);
    later.reset(100);
    await clock.advance(100);
    expect(await Promise.all(both)).toEqual([150, 150]);
    const earlier = sleep(1_000, { clock });
    const end = endOf(clock, earlier);
    await clock.advance(0);
    earlier.reset(10);
    await clock.advance(20);
    expect(await end).toBe(160);
    expect(clock.pendingCount).toBe(0);
  });

  it('can be used again after its deadline, and sets no timer without a waiter', async () => {
    const clock = new VirtualClock();
    const moment = sleep(10, { clock });
    await ends(clock, moment);
    moment.reset(10);
    expect([moment.isElapsed, moment.deadline, clock.pendingCount]).toEqual([false, 20, 0]);
    expect(await ends(clock, moment)).toBe(20);
  });

  it('accepts a moment on either scale', async () => {
    const clock = new VirtualClock(1_000_000);
    expect(await ends(clock, sleepUntil(30, { clock }))).toBe(30);
    expect(await ends(clock, sleepUntil(new Date(1_000_050), { clock }))).toBe(50);
    const moment = sleep(5, { clock });
    moment.resetAt(new Date(1_000_070));
    expect(moment.deadline).toBe(70);
    moment.resetAt(80);
    expect(await ends(clock, moment)).toBe(80);
    expect(await ends(clock, sleepUntil(3, { clock }))).toBe(80);
  });

  it('throws for a wrong time or moment, with the name of the call', () => {
    const moment = sleep(60_000);
    expect(() => moment.reset(-1)).toThrow(/^Sleep\.reset: the time/);
    expect(() => moment.resetAt(Number.NaN)).toThrow(/^Sleep\.resetAt: the moment/);
    expect(() => sleepUntil('9:00' as never)).toThrow(/^sleepUntil: the moment/);
    expect(() => sleepUntil(new Date(Number.NaN))).toThrow(RangeError);
    expect(moment.isElapsed).toBe(false);
  });
});

describe('Interval', () => {
  it('restarts for present waiters', async () => {
    const clock = new VirtualClock();
    const ticks = interval(100, { clock });
    await ticks.tick();
    const next = endOf(clock, ticks.tick());
    await clock.advance(60);
    ticks.reset();
    await clock.advance(100);
    expect(await next).toBe(160);
    const soon = endOf(clock, ticks.tick());
    ticks.resetAfter(5);
    await clock.advance(5);
    expect(await soon).toBe(165);
    const at = endOf(clock, ticks.tick());
    ticks.resetAt(170);
    await clock.advance(5);
    expect(await at).toBe(170);
    const now = endOf(clock, ticks.tick());
    ticks.resetImmediately();
    await clock.advance(0);
    expect(await now).toBe(170);
    expect(await ends(clock, ticks.tick())).toBe(270);
    expect(clock.pendingCount).toBe(0);
  });

  it('restarts at a given moment, and makes up for missed ticks', async () => {
    const clock = new VirtualClock();
    const later = intervalAt(40, 100, { clock });
    expect([await ends(clock, later.tick()), await ends(clock, later.tick())]).toEqual([40, 140]);
    const past = intervalAt(new Date(20), 100, { clock });
    expect([await past.tick(), await past.tick()]).toEqual([20, 120]);
    const skipping = intervalAt(20, 100, { clock, missed: 'skip' });
    expect([await skipping.tick(), await ends(clock, skipping.tick())]).toEqual([20, 220]);
  });

  it('throws for a wrong time or moment, with the name of the call', () => {
    const ticks = interval(1);
    expect(() => ticks.resetAfter(-1)).toThrow(/^Interval\.resetAfter: the time/);
    expect(() => ticks.resetAt(new Date(Number.NaN))).toThrow(/^Interval\.resetAt: the moment/);
    expect(() => intervalAt(Number.NaN, 1)).toThrow(/^intervalAt: the moment/);
    expect(() => intervalAt(1, 0)).toThrow(/^intervalAt: the period/);
  });
});
