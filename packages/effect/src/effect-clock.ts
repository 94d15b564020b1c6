import { type Clock, reportUncaught, type Timer } from '@quiesce/cancellation-token';
import { checkTime } from '@quiesce/internal';
import { Duration, Effect, Clock as EffectClock, type Fiber } from 'effect';

/** A timer of this clock. */
interface Sleeping extends Timer {
  /** The fiber that sleeps, or `undefined` for a timer that never fires. */
  readonly fiber: Fiber.Fiber<void> | undefined;
}

/** Reports an error of a timer: no code awaits its fiber. */
function runTimer(fn: () => void): void {
  try {
    fn();
  } catch (error) {
    reportUncaught(error);
  }
}

/**
 * An Effect that succeeds with the current clock of Effect as a Quiesce `Clock`. One `adjust` of a `TestClock` then moves the
 * timers of both libraries.
 *
 * Use it in tests. In production, use the default clock: with the live clock of Effect, each timer holds the process, because
 * `ref: false` has no effect.
 *
 * **Timing.** Timers are fibers that sleep on Effect's clock, with the services of the Effect that reads `effectClock`.
 *
 * @returns a clock for the option `clock` of `sleep`, `scope`, `Shutdown` and other calls
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
  Effect.map(EffectClock.Clock, (effectsClock): Clock => {
    const run = Effect.runForkWith(context);
    return {
      now: () => Number(effectsClock.monotonicTimeNanosUnsafe()) / 1e6,
      wall: () => effectsClock.currentTimeMillisUnsafe(),
      setTimer(ms, fn) {
        checkTime('setTimer: the time', ms);
        if (ms === Number.POSITIVE_INFINITY) return { fiber: undefined } as unknown as Timer;
        // A timer never fires synchronously, even after 0 ms.
        const wait = ms > 0 ? effectsClock.sleep(Duration.millis(ms)) : Effect.yieldNow;
        return {
          fiber: run(
            Effect.andThen(
              wait,
              Effect.sync(() => runTimer(fn)),
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
