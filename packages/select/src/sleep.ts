import { type Clock, type Source, systemClock, wait } from '@quiesce/cancellation-token';
import { checkOptions, checkTime, defineHandle, refuseExtra } from '@quiesce/internal';
import { type Moment, momentOf } from './moment.ts';
import { TimerSource } from './timer-source.ts';

/** Options for `sleep` and `sleepUntil`. */
export interface SleepOptions {
  /** Source of time. Default: the platform's clock. */
  readonly clock?: Clock | undefined;
}

/**
 * A source that is ready once its deadline has passed, as `sleep` returns it.
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
  readonly #protocol: TimerSource<void>;

  /** @internal */
  constructor(deadline: number, clock: Clock) {
    this.#protocol = new TimerSource(clock, deadline);
  }

  /**
   * The deadline, on the scale of the clock's `now()`.
   *
   * @see tokio::time::Sleep::deadline (tokio 1.53)
   */
  get deadline(): number {
    return this.#protocol.deadline;
  }

  /** Whether the deadline has passed. Synchronous. */
  get isElapsed(): boolean {
    return this.#protocol.isElapsed;
  }

  /**
   * Sets a new deadline, `ms` milliseconds from now. It may be called after the old deadline has passed.
   *
   * **Timing.** Synchronous. Present waiters now wait for the new deadline.
   *
   * @param ms milliseconds from 0 to `Infinity` (never)
   * @throws TypeError when `ms` is not a number; RangeError when it is negative or NaN
   * @see tokio::time::Sleep::reset (tokio 1.53)
   * @example
   * ```ts
   * const clock = new VirtualClock();
   * const idle = sleep(1_000, { clock });
   * await clock.advance(900);
   * idle.reset(1_000); // there was activity
   * await clock.advance(900);
   * console.log(idle.isElapsed, idle.deadline); // => false 1900
   * ```
   */
  reset(ms: number): void {
    const protocol = this.#protocol;
    protocol.reset(protocol.clock.now() + checkTime('Sleep.reset: the time', ms));
  }

  /**
   * Sets the deadline to a given moment, as `reset` does.
   *
   * @param when a `Date`, or a number on the scale of the clock's `now()`
   * @throws TypeError when `when` is neither a `Date` nor a number; RangeError when it is invalid
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
 * Waits for `ms` milliseconds. You can await the result, and use it as a `select` branch.
 *
 * **Timing.** The deadline is fixed at the call, and the sleep is never ready before it. A timer exists, and keeps the process
 * alive, only while there is a waiter. `sleep(0)` is ready synchronously; an `await` of it still takes a microtask.
 *
 * **Cancel safety.** You can wait for it, give the wait up, and wait again.
 *
 * @param ms milliseconds from 0 to `Infinity` (never). Times above 2^31-1 work, too
 * @param options `clock`: the source of time
 * @returns a {@link Sleep}
 * @throws TypeError when `ms` is not a number; RangeError when it is negative or NaN
 * @see tokio::time::sleep (tokio 1.53)
 * @example
 * ```ts
 * const outcome = await select({ tick: sleep(10), never: new CancellationToken() });
 * console.log(outcome.branch); // => tick
 * ```
 */
export function sleep(ms: number, options?: SleepOptions): Sleep;
export function sleep(ms: number, options?: SleepOptions, extra?: unknown): Sleep {
  refuseExtra('sleep', extra, givingUp('sleep'));
  checkSleepOptions('sleep', options);
  checkTime('sleep: the time', ms);
  const clock = options?.clock ?? systemClock;
  return new Sleep(clock.now() + ms, clock);
}

/**
 * Waits until a given moment, as `sleep` does. If the moment has passed, it is ready synchronously.
 *
 * @param when a `Date`, or a number on the scale of the clock's `now()`. Later changes of the wall clock have no effect
 * @param options `clock`: the source of time
 * @returns a {@link Sleep}
 * @throws TypeError when `when` is neither a `Date` nor a number; RangeError when it is invalid
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
  checkSleepOptions('sleepUntil', options);
  const clock = options?.clock ?? systemClock;
  return new Sleep(momentOf('sleepUntil', when, clock), clock);
}

/** @throws TypeError for an unknown option. For a signal, which `setTimeout` of Node takes, it says what to write instead. */
function checkSleepOptions(call: string, options: SleepOptions | undefined): void {
  const isSignal = options !== null && typeof options === 'object' && 'signal' in options;
  if (isSignal) throw new TypeError(`${call}: there is no option "signal"; ${givingUp(call)}`);
  checkOptions(call, options, ['clock']);
}

function givingUp(call: string): string {
  return `write select({ stopped: signal, slept: ${call}(…) }) to give it up`;
}
