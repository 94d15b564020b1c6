import { isSource, type Source, source } from '@quiesce/cancellation-token';
import { checkKind, checkOptions } from '@quiesce/internal';
import { Effect } from 'effect';
import { type CatchOptions, failureWith } from './effect-from-work.ts';
import { take } from './take.ts';

/**
 * Makes an Effect that takes one value from a source, such as a receiver, a token, a timer, a task or a lock.
 *
 * **Timing.** The Effect takes a ready value synchronously. Otherwise the fiber resumes within the call that makes the source
 * ready. In a loop over ready values, Effect's scheduler makes the fiber yield.
 *
 * **Cancel safety.** When the fiber is interrupted, it has taken nothing and has left the queue: the poll that takes and the
 * fiber's next step are one synchronous run. One exception: when taking a value interrupts the fiber that takes it,
 * the value is lost.
 *
 * **Fairness.** As the source. Fibers and promises wait in the same queue.
 *
 * @param from the source; a token gives its reason
 * @param options `catch` gives the failures a type
 * @returns the value; fails with the error of the source's `poll`, such as `ClosedError`
 * @throws TypeError when `from` is not a source
 * @see {@link streamFromSource} for all values of a source
 * @example
 * ```ts
 * import { Effect } from 'effect';
 *
 * const [tx, rx] = channel<string>(1);
 * const fiber = Effect.runFork(Effect.map(effectFromSource(rx), (job) => console.log('got', job)));
 * await tx.send('a job'); // => got a job
 * ```
 */
export function effectFromSource<T, E = unknown>(from: Source<T>, options: CatchOptions<E> = {}): Effect.Effect<T, E> {
  checkSource('effectFromSource', from);
  checkOptions('effectFromSource', options, ['catch']);
  const failure = failureWith('effectFromSource', options);
  return take(
    () => from[source],
    (value) => Effect.succeed(value),
    (error) => Effect.suspend(() => Effect.failCause(failure(error))),
  );
}

/** @throws TypeError unless `value` is a source */
export function checkSource(call: string, value: unknown): void {
  checkKind(isSource(value), call, 'a source', value);
}
