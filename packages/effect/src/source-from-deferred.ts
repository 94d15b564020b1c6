import { PENDING, type Source, source } from '@quiesce/cancellation-token';
import { checkKind } from '@quiesce/internal';
import { Deferred, Exit } from 'effect';
import { errorFromCause } from './cause.ts';
import { TakeSource } from './take-source.ts';

/**
 * An Effect's `Deferred` as a source: a branch of `select` that has one value.
 *
 * **Timing.** Ready as soon as the Deferred is; waiters are woken inside of what completes it. One that was completed with
 * an Effect instead of an exit (`Deferred.completeWith`) is ready once somebody has waited for that.
 *
 * **Cancel safety.** Waiting for it takes nothing from it.
 *
 * @param deferred the Deferred
 * @returns gives its value; fails as {@link errorFromCause} says
 * @see `Deferred.into` (effect 4) with {@link effectFromSource}, for the way back
 * @example
 * ```ts
 * import { Deferred, Effect } from 'effect';
 *
 * const deferred = Deferred.makeUnsafe<string>();
 * const outcome = select({ answer: sourceFromDeferred(deferred), stop: new CancellationToken() });
 * Effect.runSync(Deferred.succeed(deferred, 'yes'));
 * console.log(await outcome); // => { branch: 'answer', value: 'yes' }
 * ```
 */
export function sourceFromDeferred<A, E>(deferred: Deferred.Deferred<A, E>): Source<A> {
  checkKind(Deferred.isDeferred(deferred), 'sourceFromDeferred', 'a Deferred', deferred);
  /** Set once it is known. */
  let exit: Exit.Exit<A, E> | undefined;
  /** What it failed with, the same for everybody. */
  let error: unknown;
  const settle = (found: Exit.Exit<A, E>): void => {
    exit = found;
    if (Exit.isFailure(found)) error = errorFromCause(found.cause);
  };
  const protocol = new TakeSource<A>({
    once: true,
    take: () => {
      if (exit === undefined && deferred.effect !== undefined && Exit.isExit(deferred.effect)) {
        settle(deferred.effect as Exit.Exit<A, E>);
      }
      if (exit === undefined) return PENDING;
      if (Exit.isSuccess(exit)) return exit.value;
      throw error;
    },
    ready: Deferred.await(deferred),
    arrived: (found) => settle(found as Exit.Exit<A, E>),
    hasMore: () => true,
  });
  return { [source]: protocol };
}
