// Timers of platforms are inexact: they truncate fractions, and measure with another clock than `now()`.
import { CancellationToken, type Clock, systemClock, type Timer } from '@quiesce/cancellation-token';
import { channel } from '@quiesce/channel';
import { interval, select, sleep, timeout } from '@quiesce/select';
import { describe, expect, it, vi } from 'vitest';

/** A clock whose timers fire early: they truncate the fraction, and subtract more. */
class EarlyClock implements Clock {
  time = 0.7;
  readonly #timers: Set<{ at: number; fn: () => void }> = new Set();
  readonly #early: number;
  readonly #step: number;

  constructor(early: number, step: number) {
    this.#early = early;
    this.#step = step;
  }

  now(): number {
    return this.time;
  }

  wall(): number {
    return this.time;
  }

  setTimer(ms: number, fn: () => void): Timer {
    const timer = { at: this.time + Math.max(0.1, Math.trunc(ms) - this.#early), fn };
    this.#timers.add(timer);
    return timer as unknown as Timer;
  }

  clearTimer(timer: Timer): void {
    this.#timers.delete(timer as never);
  }

  /** Advances in small steps until `done`. */
  async run(work: PromiseLike<unknown>): Promise<void> {
    let isDone = false;
    void work.then(
      () => (isDone = true),
      () => (isDone = true),
    );
    for (let i = 0; i < 100_000 && !isDone; i++) {
      this.time += this.#step;
      for (const timer of this.#timers) {
        if (timer.at > this.time) continue;
        this.#timers.delete(timer);
        timer.fn();
      }
      for (let turns = 0; turns < 8; turns++) await undefined;
      // A wait may owe the event loop a pause.
      if (i % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    expect(isDone).toBe(true);
  }
}

const waits: Readonly<Record<string, (ms: number, clock: Clock) => PromiseLike<unknown>>> = {
  sleep: (ms, clock) => sleep(ms, { clock }),
  'sleep in a select': (ms, clock) => select({ tick: sleep(ms, { clock }) }),
  'a token with a deadline': (ms, clock) => CancellationToken.timeout(ms, { clock }).cancelled(),
  'recv({ timeout })': (ms, clock) => channel(1)[1].recv({ timeout: ms, clock }),
  'timeout of a function': (ms, clock) => timeout(ms, (token) => token.cancelled(), { clock }),
  interval: async (ms, clock) => {
    const ticks = interval(ms, { clock });
    await ticks.tick();
    return ticks.tick();
  },
};

describe.each(Object.entries(waits))('%s', (_, start) => {
  it.each([1, 1.5, 2, 2.3, 5, 10.9, 1_000])('never ends early although timers do: %d ms', async (ms) => {
    for (const early of [0, 0.4, 1]) {
      const clock = new EarlyClock(early, 0.2);
      const begun = clock.time;
      await clock.run(start(ms, clock));
      expect(clock.time - begun).toBeGreaterThanOrEqual(ms);
      expect(clock.time - begun).toBeLessThan(ms + 2);
    }
  });
});

describe("the platform's clock", () => {
  it('sets timers of whole milliseconds, and sets a timer again that fired early', () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    try {
      const fired = vi.fn();
      const real = performance.now.bind(performance);
      let ahead = 0;
      vi.spyOn(performance, 'now').mockImplementation(() => real() - ahead);
      systemClock.setTimer(1.99, fired, { ref: true });
      vi.advanceTimersByTime(1);
      expect(fired).not.toHaveBeenCalled();
      ahead = 0.5; // The timer of the platform is ahead of `now()`.
      vi.advanceTimersByTime(1);
      expect(fired).not.toHaveBeenCalled();
      vi.advanceTimersByTime(1);
      expect(fired).toHaveBeenCalledTimes(1);
    } finally {
      vi.restoreAllMocks();
      vi.useRealTimers();
    }
  });

  it('follows fake timers when the time itself is not faked', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      const done = sleep(60_000).then(() => 'done');
      await vi.advanceTimersByTimeAsync(60_000);
      expect(await done).toBe('done');
    } finally {
      vi.useRealTimers();
    }
  });
});
