import { isSource, PENDING, source, systemClock } from '@quiesce/cancellation-token';
import { VirtualClock } from '@quiesce/cancellation-token/testing';
import { intervalAt, select, sleep, sleepUntil } from '@quiesce/select';
import { describe, expect, it } from 'vitest';
import { cancelled, now, turn } from './vocabulary.ts';

describe('sleep', () => {
  it('is awaitable, gives undefined, and is elapsed after its time', async () => {
    const clock = new VirtualClock();
    const value: unknown = await clock.run(async () => {
      const nap = sleep(10, { clock });
      expect(nap.isElapsed).toBe(false);
      const value = await nap;
      expect(nap.isElapsed).toBe(true);
      expect(await nap).toBe(undefined);
      return value;
    });
    expect(value).toBe(undefined);
    expect(clock.now()).toBe(10);
  });

  it('takes no signal, and says what to write instead', () => {
    const options = { signal: new AbortController().signal };
    expect(() => sleep(1, options as object)).toThrow(
      new TypeError(
        'sleep: there is no option "signal"; write select({ stopped: signal, slept: sleep(…) }) to give it up',
      ),
    );
    expect(() => sleepUntil(1, options as object)).toThrow('slept: sleepUntil(…) }');
  });

  it('has its deadline fixed at the call, and not at the first wait', async () => {
    const clock = new VirtualClock();
    const nap = sleep(10, { clock });
    await clock.advance(7);
    const waiting = nap.then(() => clock.now());
    await clock.advance(100);
    expect(await waiting).toBe(10);
  });

  it('keeps its deadline in every round of a loop: the tick comes although the loop is busy', async () => {
    const clock = new VirtualClock();
    const ticks: number[] = [];
    await clock.run(async () => {
      let tick = sleep(10, { clock });
      while (ticks.length < 3) {
        const outcome = await select({ tick, busy: sleep(4, { clock }) });
        if (outcome.branch !== 'tick') continue;
        ticks.push(clock.now());
        tick = sleep(10, { clock });
      }
    });
    expect(ticks).toEqual([10, 20, 30]);
  });

  it('has one timer, only while there are waiters', async () => {
    const clock = new VirtualClock();
    const nap = sleep(10, { clock });
    expect(clock.pendingCount).toBe(0);
    await select({ nap, ready: cancelled(1) });
    expect(clock.pendingCount).toBe(0);
    const losing = select({ nap, tick: turn() });
    expect(clock.pendingCount).toBe(1);
    await losing;
    expect(clock.pendingCount).toBe(0);
    const all = [select({ nap }), select({ nap }), nap.then(() => {})];
    expect(clock.pendingCount).toBe(1);
    await clock.advance(10);
    await Promise.all(all);
    expect(clock.pendingCount).toBe(0);
  });

  it('keeps its timer while one of several waiters is parked', async () => {
    const clock = new VirtualClock();
    const nap = sleep(10, { clock });
    const stays = select({ nap });
    await select({ nap, tick: turn() });
    expect(clock.pendingCount).toBe(1);
    await clock.advance(10);
    expect(await stays).toEqual({ branch: 'nap', value: undefined });
  });

  it('wakes its waiters in order', async () => {
    const clock = new VirtualClock();
    const nap = sleep(10, { clock });
    const order: number[] = [];
    for (const i of [0, 1, 2]) void select({ nap }).then(() => order.push(i));
    await clock.advance(10);
    expect(order).toEqual([0, 1, 2]);
  });

  it('is ready at once when its time is 0', async () => {
    const clock = new VirtualClock();
    const nap = sleep(0, { clock });
    expect(nap.isElapsed).toBe(true);
    expect(nap[source].poll()).toBe(undefined);
    await nap;
    let started = false;
    const work = () => (started = true);
    expect(await select.biased({ work, nap })).toEqual({ branch: 'nap', value: undefined });
    expect([clock.pendingCount, started]).toEqual([0, false]);
  });

  it('is ready in a select after its deadline, without an earlier wait', async () => {
    const clock = new VirtualClock();
    const nap = sleep(10, { clock });
    await clock.advance(10);
    let started = false;
    const work = () => (started = true);
    expect(await select.biased({ work, nap })).toEqual({ branch: 'nap', value: undefined });
    expect(started).toBe(false);
  });

  it('never ends when its time is Infinity', async () => {
    const clock = new VirtualClock();
    const nap = sleep(Number.POSITIVE_INFINITY, { clock });
    const outcome = select({ nap, tick: sleep(10, { clock }) });
    await clock.advance(1e15);
    expect(await outcome).toEqual({ branch: 'tick', value: undefined });
    expect(nap.isElapsed).toBe(false);
    expect(await now(nap)).toBe('pending');
  });

  it('waits for times beyond the longest timer of the platform', async () => {
    const clock = new VirtualClock();
    const long = 2 ** 31 + 5;
    expect(await clock.run(() => sleep(long, { clock }).then(() => clock.now()))).toBe(long);
  });

  it("uses the platform's clock by default", async () => {
    const nap = sleep(1);
    await nap;
    expect(nap.isElapsed).toBe(true);
    expect(await select({ nap, never: sleep(2 ** 40) })).toEqual({ branch: 'nap', value: undefined });
  });

  it('stays ready once its timer has fired, even if the clock fires a little early', async () => {
    let fire: () => void = () => {};
    const early = Object.assign(new VirtualClock(), {
      setTimer: (_: number, fn: () => void) => {
        fire = fn;
        return {} as never;
      },
    });
    const nap = sleep(10, { clock: early });
    const outcome = select({ nap });
    fire();
    expect(await outcome).toEqual({ branch: 'nap', value: undefined });
    expect(nap.isElapsed).toBe(true);
  });

  it.each([-1, -0.001, Number.NaN, Number.NEGATIVE_INFINITY])('throws for %d', (ms) => {
    expect(() => sleep(ms)).toThrow(RangeError);
    expect(() => sleep(ms)).toThrow(`got the number ${ms}`);
  });

  it.each(['10', undefined, null, 10n])('throws for %s, which is no number', (ms) => {
    expect(() => sleep(ms as never)).toThrow(TypeError);
  });

  it('is a source, and is pending until its deadline', () => {
    const clock = new VirtualClock();
    const nap = sleep(1, { clock });
    expect(isSource(nap)).toBe(true);
    expect(nap[source].poll()).toBe(PENDING);
    expect(nap[source]).toBe(nap[source]);
  });
});

describe('a number of milliseconds since 1970', () => {
  it.each([
    ['sleepUntil', () => sleepUntil(Date.now() + 5_000)],
    ['intervalAt', () => intervalAt(Date.now() + 5_000, 1_000)],
    ['Sleep.resetAt', () => sleep(1).resetAt(Date.now())],
  ])('is refused by %s: such a sleep would end in 56 years', (call, run) => {
    expect(run).toThrow(RangeError);
    expect(run).toThrow(
      new RegExp(`^${call}: the moment must be a valid Date, or milliseconds on the scale of clock.now\\(\\), got `),
    );
  });

  it('is a moment for a clock that counts from 1970', () => {
    const clock = { ...systemClock, now: () => Date.now() };
    expect(sleepUntil(Date.now() + 5_000, { clock }).isElapsed).toBe(false);
  });
});
