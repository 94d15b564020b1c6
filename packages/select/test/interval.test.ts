import { isSource, PENDING, source } from '@quiesce/cancellation-token';
import { VirtualClock } from '@quiesce/cancellation-token/testing';
import { type IntervalOptions, interval, select, sleep } from '@quiesce/select';
import { describe, expect, it } from 'vitest';
import { cancelled, now, turn } from './vocabulary.ts';

/** Takes ticks at the times until which the program was busy, as `[now, scheduled]`. */
async function ticks(missed: IntervalOptions['missed'], busy: readonly number[]): Promise<[number, number][]> {
  const clock = new VirtualClock();
  return clock.run(async () => {
    const every = interval(10, { clock, missed });
    const seen: [number, number][] = [];
    for (const ms of busy) {
      if (ms > 0) await sleep(ms, { clock });
      const { value } = await select({ every });
      seen.push([clock.now(), value]);
    }
    return seen;
  });
}

describe('an interval', () => {
  it('ticks immediately, and then once every period', async () => {
    expect(await ticks(undefined, [0, 0, 0, 0])).toEqual([0, 10, 20, 30].map((at) => [at, at]));
  });

  it('ticks at multiples of its period, even when its ticks are taken a little late', async () => {
    for (const missed of ['burst', 'delay', 'skip'] as const) {
      expect(await ticks(missed, [0, 14, 0, 13, 0])).toEqual([
        [0, 0],
        [14, 10],
        [20, 20],
        [33, 30],
        [40, 40],
      ]);
    }
  });

  it('makes up for missed ticks immediately with `burst`, the default', async () => {
    const expected = [
      [0, 0],
      [37, 10],
      [37, 20],
      [37, 30],
      [40, 40],
    ];
    expect(await ticks('burst', [0, 37, 0, 0, 0])).toEqual(expected);
    expect(await ticks(undefined, [0, 37, 0, 0, 0])).toEqual(expected);
  });

  it('waits for a full period after a late tick with `delay`', async () => {
    expect(await ticks('delay', [0, 37, 0, 0])).toEqual([
      [0, 0],
      [37, 10],
      [47, 47],
      [57, 57],
    ]);
  });

  it('continues at the next multiple of its period with `skip`', async () => {
    expect(await ticks('skip', [0, 37, 0, 0])).toEqual([
      [0, 0],
      [37, 10],
      [40, 40],
      [50, 50],
    ]);
    // Exactly at a multiple, that tick is skipped as well, as in Tokio.
    expect(await ticks('skip', [0, 40, 0])).toEqual([
      [0, 0],
      [40, 10],
      [50, 50],
    ]);
  });

  it('takes no tick when it loses', async () => {
    const clock = new VirtualClock();
    const every = interval(10, { clock });
    expect(await select.biased({ ready: cancelled(1), every })).toMatchObject({ branch: 'ready' });
    expect(await select({ every })).toEqual({ branch: 'every', value: 0 });
  });

  it('gives each tick to one waiter, the one that has waited longest', async () => {
    const clock = new VirtualClock();
    const every = interval(10, { clock });
    await every.tick();
    const order: string[] = [];
    for (const name of ['a', 'b', 'c']) void every.tick().then((due) => order.push(`${name} ${due}`));
    for (let i = 0; i < 3; i++) {
      expect(clock.pendingCount).toBe(1);
      await clock.advance(10);
    }
    expect(order).toEqual(['a 10', 'b 20', 'c 30']);
    expect(clock.pendingCount).toBe(0);
  });

  it('has a timer only while there is a waiter', async () => {
    const clock = new VirtualClock();
    const every = interval(10, { clock });
    await every.tick();
    expect(clock.pendingCount).toBe(0);
    const losing = select({ every, tick: turn() });
    expect(clock.pendingCount).toBe(1);
    await losing;
    expect(clock.pendingCount).toBe(0);
  });

  it('restarts when it is reset', async () => {
    const clock = new VirtualClock();
    const every = interval(10, { clock });
    await every.tick();
    const waiting = every.tick();
    await clock.advance(7);
    every.reset();
    await clock.advance(9);
    expect(await now(waiting)).toBe('pending');
    await clock.advance(1);
    expect([await waiting, clock.now()]).toEqual([17, 17]);
  });

  it('drops its missed ticks when it is reset', async () => {
    const clock = new VirtualClock();
    const every = interval(10, { clock });
    await clock.advance(35);
    every.reset();
    expect(every[source].poll()).toBe(PENDING);
    await clock.advance(10);
    expect(every[source].poll()).toBe(45);
  });

  it('ticks once when its timer fires, even if the clock fires a little early', async () => {
    let fire: () => void = () => {};
    const early = Object.assign(new VirtualClock(), {
      setTimer: (_: number, fn: () => void) => {
        fire = fn;
        return {} as never;
      },
    });
    const every = interval(10, { clock: early });
    await every.tick();
    const second = every.tick();
    fire();
    expect(await second).toBe(10);
    expect(every[source].poll()).toBe(PENDING);
  });

  it('ticks once when its period is Infinity', async () => {
    const clock = new VirtualClock();
    const every = interval(Number.POSITIVE_INFINITY, { clock });
    expect(await every.tick()).toBe(0);
    const next = every.tick();
    await clock.advance(1e12);
    expect(await now(next)).toBe('pending');
  });

  it('is a source, and a stream', () => {
    const every = interval(10);
    expect([isSource(every), every[source].once, every.period]).toEqual([true, undefined, 10]);
  });

  it.each([0, -1, Number.NaN, '10', undefined])('throws for a period of %s', (ms) => {
    expect(() => interval(ms as number)).toThrow(typeof ms === 'number' ? RangeError : TypeError);
  });

  it('throws for an unknown `missed`', () => {
    expect(() => interval(1, { missed: 'Skip' as never })).toThrow("missed must be 'burst', 'delay' or 'skip'");
  });
});
