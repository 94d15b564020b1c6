import { type Clock, type Source, type SourcePromise, sourcePromise, systemClock } from '@quiesce/cancellation-token';
import { checkChoice, checkNumber, checkOptions, checkTime, defineHandle, refuseExtra } from '@quiesce/internal';
import { type Moment, momentOf } from './moment.ts';
import { type NextTick, TimerSource } from './timer-source.ts';

/** The behaviour for missed ticks: ticks that were not taken in time. */
export type MissedTicks = 'burst' | 'delay' | 'skip';

/** Options for `interval` and `intervalAt`. */
export interface IntervalOptions {
  /**
   * The behaviour for missed ticks. With `burst` (the default) they are ready at once, one after the other, until the interval
   * has caught up. With `delay` the next tick comes a full period after the late one. With `skip` it comes at the next multiple
   * of the period.
   */
  readonly missed?: MissedTicks | undefined;
  /** Source of time. Default: the platform's clock. */
  readonly clock?: Clock | undefined;
}

/** The names of `IntervalOptions`. */
const OPTIONS = ['missed', 'clock'];

/** How late a tick may be without counting as missed, in ms: timers are never exact. Tokio uses the same value. */
const TOLERANCE = 5;

/**
 * A stream of ticks, as `interval` returns it. It is a source.
 *
 * @see tokio::time::Interval (tokio 1.53)
 * @example
 * ```ts
 * const ticks = interval(2);
 * const first = await ticks.tick(); // at once
 * console.log((await ticks.tick()) > first, ticks.period); // => true 2
 * ```
 */
export class Interval {
  /** @internal See `defineHandle`. */
  static readonly completed: object = /* @__PURE__ */ defineHandle(Interval, {
    name: 'interval',
    owns: (value) => #protocol in value,
    source: (interval) => interval.#protocol,
    facts: ({ period }) => ({ period }),
  });
  /** The time between two ticks, in milliseconds. */
  readonly period: number;
  readonly #protocol: TimerSource<number>;

  /** @internal */
  constructor(start: number, period: number, missed: MissedTicks, clock: Clock) {
    this.period = period;
    this.#protocol = new TimerSource(clock, start, nextTick(period, missed));
  }

