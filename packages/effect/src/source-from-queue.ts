import { ClosedError, PENDING, type Source, source } from '@quiesce/cancellation-token';
import { checkKind } from '@quiesce/internal';
import { Cause, Effect, Exit, Queue } from 'effect';
import { errorFromCause } from './cause.ts';
import { TakeSource } from './take-source.ts';

/**
 * Makes a source from a `Queue` of Effect, for use as a branch of `select`.
 *
 * **Timing.** A value in the queue is taken synchronously. Waiters are woken when Effect's scheduler wakes the takers, one run
 * of the scheduler after the `offer`.
 *
 * **Cancel safety.** A waiter only peeks. A branch that loses has taken nothing, and leaves nothing in the queue.
 *
 * **Fairness.** Waiters and the takers of Effect wait in the same queue.
 *
 * @param queue the queue, or its `Dequeue`
 * @returns a source of its values. A poll throws `ClosedError` when the queue is drained and has ended, was interrupted or
 *   shut down; when the queue failed, it throws the error of {@link errorFromCause}
 * @see `Stream.toQueue` (effect 4) with {@link streamFromSource} for the opposite direction
 * @example
 * ```ts
 * import { Effect, Queue } from 'effect';
 *
 * const queue = await runEffect(Queue.bounded<string>(16));
 * const job = sourceFromQueue(queue);
 * console.log(trySelect({ job })); // => { ok: false, why: 'pending' }
 * Effect.runSync(Queue.offer(queue, 'print'));
 * console.log(await select({ job })); // => { branch: 'job', value: 'print' }
 * ```
 */
export function sourceFromQueue<A, E>(queue: Queue.Dequeue<A, E>): Source<A> {
  checkKind(Queue.isDequeue(queue), 'sourceFromQueue', 'a Queue', queue);
  let hasEnded = false;
  // In a queue without capacity, an offered value waits outside the buffer, where a peek does not see it.
  const hasOffers = (): boolean => queue.capacity <= 0 && queue.state._tag !== 'Done' && queue.state.offers.size > 0;
  const hasMore = (): boolean => hasEnded || Queue.sizeUnsafe(queue) > 0 || hasOffers();
  const protocol = new TakeSource<A>({
    take: () => {
      const exit = Queue.takeUnsafe(queue);
      if (exit === undefined) return PENDING;
      if (Exit.isSuccess(exit)) return exit.value;
      throw endError(exit.cause, 'queue');
    },
    // Without its type, the result depends on the order in which TypeScript checks the files.
    ready: Effect.suspend((): Effect.Effect<unknown, unknown> => (hasMore() ? Effect.void : Queue.peek(queue))),
    onReady: (exit) => {
      hasEnded = Exit.isFailure(exit);
    },
    hasMore,
  });
  return { [source]: protocol };
}

/** Returns the error at the end of a queue or subscription: its failure, or `ClosedError` when nothing failed. */
export function endError(cause: Cause.Cause<unknown>, what: string): unknown {
  const failed = cause.reasons.filter((reason) => {
    return !Cause.isInterruptReason(reason) && !(Cause.isFailReason(reason) && Cause.isDone(reason.error));
  });
  if (failed.length > 0) return errorFromCause(Cause.fromReasons(failed));
  return new ClosedError(`The ${what} has ended: no more values will come`, { cause });
}
