import { PENDING, type Source, source } from '@quiesce/cancellation-token';
import { checkKind } from '@quiesce/internal';
import { Deferred, Exit } from 'effect';
import { errorFromCause } from './cause.ts';
import { TakeSource } from './take-source.ts';

/**
 * Makes a source from a `Deferred` of Effect, for use as a branch of `select`. It has one value.
 *
 * **Timing.** Ready as soon as the Deferred is completed. Waiters are woken within the call that completes it. When a Deferred
 * is completed with an Effect instead of an exit (`Deferred.completeWith`), the first waiter runs that Effect.
 *
 * **Cancel safety.** Waiting takes nothing from the Deferred.
 *
 * @param deferred the Deferred
 * @returns a source of its value; a poll throws the error of {@link errorFromCause} when the Deferred failed
 * @see `Deferred.into` (effect 4) with {@link effectFromSource} for the opposite direction
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
  /** The exit, or `undefined` until it is known. */
  let exit: Exit.Exit<A, E> | undefined;
  /** The error of a failed exit. Every poll throws the same object. */
  let error: unknown;
  const setExit = (found: Exit.Exit<A, E>): void => {
    exit = found;
    if (Exit.isFailure(found)) error = errorFromCause(found.cause);
  };
  const protocol = new TakeSource<A>({
    once: true,
    take: () => {
      if (exit === undefined && deferred.effect !== undefined && Exit.isExit(deferred.effect)) {
        setExit(deferred.effect as Exit.Exit<A, E>);
      }
      if (exit === undefined) return PENDING;
      if (Exit.isSuccess(exit)) return exit.value;
      throw error;
    },
    ready: Deferred.await(deferred),
    onReady: (found) => setExit(found as Exit.Exit<A, E>),
    hasMore: () => true,
  });
  return { [source]: protocol };
}
