import { checkTime, remainingTime } from '@quiesce/internal';

/** A timer that a {@link Clock} has set; opaque. */
export interface Timer {
  readonly [timer]: true;
}
declare const timer: unique symbol;

/** Options for `setTimer`. */
export interface TimerOptions {
  /** `true`: the timer keeps the process alive while it is set. */
  readonly ref: boolean;
}

/** A source of time. Every API that depends on time takes one, so that tests can run on a virtual clock. */
export interface Clock {
  /** Returns milliseconds on a scale that only increases; only differences are meaningful. */
  now(): number;
  /** Returns milliseconds since 1970, as `Date.now()`. */
  wall(): number;
  /**
   * Calls `fn` once, `ms` milliseconds from now or a little later, never synchronously and never earlier. Fractions count.
   *
   * Inside the call, a clock must not cancel or dispose the token whose deadline it is, or a token above it. The same holds for
   * `clearTimer`.
   *
   * @param ms 0 to `Infinity` (never). Times above 2^31-1 are waited in full, whereas the platform's timers fire immediately.
   * @throws TypeError when `ms` is not a number; RangeError when it is negative or NaN
   */
  setTimer(ms: number, fn: () => void, options: TimerOptions): Timer;
  /** Clears a timer; does nothing if it has fired or was cleared before. */
  clearTimer(timer: Timer): void;
}

/** The longest time that the platform's timers can wait; with a longer one they fire immediately. */
const LONGEST = 2 ** 31 - 1;

/** The platform functions that are used here, declared because neither Node's types nor those of the DOM can be assumed. */
interface Host {
  performance: { now(): number };
  setTimeout(fn: () => void, ms: number): { unref?(): void };
  clearTimeout(handle: unknown): void;
}
const host = globalThis as unknown as Host;

/** One timer of the system clock. */
interface SystemTimer extends Timer {
  /** The platform's timer for the current piece; `undefined`: an infinite wait that does not keep the process alive. */
  handle: unknown;
}

/**
 * The platform's own clock: `performance.now`, `Date.now`, `setTimeout`.
 *
 * @example
 * ```ts
 * const start = systemClock.now();
 * await new Promise<void>((resolve) => systemClock.setTimer(5, resolve, { ref: true }));
 * console.log(systemClock.now() > start); // => true
 * ```
 */
export const systemClock: Clock = {
  now: () => host.performance.now(),
  // Looked up at each call, because test tools replace it.
  wall: () => Date.now(),
  setTimer(ms, fn, { ref }) {
    checkTime('setTimer: the time', ms);
    const made = { handle: undefined } as unknown as SystemTimer;
    const firstSet = host.performance.now();
    let lastSet = firstSet;
    const fire = (): void => {
      const now = host.performance.now();
      const left = remainingTime(firstSet, lastSet, firstSet + ms, now);
      lastSet = now;
      if (left > 0) startTimer(left);
      else fn();
    };
    const startTimer = (left: number): void => {
      if (left === Number.POSITIVE_INFINITY && !ref) return;
      const next = left > LONGEST ? (): void => startTimer(left - LONGEST) : fire;
      // The platform cuts fractions off.
      const handle = host.setTimeout(next, Math.min(Math.ceil(left), LONGEST));
      if (!ref) handle.unref?.();
      made.handle = handle;
    };
    startTimer(ms);
    return made;
  },
  clearTimer(given) {
    host.clearTimeout((given as SystemTimer).handle);
  },
};
