import type { CancellationToken } from '@quiesce/cancellation-token';
import { checkKind } from '@quiesce/internal';
import { Effect, type Fiber } from 'effect';
import { interruptWith } from '../run-effect.ts';
import { CurrentShutdown } from './current-shutdown.ts';

/**
 * Counts an Effect as work in flight. The shutdown waits for it until `drainTimeout`, and then interrupts its fiber with the
 * reason of `stopNow`.
 *
 * Use it for one request or one job. For a cleanup at the end of the process, use {@link shutdownHook}.
 *
 * **Timing.** Counted from the step in which it starts until its finalizers have run.
 *
 * **Cancel safety.** As the Effect. The interruption ends the fiber that runs the Effect, including the fiber's later steps.
 * When `stopNow` is already cancelled, the Effect does not start.
 *
 * @param name name shown in reports
 * @param effect the work
 * @throws TypeError, as a defect, when `name` is not a string
 * @see `shutdown.guard`
 * @example
 * ```ts
 * import { Effect } from 'effect';
 *
 * const shutdown = new Shutdown();
 * const request = inFlight('GET /page', Effect.sync(() => shutdown.progress.inFlightCount));
 * const counted = Effect.provideService(request, CurrentShutdown, shutdown);
 * console.log(await runEffect(counted), shutdown.progress.inFlightCount); // => 1 0
 * ```
 */
export function inFlight<A, E, R>(
  name: string,
  effect: Effect.Effect<A, E, R>,
): Effect.Effect<A, E, R | CurrentShutdown> {
  checkKind(Effect.isEffect(effect), 'inFlight', 'a name and an Effect', effect);
  return Effect.flatMap(CurrentShutdown, (shutdown) =>
    Effect.acquireUseRelease(
      Effect.sync(() => shutdown.guard(name)),
      () => interruptedBy(shutdown.stopNow, effect),
      (guard) => Effect.sync(() => guard.dispose()),
    ),
  );
}

/** Runs an Effect. A cancellation during its run interrupts the fiber, with the reason. */
export function interruptedBy<A, E, R>(
  token: CancellationToken,
  effect: Effect.Effect<A, E, R>,
): Effect.Effect<A, E, R> {
  return bracketed((fiber) => interruptWith(fiber, token), effect);
}

/**
 * Runs an Effect between `begin` and the function that `begin` returns. `begin` runs within the region whose end is ensured:
 * between any two steps the scheduler may make a fiber yield, and the fiber may be interrupted there.
 */
export function bracketed<A, E, R>(
  begin: (fiber: Fiber.Fiber<unknown, unknown>) => () => void,
  effect: Effect.Effect<A, E, R>,
): Effect.Effect<A, E, R> {
  return Effect.suspend(() => {
    let end = (): void => {};
    const running = Effect.withFiber((fiber) => {
      end = begin(fiber);
      return effect;
    });
    return Effect.ensuring(
      running,
      Effect.sync(() => end()),
    );
  });
}
