import { checkFunction, checkNumber, checkTime, defineHandle } from '@quiesce/internal';
import type { Clock, Timer, TimerOptions } from './clock.ts';
import { idle } from './idle.ts';
import { TimerHeap, VirtualTimer } from './timer-heap.ts';

/**
 * A clock that advances only when a test advances it, so that an hour takes no time and every run is the same.
 *
 * **Timing.** `advance` and `run` let all work that a timer triggers finish before the next timer fires: promises, ready
 * values, and callbacks of `setImmediate`. Only endless work is not awaited: time advances after 10,000 yields of ready values,
 * or after 1,000 callbacks of `setImmediate`.
 *
 * @see tokio::time::pause and tokio::time::advance (tokio 1.53)
 * @example
 * ```ts
 * const clock = new VirtualClock();
 * const done = clock.run(async () => {
 *   await select({ tick: sleep(3_600_000, { clock }) });
 *   return clock.now();
 * });
 * console.log(await done); // => 3600000
 * ```
 */
export class VirtualClock implements Clock {
  /** @internal See `defineHandle`. */
  static readonly completed: object = /* @__PURE__ */ defineHandle(VirtualClock, {
    name: 'clock',
    owns: (value) => #timers in value,
    facts: (clock) => ({ now: clock.#now, pending: clock.pendingCount }),
  });
  #now = 0;
  /** What `wall()` returns at the time 0. `suspend` adds to it. */
  #start: number;
  readonly #timers: TimerHeap = new TimerHeap();
  /** How many timers were set: timers of the same time fire in the order in which they were set. */
  #timersSet = 0;

  /** @param start the first result of `wall()`: ms since 1970, default 0 */
  constructor(start = 0) {
    checkNumber(Number.isFinite(start), 'new VirtualClock: the start', 'milliseconds since 1970', start);
    this.#start = start;
  }

  now(): number {
    return this.#now;
  }

  wall(): number {
    return this.#start + this.#now;
  }

  setTimer(ms: number, fn: () => void, _options?: TimerOptions): Timer {
    checkTime('setTimer: the time', ms);
    const timer = new VirtualTimer(this.#now + ms, this.#timersSet++, fn);
    this.#timers.add(timer);
    return timer as unknown as Timer;
  }

  clearTimer(timer: Timer): void {
    this.#timers.remove(timer as unknown as VirtualTimer);
  }

  /** The number of timers that are set. Tests use it to find leaked timers. */
  get pendingCount(): number {
    return this.#timers.size;
  }

  /**
   * Advances time, firing timers in order of time. Each timer's callback sees `now()` as the time for which it was set.
   *
   * @param ms how far, in milliseconds, 0 or more
   * @throws TypeError when `ms` is not a number; RangeError when it is negative, NaN or infinite
   */
  async advance(ms: number): Promise<void> {
    checkTime('advance: the time', ms);
    if (ms === Number.POSITIVE_INFINITY) throw new RangeError('advance: the time must be finite; use run(work)');
    const end = this.#now + ms;
    await idle();
    for (let timer = this.#timers.first; timer !== undefined && timer.time <= end; timer = this.#timers.first) {
      this.#fire(timer);
      await idle();
    }
    // Another `advance` may have advanced further, and time never goes back.
    this.#now = Math.max(this.#now, end);
  }

  /**
   * Sleeps as a machine does: the time of day advances, and `now()` and the timers stand still. Synchronous; no timer fires.
   *
   * Use it to test deadlines with `wall: true`.
   *
   * @param ms for how long, in milliseconds, 0 or more
   * @throws TypeError when `ms` is not a number; RangeError when it is negative, NaN or infinite
   * @see CLOCK_BOOTTIME and CLOCK_MONOTONIC of Linux
   */
  suspend(ms: number): void {
    checkTime('suspend: the time', ms);
    if (ms === Number.POSITIVE_INFINITY) throw new RangeError('suspend: the time must be finite');
    this.#start += ms;
  }

  /**
   * Runs work until it settles, advancing time to the next timer whenever the event loop has run and found nothing to do.
   *
   * Use it only for work whose time is all virtual. It cannot see external events (files, sockets, processes) or messages of a
   * `MessageChannel`, and would advance time before they arrive. There, call `advance` where time should pass.
   *
   * @param work the function to run
   * @returns the result of the work
   * @throws the error of the work; an `Error` when the work waits and no timer is set
   */
  async run<T>(work: () => T | PromiseLike<T>): Promise<T> {
    checkFunction('run', work);
    let settled = false;
    const result = (async () => work())().finally(() => {
      settled = true;
    });
    // It may fail long before it is awaited below.
    result.catch(() => {});
    for (await idle(); !settled; await idle()) {
      const timer = this.#timers.first;
      if (timer === undefined || timer.time === Number.POSITIVE_INFINITY) {
        throw new Error(
          'run: the work is waiting and no timer is set: it waits forever, ' +
            'or for something real (files, sockets), which needs `advance` instead of `run`',
        );
      }
      this.#fire(timer);
    }
    return result;
  }

  #fire(timer: VirtualTimer): void {
    this.#timers.remove(timer);
    this.#now = Math.max(this.#now, timer.time);
    timer.fn();
  }
}