  /**
   * Waits for the next tick.
   *
   * **Timing.** If a tick is ready, it is taken synchronously.
   *
   * **Cancel safety.** As a branch of `select` it takes no tick until it wins. Otherwise the wait cannot be given up.
   *
   * @returns the scheduled time of the tick, on the clock's `now()` scale
   */
  tick(): SourcePromise<number> {
    return sourcePromise(this.#protocol);
  }

  /**
   * Restarts the interval: the next tick comes a full period from now.
   *
   * **Timing.** Synchronous, as for all `reset` methods. Present waiters now wait for the new tick.
   *
   * @see tokio::time::Interval::reset (tokio 1.53)
   * @example
   * ```ts
   * const clock = new VirtualClock();
   * const beat = interval(1_000, { clock });
   * beat.resetAfter(250);
   * console.log(await clock.run(() => beat.tick()), await clock.run(() => beat.tick())); // => 250 1250
   * ```
   */
  reset(): void {
    this.resetAfter(this.period);
  }

  /**
   * Restarts the interval: the next tick is ready now.
   *
   * @see tokio::time::Interval::reset_immediately (tokio 1.53)
   */
  resetImmediately(): void {
    this.resetAfter(0);
  }

  /**
   * Restarts the interval: the next tick comes after `ms` milliseconds.
   *
   * @param ms milliseconds from 0 to `Infinity` (never)
   * @throws TypeError when `ms` is not a number; RangeError when it is negative or NaN
   * @see tokio::time::Interval::reset_after (tokio 1.53)
   */
  resetAfter(ms: number): void {
    const protocol = this.#protocol;
    protocol.reset(protocol.clock.now() + checkTime('Interval.resetAfter: the time', ms));
  }

  /**
   * Restarts the interval: the next tick comes at a given moment.
   *
   * @param when a `Date`, or a number on the scale of the clock's `now()`
   * @throws TypeError when `when` is neither a `Date` nor a number; RangeError when it is invalid
   * @see tokio::time::Interval::reset_at (tokio 1.53)
   */
  resetAt(when: Moment): void {
    this.#protocol.reset(momentOf('Interval.resetAt', when, this.#protocol.clock));
  }
}

// Declared by merging: isolatedDeclarations allows no computed key but the language's own in a class.
export interface Interval extends Source<number> {}

/** Returns the function that computes the time of the next tick. */
function nextTick(period: number, missed: MissedTicks): NextTick {
  return (deadline, now) => {
    const late = now - deadline;
    if (missed === 'burst' || late <= TOLERANCE) return deadline + period;
    return now + period - (missed === 'delay' ? 0 : late % period);
  };
}

/**
 * Ticks immediately, then every `ms` milliseconds. Use it as a branch of `select` or `selectEach`.
 *
 * **Timing.** The first tick is ready at the call. A timer exists, and keeps the process alive, only while there is a waiter.
 * After a longer gap, the next poll finds one or several ticks ready, depending on `missed`. A tick that is at most 5 ms late
 * does not count as missed.
 *
 * **Cancel safety.** If the interval loses a `select`, no tick is taken.
 *
 * **Fairness.** Each tick goes to one waiter: the one that has waited longest.
 *
 * @param ms milliseconds above 0, up to `Infinity` (a single tick)
 * @param options `missed`: the behaviour for missed ticks; `clock`: the source of time
 * @returns a source whose value is the scheduled time of the tick, on the clock's `now()` scale
 * @throws TypeError when `ms` is not a number, or `missed` is none of the three; RangeError when `ms` is not above 0
 * @see tokio::time::interval, tokio::time::MissedTickBehavior (tokio 1.53)
 * @example
 * ```ts
 * let ticks = 0;
 * for await (const { branch } of selectEach({ tick: interval(10) })) {
 *   if (++ticks < 3) continue;
 *   console.log(branch, ticks); // => tick 3
 *   break;
 * }
 * ```
 */
export function interval(ms: number, options?: IntervalOptions): Interval;
export function interval(ms: number, options?: IntervalOptions, extra?: unknown): Interval {
  refuseExtra(
    'interval',
    extra,
    'write interval(ms), and selectEach({ stopped: signal, tick: interval(ms) }) to end it',
  );
  checkOptions('interval', options, OPTIONS);
  const clock = options?.clock ?? systemClock;
  return make('interval', clock.now(), ms, clock, options);
}

/**
 * Ticks first at a given moment, then every `ms` milliseconds, as `interval` does. If the moment has passed, the first tick is
 * ready at the call, and counts as late.
 *
 * @param start the moment of the first tick: a `Date`, or a number on the scale of the clock's `now()`
 * @param ms milliseconds between two ticks, as for `interval`
 * @param options as for `interval`
 * @returns a source, as `interval`
 * @throws TypeError when `start` is neither a `Date` nor a number; RangeError when it is invalid; and as `interval`
 * @see tokio::time::interval_at (tokio 1.53)
 * @example
 * ```ts
 * const clock = new VirtualClock();
 * const hourly = intervalAt(new Date(500), 3_600_000, { clock });
 * console.log(await clock.run(() => hourly.tick()), await clock.run(() => hourly.tick())); // => 500 3600500
 * ```
 */
export function intervalAt(start: Moment, ms: number, options?: IntervalOptions): Interval {
  checkOptions('intervalAt', options, OPTIONS);
  const clock = options?.clock ?? systemClock;
  return make('intervalAt', momentOf('intervalAt', start, clock), ms, clock, options);
}

function make(call: string, start: number, ms: number, clock: Clock, options: IntervalOptions | undefined): Interval {
  const { missed = 'burst' } = options ?? {};
  checkNumber(typeof ms === 'number' && ms > 0, `${call}: the period`, 'milliseconds above 0', ms);
  checkChoice(`${call}: missed`, missed, ['burst', 'delay', 'skip']);
  return new Interval(start, ms, missed, clock);
}
