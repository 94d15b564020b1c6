import { type Clock, type Source, type SourceProtocol, source, systemClock, wait } from '@quiesce/cancellation-token';
import { checkTime, defineGetter } from '@quiesce/internal';
import { Alarm } from './alarm.ts';

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
  /** @internal See `defineDispose`. */
  static readonly completed: object = /* @__PURE__ */ defineGetter(
    Sleep,
    source,
    function (this: Sleep): SourceProtocol<void> {
      return this.protocol;
    },
  );
  /** @internal */
  readonly protocol: Alarm<void>;

  /** @internal */
  constructor(ms: number, clock: Clock) {
    this.protocol = new Alarm(clock, ms);
  }

  /** Whether the moment has come. Synchronous. */
  get isElapsed(): boolean {
    return this.protocol.isDue;
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
 * **Timing.** The deadline is fixed at the call. A timer exists, and holds the process, only while somebody waits.
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
export function sleep(ms: number, options?: SleepOptions): Sleep {
  checkTime('sleep: the time', ms);
  return new Sleep(ms, options?.clock ?? systemClock);
}
