import { ClosedError, PENDING, type Source, source } from '@quiesce/cancellation-token';
import { checkKind } from '@quiesce/internal';
import { Cause, Effect, Exit, Queue } from 'effect';
import { errorFromCause } from './cause.ts';
import { TakeSource } from './take-source.ts';

/**
 * An Effect's `Queue` as a source: a branch of `select` that takes from it, in one line with its takers.
 *
 * **Timing.** What is there is taken synchronously. Waiters are woken when Effect's scheduler wakes the takers, which is
 * one turn after the `offer`.
 *
 * **Cancel safety.** Who waits only peeks: a branch that loses has taken nothing, and leaves nothing in the queue.
 *
 * @param queue the queue, or its `Dequeue`
 * @returns gives its values; `ClosedError` when the queue has ended, was interrupted or shut down, and is drained; else
 *   what it failed with, as {@link errorFromCause} says
 * @see `Stream.toQueue` (effect 4) with {@link streamFromSource}, for the way back
 * @example
 * ```ts
 * import { Effect, Queue } from 'effect';
 *
 * const queue = await runEffect(Queue.bounded<string>(16));
 * const job = sourceFromQueue(queue);
 * console.log(trySelect({ job })); // => undefined
 * Effect.runSync(Queue.offer(queue, 'print'));
 * console.log(await select({ job })); // => { branch: 'job', value: 'print' }
 * ```
 */
export function sourceFromQueue<A, E>(queue: Queue.Dequeue<A, E>): Source<A> {
  checkKind(Queue.isDequeue(queue), 'sourceFromQueue', 'a Queue', queue);
  let isOver = false;
  // Of a queue without room, what is offered waits outside, where a peek does not see it.
  const hasOffers = (): boolean => queue.capacity <= 0 && queue.state._tag !== 'Done' && queue.state.offers.size > 0;
  const hasMore = (): boolean => isOver || Queue.sizeUnsafe(queue) > 0 || hasOffers();
  const protocol = new TakeSource<A>({
    take: () => {
      const exit = Queue.takeUnsafe(queue);
      if (exit === undefined) return PENDING;
      if (Exit.isSuccess(exit)) return exit.value;
      throw endOf(exit.cause, 'queue');
    },
    ready: Effect.suspend(() => (hasMore() ? Effect.void : Queue.peek(queue))),
    arrived: (exit) => {
      isOver = Exit.isFailure(exit);
    },
    hasMore,
  });
  return { [source]: protocol };
}

/** What says that there will be nothing more: `ClosedError`, unless something failed. */
export function endOf(cause: Cause.Cause<unknown>, what: string): unknown {
  const failed = cause.reasons.filter((reason) => {
    return !Cause.isInterruptReason(reason) && !(Cause.isFailReason(reason) && Cause.isDone(reason.error));
  });
  if (failed.length > 0) return errorFromCause(Cause.fromReasons(failed));
  return new ClosedError(`The ${what} has ended: nothing more will come`, { cause });
}
