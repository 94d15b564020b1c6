import { type Clock, reportUncaught, type Timer } from '@quiesce/cancellation-token';
import { checkTime } from '@quiesce/internal';
import { Duration, Effect, Clock as EffectClock, type Fiber } from 'effect';

/** One timer. */
interface Sleeping extends Timer {
  /** `undefined`: it never fires. */
  readonly fiber: Fiber.Fiber<void> | undefined;
}

/** What a timer throws has no fiber that anybody waits for. */
function fire(fn: () => void): void {
  try {
    fn();
  } catch (error) {
    reportUncaught(error);
  }
}

/**
 * The clock of the Effect that runs, as ours: with Effect's `TestClock`, one `adjust` moves both.
 *
 * **Timing.** Timers are sleeping fibers of Effect's clock, under the services of the Effect that asked.
 *
 * Not kept: `ref: false`. With the live clock each timer holds the process; use `systemClock` there.
 *
 * @returns a clock for the option `clock` of `sleep`, `scope`, `Shutdown` and the rest
 * @see `Effect.clockWith` (effect 4), `VirtualClock` from `@quiesce/cancellation-token/testing`
 * @example
 * ```ts
 * import { Effect } from 'effect';
 * import { TestClock } from 'effect/testing';
 *
 * const program = Effect.gen(function* () {
 *   const clock = yield* effectClock;
 *   const page = select({ slow: sleep(60_000, { clock }) });
 *   yield* TestClock.adjust('1 minute');
 *   return (yield* effectFromWork(() => page)).branch;
 * });
 * console.log(await runEffect(Effect.provide(program, TestClock.layer()))); // => slow
 * ```
 */
export const effectClock: Effect.Effect<Clock> = /* @__PURE__ */ Effect.contextWith((context) =>
  Effect.map(EffectClock.Clock, (theirs): Clock => {
    const run = Effect.runForkWith(context);
    return {
      now: () => Number(theirs.monotonicTimeNanosUnsafe()) / 1e6,
      wall: () => theirs.currentTimeMillisUnsafe(),
      setTimer(ms, fn) {
        checkTime('setTimer: the time', ms);
        if (ms === Number.POSITIVE_INFINITY) return { fiber: undefined } as unknown as Timer;
        // Never synchronously, also where there is nothing to wait for.
        const wait = ms > 0 ? theirs.sleep(Duration.millis(ms)) : Effect.yieldNow;
        return {
          fiber: run(
            Effect.andThen(
              wait,
              Effect.sync(() => fire(fn)),
            ),
          ),
        } as unknown as Timer;
      },
      clearTimer(timer) {
        (timer as Sleeping).fiber?.interruptUnsafe();
      },
    };
  }),
);
