import { type Clock, type Source, type SourcePromise, sourcePromise, systemClock } from '@quiesce/cancellation-token';
import { checkChoice, checkOptions, checkTime, defineHandle, refuseExtra, show } from '@quiesce/internal';
import { Alarm, type Next } from './alarm.ts';
import { type Moment, momentOf } from './moment.ts';

/** What becomes of ticks that were missed because nobody asked in time. */
export type MissedTicks = 'burst' | 'delay' | 'skip';

/** How an interval ticks. */
export interface IntervalOptions {
  /**
   * `burst` (default): they come at once, one after the other, until all are made up for; `delay`: the next one comes a
   * whole period after the late one; `skip`: the next one comes at the next multiple of the period.
   */
  readonly missed?: MissedTicks | undefined;
  /** Where time comes from; default: the platform's. */
  readonly clock?: Clock | undefined;
}

/** The options of `interval` and `intervalAt`. */
const OPTIONS = ['missed', 'clock'];

/** By how many ms a tick may be late without counting as missed: timers are never exact. Tokio's figure. */
const TOLERANCE = 5;

/**
 * A tick again and again, as a source; what `interval` returns.
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
  /** How long from one tick to the next, in milliseconds. */
  readonly period: number;
  readonly #protocol: Alarm<number>;

  /** @internal */
  constructor(start: number, period: number, missed: MissedTicks, clock: Clock) {
    this.period = period;
    this.#protocol = new Alarm(clock, start, after(period, missed));
  }

  /**
   * Waits for the next tick.
   *
   * **Cancel safety.** As a branch of `select` it takes no tick until it wins. Otherwise the wait cannot be given up.
   *
   * @returns when the tick was due, on the clock's `now()` scale
   */
  tick(): SourcePromise<number> {
    return sourcePromise(this.#protocol);
  }

  /**
   * Begins anew: the next tick comes a whole period from now.
   *
   * **Timing.** Synchronous, as all that resets. What waits for a tick waits for the new one.
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
   * Begins anew with a tick that is due now.
   *
   * @see tokio::time::Interval::reset_immediately (tokio 1.53)
   */
  resetImmediately(): void {
    this.resetAfter(0);
  }

  /**
   * Begins anew with a tick after `ms` milliseconds.
   *
   * @param ms milliseconds from 0 to `Infinity` (never)
   * @throws RangeError when `ms` is negative or not a number
   * @see tokio::time::Interval::reset_after (tokio 1.53)
   */
  resetAfter(ms: number): void {
    const protocol = this.#protocol;
    protocol.reset(protocol.clock.now() + checkTime('Interval.resetAfter: the time', ms));
  }

  /**
   * Begins anew with a tick at a given moment.
   *
   * @param when a `Date`, or a number on the scale of the clock's `now()`
   * @throws RangeError when it is no moment
   * @see tokio::time::Interval::reset_at (tokio 1.53)
   */
  resetAt(when: Moment): void {
    this.#protocol.reset(momentOf('Interval.resetAt', when, this.#protocol.clock));
  }
}

// Declared by merging: isolatedDeclarations allows no computed key but the language's own in a class.
export interface Interval extends Source<number> {}

/** What becomes of a late tick: when the next one is due. */
function after(period: number, missed: MissedTicks): Next {
  return (due, now) => {
    const late = now - due;
    if (missed === 'burst' || late <= TOLERANCE) return due + period;
    return now + period - (missed === 'delay' ? 0 : late % period);
  };
}

/**
 * A tick at once, and then one every `ms` milliseconds: a stream for `select` and `selectEach`.
 *
 * **Timing.** The first tick is due at the call. A timer exists, and holds the process, only while somebody waits; ticks
 * that came due meanwhile are there, one or several as `missed` says, at the next look. Up to 5 ms late is in time.
 *
 * **Cancel safety.** A tick that lost a `select` was not taken.
 *
 * **Fairness.** A tick goes to one of those who wait: the one that has waited longest.
 *
 * @param ms milliseconds, above 0, to `Infinity` (one tick and no other)
 * @param options `missed`: what becomes of ticks for which nobody asked in time; `clock`: where time comes from
 * @returns a source whose value is when the tick was due, on the clock's `now()` scale
 * @throws RangeError when `ms` is not above 0, or `missed` is none of the three
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
 * The same with the first tick at a given moment. When that has passed, the first tick is there, and counts as late.
 *
 * @param start when the first tick comes: a `Date`, or a number on the scale of the clock's `now()`
 * @param ms milliseconds from one tick to the next, as of `interval`
 * @param options as of `interval`
 * @throws RangeError when `start` is no moment; and as `interval`
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
  if (typeof ms !== 'number' || !(ms > 0)) {
    throw new RangeError(`${call}: the period must be milliseconds above 0, got ${show(ms)}`);
  }
  checkChoice(`${call}: missed`, missed, ['burst', 'delay', 'skip']);
  return new Interval(start, ms, missed, clock);
}
