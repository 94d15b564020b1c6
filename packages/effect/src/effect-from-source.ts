import { isSource, type Source, source } from '@quiesce/cancellation-token';
import { checkKind, checkOptions } from '@quiesce/internal';
import { Effect } from 'effect';
import { type CatchOptions, failureWith } from './effect-from-work.ts';
import { take } from './take.ts';

/**
 * An Effect that takes one value from a source: a receiver, a token, a timer, a task, a lock.
 *
 * **Timing.** A source that is ready is taken synchronously; otherwise the fiber goes on inside of the act that makes it
 * ready. Loops over what is ready are broken by Effect's own scheduler.
 *
 * **Cancel safety.** Interrupted, it has taken nothing and given up its place: the poll that takes and the fiber's next
 * step are one. Only where taking a value itself interrupts the fiber that takes it, the value is lost.
 *
 * **Fairness.** As the source: first come, first served, fibers and promises in one line.
 *
 * @param from the source; a token gives its reason
 * @param options `catch` gives the failures a type
 * @returns fails with what the source's `poll` throws, such as `ClosedError`
 * @throws TypeError when `from` is no source
 * @see {@link streamFromSource} for all of its values
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
