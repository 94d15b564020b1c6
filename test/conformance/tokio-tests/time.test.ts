// Counterparts of Tokio's tests of sleep and interval. tests.json maps each test.
import { VirtualClock } from '@quiesce/cancellation-token/testing';
import { type Interval, interval, select, sleep } from '@quiesce/select';
import { describe, expect, it } from 'vitest';
import { turn, Wait } from './vocabulary.ts';

const year = 365 * 24 * 3_600 * 1_000;

/** Takes the ticks that are ready. */
function ticks(of: Interval): number[] {
  const taken: number[] = [];
  for (;;) {
    const wait = new Wait(of);
    const tick = wait.poll();
    wait.drop();
    if (tick === 'pending') return taken;
    taken.push(tick);
  }
}

describe('an interval', () => {
  it('of zero is rejected', () => {
    expect(() => interval(0)).toThrow(RangeError);
  });

  it.each([
    ['burst', [600, 900], [1_200], [1_500], [1_800]],
    ['delay', [600], [], [1_250], [1_550]],
    ['skip', [600], [1_200], [1_500], [1_800]],
  ] as const)('makes up for missed ticks by its policy: %s', async (missed, ...expected) => {
    const clock = new VirtualClock();
    const of = interval(300, { missed, clock });
    expect(ticks(of)).toEqual([0]);
    await clock.advance(100);
    expect(ticks(of)).toEqual([]);
    await clock.advance(200);
    expect(ticks(of)).toEqual([300]);
    const steps = missed === 'delay' ? [650, 100, 200, 300] : [650, 250, 300, 300];
    for (const [i, step] of steps.entries()) {
      await clock.advance(step);
      expect(ticks(of), `after ${clock.now()} ms`).toEqual(expected[i]);
    }
  });

  it('restarts one period after its reset', async () => {
    const clock = new VirtualClock();
    const of = interval(300, { clock });
    await clock.advance(300);
    expect(ticks(of)).toEqual([0, 300]);
    await clock.advance(100);
    of.reset();
    await clock.advance(250);
    expect(ticks(of)).toEqual([]);
    await clock.advance(50);
    expect(ticks(of)).toEqual([700]);
    await clock.advance(300);
    expect(ticks(of)).toEqual([1_000]);
  });

  it('of the longest period ticks once, at its start', async () => {
    const clock = new VirtualClock();
    const of = interval(Number.MAX_VALUE, { clock });
    expect(ticks(of)).toEqual([0]);
    await clock.advance(10 * year);
    expect(ticks(of)).toEqual([]);
  });

  it('counts for a caller that takes its ticks one by one, and only while they are taken', async () => {
    const clock = new VirtualClock();
    const of = interval(10, { clock });
    const seen: number[] = [];
    const stop = sleep(125, { clock });
    const loop = (async () => {
      for (let count = 1; ; count++) {
        const { branch } = await select.biased({ stop, tick: of });
        if (branch === 'stop') return;
        if (count % 4 === 0) seen.push(count);
      }
    })();
    await clock.run(() => loop);
    expect(seen).toEqual([4, 8, 12]);
  });
});

describe('a sleep', () => {
  it('of zero ends at once', async () => {
    const clock = new VirtualClock();
    await clock.run(() => sleep(0, { clock }));
    expect(clock.now()).toBe(0);
    for (let i = 0; i < 100; i++) await sleep(0);
  });

  it('is pending until its time, and ended from then on', async () => {
    const clock = new VirtualClock();
    const pause = sleep(10, { clock });
    const wait = new Wait(pause);
    expect(wait.poll()).toBe('pending');
    await clock.advance(9);
    expect([wait.isWoken, wait.poll()]).toEqual([false, 'pending']);
    await clock.advance(1);
    expect([wait.isWoken, wait.poll() === 'pending', new Wait(pause).poll() === 'pending']).toEqual([
      true,
      false,
      false,
    ]);
  });

  it('lasts its full time, from any start', async () => {
    const clock = new VirtualClock();
    for (const ms of [1, 10, 60, 1.5, 5 * year, 2 ** 31, 10 * year]) {
      const start = clock.now();
      await clock.run(() => sleep(ms, { clock }));
      expect(clock.now() - start).toBeCloseTo(ms, 3);
      expect(clock.now() - start).toBeGreaterThanOrEqual(ms);
    }
  });

  it('of the longest time never fires early, beside a short one', async () => {
    const clock = new VirtualClock();
    for (const ms of [Number.POSITIVE_INFINITY, Number.MAX_VALUE, Number.MAX_VALUE - 1]) {
      const outcome = await clock.run(() => select.biased({ long: sleep(ms, { clock }), short: sleep(1, { clock }) }));
      expect(outcome.branch).toBe('short');
    }
    expect(clock.pendingCount).toBe(0);
  });

  it('may lose other sleeps when it fires', async () => {
    const clock = new VirtualClock();
    const waits = Array.from({ length: 100 }, () => new Wait(sleep(10, { clock })));
    for (const wait of waits) wait.poll();
    const first = sleep(10, { clock }).then(() => {
      for (const wait of waits) wait.drop();
    });
    await clock.advance(11);
    await first;
    await turn();
    expect(clock.pendingCount).toBe(0);
  });
});
