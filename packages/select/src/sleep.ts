import { type Clock, type Source, systemClock, wait } from '@quiesce/cancellation-token';
import { checkOptions, checkTime, defineHandle, refuseExtra } from '@quiesce/internal';
import { Alarm } from './alarm.ts';
import { type Moment, momentOf } from './moment.ts';

/** How a sleep measures time. */
export interface SleepOptions {
  /** Where time comes from; default: the platform's. */
  readonly clock?: Clock | undefined;
}

/**
 * A moment in the future, as a source; what `sleep` returns.
 *
 * @see tokio::time::Sleep (tokio 1.53)
 * @example
 * ```ts
 * const clock = new VirtualClock();
 * const moment = sleep(2_000, { clock });
 * console.log(moment.isElapsed); // => false
 * await clock.advance(2_000);
 * console.log(moment.isElapsed); // => true
 * ```
 */
export class Sleep implements PromiseLike<void> {
  /** @internal See `defineHandle`. */
  static readonly completed: object = /* @__PURE__ */ defineHandle(Sleep, {
    name: 'sleep',
    owns: (value) => #protocol in value,
    source: (sleep) => sleep.#protocol,
    unguarded: ['then'],
    facts: ({ isElapsed, deadline }) => ({ isElapsed, deadline }),
  });
  readonly #protocol: Alarm<void>;

  /** @internal */
  constructor(due: number, clock: Clock) {
    this.#protocol = new Alarm(clock, due);
  }

  /**
   * When it comes, on the scale of the clock's `now()`.
   *
   * @see tokio::time::Sleep::deadline (tokio 1.53)
   */
  get deadline(): number {
    return this.#protocol.due;
  }

  /** Whether the moment has come. Synchronous. */
  get isElapsed(): boolean {
    return this.#protocol.isDue;
  }

  /**
   * Moves the moment to `ms` milliseconds from now, also after it has come.
   *
   * **Timing.** Synchronous. What waits for this sleep goes on waiting, until the new moment.
   *
   * @param ms milliseconds from 0 to `Infinity` (never)
   * @throws RangeError when `ms` is negative or not a number
   * @see tokio::time::Sleep::reset (tokio 1.53)
   * @example
   * ```ts
   * const clock = new VirtualClock();
   * const idle = sleep(1_000, { clock });
   * await clock.advance(900);
   * idle.reset(1_000); // something has happened
   * await clock.advance(900);
   * console.log(idle.isElapsed, idle.deadline); // => false 1900
   * ```
   */
  reset(ms: number): void {
    const protocol = this.#protocol;
    protocol.reset(protocol.clock.now() + checkTime('Sleep.reset: the time', ms));
  }

  /**
   * The same for a given moment.
   *
   * @param when a `Date`, or a number on the scale of the clock's `now()`
   * @throws RangeError when it is no moment
   * @see tokio::time::Sleep::reset (tokio 1.53)
   */
  resetAt(when: Moment): void {
    this.#protocol.reset(momentOf('Sleep.resetAt', when, this.#protocol.clock));
  }

  /** Called by `await`. Never rejects. */
  // biome-ignore lint/suspicious/noThenProperty: being awaitable is what this class is for
  then<A = void, B = never>(
    onFulfilled?: ((value: void) => A | PromiseLike<A>) | null,
    onRejected?: ((error: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return wait(this).then(onFulfilled, onRejected);
  }
}

// Declared by merging: isolatedDeclarations allows no computed key but the language's own in a class.
export interface Sleep extends Source<void> {}

/**
 * A moment `ms` milliseconds from now: a branch for `select`, and awaitable.
 *
 * **Timing.** The moment is fixed at the call, and it never comes early. A timer exists, and holds the process, only while somebody waits.
 * `sleep(0)` is ready at once; an `await` takes a microtask all the same.
 *
 * **Cancel safety.** It can be waited for, given up and waited for again.
 *
 * @param ms milliseconds from 0 to `Infinity` (never); above 2^31-1 too it waits as long as it says
 * @param options `clock`: where time comes from
 * @throws RangeError when `ms` is negative or not a number
 * @see tokio::time::sleep (tokio 1.53)
 * @example
 * ```ts
 * const outcome = await select({ tick: sleep(10), never: new CancellationToken() });
 * console.log(outcome.branch); // => tick
 * ```
 */
export function sleep(ms: number, options?: SleepOptions): Sleep;
export function sleep(ms: number, options?: SleepOptions, extra?: unknown): Sleep {
  refuseExtra('sleep', extra, 'write sleep(ms), and select({ stopped: signal, slept: sleep(ms) }) to give it up');
  checkOptions('sleep', options, ['clock']);
  checkTime('sleep: the time', ms);
  const clock = options?.clock ?? systemClock;
  return new Sleep(clock.now() + ms, clock);
}

/**
 * The same for a given moment. A moment that has passed is ready at once.
 *
 * @param when a `Date`, or a number on the scale of the clock's `now()`. What the wall clock does after the call changes
 *   nothing
 * @param options `clock`: where time comes from
 * @throws RangeError when it is no moment
 * @see tokio::time::sleep_until (tokio 1.53)
 * @example
 * ```ts
 * const clock = new VirtualClock();
 * const nine = sleepUntil(new Date(9_000), { clock });
 * await clock.advance(9_000);
 * console.log(nine.isElapsed); // => true
 * ```
 */
export function sleepUntil(when: Moment, options?: SleepOptions): Sleep {
  checkOptions('sleepUntil', options, ['clock']);
  const clock = options?.clock ?? systemClock;
  return new Sleep(momentOf('sleepUntil', when, clock), clock);
}
