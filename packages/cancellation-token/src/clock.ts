import { checkTime, remainingTime } from '@quiesce/internal';

/** A timer that a {@link Clock} has set; opaque. */
export interface Timer {
  readonly [timer]: true;
}
declare const timer: unique symbol;

/** How a timer treats the process. */
export interface TimerOptions {
  /** `true`: the process does not end while the timer is set. */
  readonly ref: boolean;
}

/**
 * Where time comes from. Everything here that depends on time takes one, so that tests run on a virtual clock.
 */
export interface Clock {
  /** Milliseconds on a scale that only goes forward; only differences mean anything. */
  now(): number;
  /** Milliseconds since 1970, as `Date.now()`. */
  wall(): number;
  /**
   * Calls `fn` once, `ms` milliseconds from now or a little later, never synchronously and never earlier. Fractions count.
   *
   * @param ms 0 to `Infinity` (never). Above 2^31-1 it waits as long as it says, where the platform's fires at once.
   * @throws RangeError when `ms` is negative or not a number
   */
  setTimer(ms: number, fn: () => void, options: TimerOptions): Timer;
  /** Takes a timer back; one that has fired or was taken back is left alone. */
  clearTimer(timer: Timer): void;
}

/** The longest time that the platform's timers can wait; beyond it they fire at once. */
const LONGEST = 2 ** 31 - 1;

/** What we need of the platform: declared here, since neither Node's types nor the DOM's can be counted on. */
interface Host {
  performance: { now(): number };
  setTimeout(fn: () => void, ms: number): { unref?(): void };
  clearTimeout(handle: unknown): void;
}
const host = globalThis as unknown as Host;

/** One timer of the system clock. */
interface SystemTimer extends Timer {
  /** The platform's timer for the piece that is running; `undefined`: waiting for ever without holding the process. */
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
  // Read at each call and not bound: test tools replace it.
  wall: () => Date.now(),
  setTimer(ms, fn, { ref }) {
    checkTime('setTimer: the time', ms);
    const made = { handle: undefined } as unknown as SystemTimer;
    const set = host.performance.now();
    let armed = set;
    const fire = (): void => {
      const now = host.performance.now();
      const left = remainingTime(set, armed, set + ms, now);
      armed = now;
      if (left > 0) arm(left);
      else fn();
    };
    const arm = (left: number): void => {
      if (left === Number.POSITIVE_INFINITY && !ref) return;
      const next = left > LONGEST ? (): void => arm(left - LONGEST) : fire;
      // The platform cuts fractions off.
      const handle = host.setTimeout(next, Math.min(Math.ceil(left), LONGEST));
      if (!ref) handle.unref?.();
      made.handle = handle;
    };
    arm(ms);
    return made;
  },
  clearTimer(given) {
    host.clearTimeout((given as SystemTimer).handle);
  },
};
