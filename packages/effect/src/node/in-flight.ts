import type { CancellationToken } from '@quiesce/cancellation-token';
import { checkKind } from '@quiesce/internal';
import { Effect, type Fiber } from 'effect';
import { interruptWith } from '../run-effect.ts';
import { CurrentShutdown } from './current-shutdown.ts';

/**
 * Counts an Effect as in flight: the shutdown waits for it until `drainTimeout`, and then interrupts its fiber with the
 * reason of `stopNow`.
 *
 * **Timing.** Counted from the step in which it starts to the end of its finalizers.
 *
 * **Cancel safety.** As the Effect. Interrupted is the fiber that runs it, also what that would do afterwards. When
 * `stopNow` is cancelled already it is not started.
 *
 * @param name how reports call it
 * @param effect the work: one request, one job
 * @throws TypeError, as a defect, for what is no name
 * @see `shutdown.guard`
 * @example
 * ```ts
 * import { Effect } from 'effect';
 *
 * const shutdown = new Shutdown();
 * const request = inFlight('GET /page', Effect.sync(() => shutdown.progress.inFlight));
 * const counted = Effect.provideService(request, CurrentShutdown, shutdown);
 * console.log(await runEffect(counted), shutdown.progress.inFlight); // => 1 0
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
      () => until(shutdown.stopNow, effect),
      (guard) => Effect.sync(() => guard.dispose()),
    ),
  );
}

/** Runs an Effect; a cancellation meanwhile interrupts the fiber, with the reason. */
export function until<A, E, R>(token: CancellationToken, effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
  return between((fiber) => interruptWith(fiber, token), effect);
}

/**
 * Runs an Effect between `begin` and what that returns. It begins inside of what the end is ensured for: between any two
 * steps the scheduler may make a fiber yield, and it may be interrupted there.
 */
export function between<A, E, R>(
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
