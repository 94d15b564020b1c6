// Counterparts of Tokio's tests of timers that are reset. tests.json maps each test.
import { VirtualClock } from '@quiesce/cancellation-token/testing';
import { type Interval, intervalAt, sleep, sleepUntil } from '@quiesce/select';
import { describe, expect, it } from 'vitest';
import { turn, Wait } from './vocabulary.ts';

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

/** Makes an interval of 300 ms that has ticked at 0 and 300 ms, 400 ms after its start. */
async function ticking(): Promise<{ readonly clock: VirtualClock; readonly of: Interval }> {
  const clock = new VirtualClock();
  const of = intervalAt(0, 300, { clock });
  await clock.advance(300);
  expect(ticks(of)).toEqual([0, 300]);
  await clock.advance(100);
  expect(ticks(of)).toEqual([]);
  return { clock, of };
}

describe('an interval that is reset', () => {
  it('immediately ticks now, and one period later', async () => {
    const { clock, of } = await ticking();
    of.resetImmediately();
    expect(ticks(of)).toEqual([400]);
    await clock.advance(299);
    expect(ticks(of)).toEqual([]);
    await clock.advance(1);
    expect(ticks(of)).toEqual([700]);
  });

  it('after a time ticks then, and one period later', async () => {
    const { clock, of } = await ticking();
    of.resetAfter(20);
    await clock.advance(20);
    expect(ticks(of)).toEqual([420]);
    await clock.advance(299);
    expect(ticks(of)).toEqual([]);
    await clock.advance(1);
    expect(ticks(of)).toEqual([720]);
  });

  it('to a moment ticks then, also when that is more than a period away', async () => {
    for (const wait of [40, 1_000]) {
      const { clock, of } = await ticking();
      of.resetAt(clock.now() + wait);
      await clock.advance(wait - 1);
      expect(ticks(of)).toEqual([]);
      await clock.advance(1);
      expect(ticks(of)).toEqual([400 + wait]);
      await clock.advance(300);
      expect(ticks(of)).toEqual([700 + wait]);
    }
  });
});

describe('a sleep that is reset', () => {
  it('before its end ends at its new moment, later or earlier, at any time', async () => {
    for (const [passed, moment] of [
      [0, 200],
      [0, 80],
      [10, 80],
    ] as const) {
      const clock = new VirtualClock();
      const pause = sleepUntil(100, { clock });
      const wait = new Wait(pause);
      expect(wait.poll()).toBe('pending');
      await clock.advance(passed);
      pause.resetAt(moment);
      await clock.advance(moment - passed - 1);
      expect([wait.isWoken, wait.poll()]).toEqual([false, 'pending']);
      await clock.advance(1);
      expect([wait.isWoken, wait.poll()]).toEqual([true, undefined]);
    }
  });

  it('after its end is pending again until its new moment', async () => {
    const clock = new VirtualClock();
    const pause = sleepUntil(100, { clock });
    await clock.run(() => pause);
    expect([clock.now(), pause.isElapsed, pause.deadline]).toEqual([100, true, 100]);
    pause.resetAt(110);
    const wait = new Wait(pause);
    expect([wait.poll(), pause.isElapsed, pause.deadline]).toEqual(['pending', false, 110]);
    await clock.advance(10);
    expect(wait.poll()).toBeUndefined();
    pause.reset(600_000);
    expect([new Wait(pause).poll(), pause.deadline]).toEqual(['pending', 600_110]);
  });

  it('to the past ends at once', async () => {
    const clock = new VirtualClock();
    const pause = sleepUntil(100, { clock });
    const wait = new Wait(pause);
    wait.poll();
    await clock.advance(50);
    expect(wait.isWoken).toBe(false);
    pause.resetAt(40);
    expect(wait.poll()).toBeUndefined();
  });

  it('may lose waiters at its new moment, beside sleeps at the old one', async () => {
    const clock = new VirtualClock();
    const [a, b, c] = [sleep(5, { clock }), sleep(5, { clock }), sleep(10, { clock })];
    const waits = [a, b, c].map((pause) => new Wait(pause));
    for (const wait of waits) wait.poll();
    b.resetAt(10);
    await clock.advance(5);
    expect(waits.map(({ isWoken }) => isWoken)).toEqual([true, false, false]);
    waits[1]?.drop();
    await clock.advance(5);
    expect(waits.map(({ isWoken }) => isWoken)).toEqual([true, false, true]);
    await turn();
    expect(clock.pendingCount).toBe(0);
  });
});
