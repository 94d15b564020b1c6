import { isSource, PENDING, source } from '@quiesce/cancellation-token';
import { VirtualClock } from '@quiesce/cancellation-token/testing';
import { type IntervalOptions, interval, select, sleep } from '@quiesce/select';
import { describe, expect, it } from 'vitest';
import { cancelled, now, turn } from './vocabulary.ts';

/** Ticks at those times at which the program was busy before, as `[now, due]`. */
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
  it('ticks at once, and then once a period', async () => {
    expect(await ticks(undefined, [0, 0, 0, 0])).toEqual([0, 10, 20, 30].map((at) => [at, at]));
  });

  it('comes at the multiples of its period, also when its ticks are taken a little late', async () => {
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

  it('makes up for missed ticks at once: burst, which is the default', async () => {
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

  it('lets a whole period go by after a late tick: delay', async () => {
    expect(await ticks('delay', [0, 37, 0, 0])).toEqual([
      [0, 0],
      [37, 10],
      [47, 47],
      [57, 57],
    ]);
  });

  it('goes on at the next multiple of its period: skip', async () => {
    expect(await ticks('skip', [0, 37, 0, 0])).toEqual([
      [0, 0],
      [37, 10],
      [40, 40],
      [50, 50],
    ]);
    // At the very multiple: that one is skipped as well, as Tokio does.
    expect(await ticks('skip', [0, 40, 0])).toEqual([
      [0, 0],
      [40, 10],
      [50, 50],
    ]);
  });

  it('has not ticked when it lost', async () => {
    const clock = new VirtualClock();
    const every = interval(10, { clock });
    expect(await select.biased({ ready: cancelled(1), every })).toMatchObject({ branch: 'ready' });
    expect(await select({ every })).toEqual({ branch: 'every', value: 0 });
  });

  it('gives each tick to one of those who wait, the one that has waited longest', async () => {
    const clock = new VirtualClock();
    const every = interval(10, { clock });
    await every.tick();
    const order: string[] = [];
    for (const name of ['a', 'b', 'c']) void every.tick().then((due) => order.push(`${name} ${due}`));
    for (let i = 0; i < 3; i++) {
      expect(clock.pending).toBe(1);
      await clock.advance(10);
    }
    expect(order).toEqual(['a 10', 'b 20', 'c 30']);
    expect(clock.pending).toBe(0);
  });

  it('has a timer only while somebody waits', async () => {
    const clock = new VirtualClock();
    const every = interval(10, { clock });
    await every.tick();
    expect(clock.pending).toBe(0);
    const losing = select({ every, tick: turn() });
    expect(clock.pending).toBe(1);
    await losing;
    expect(clock.pending).toBe(0);
  });

  it('begins anew when it is reset', async () => {
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

  it('that is reset while it has ticks in stock forgets them', async () => {
    const clock = new VirtualClock();
    const every = interval(10, { clock });
    await clock.advance(35);
    every.reset();
    expect(every[source].poll()).toBe(PENDING);
    await clock.advance(10);
    expect(every[source].poll()).toBe(45);
  });

  it('ticks when its timer fires, also by a clock that fires a little early, and once', async () => {
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

  it('of infinite time ticks once', async () => {
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

  it.each([0, -1, Number.NaN, '10', undefined])('refuses a period of %s', (ms) => {
    expect(() => interval(ms as number)).toThrow(RangeError);
  });

  it('refuses a policy that there is not', () => {
    expect(() => interval(1, { missed: 'Skip' as never })).toThrow("missed must be 'burst', 'delay' or 'skip'");
  });
});
