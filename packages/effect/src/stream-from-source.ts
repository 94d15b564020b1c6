import type { BroadcastReceiver, LaggedError } from '@quiesce/broadcast-channel';
import { isClosedError, type Source, source } from '@quiesce/cancellation-token';
import type { Receiver } from '@quiesce/channel';
import { checkOptions, isNamed } from '@quiesce/internal';
import { Cause, Effect, Stream } from 'effect';
import { checkSource } from './effect-from-source.ts';
import { type CatchOptions, failureWith } from './effect-from-work.ts';
import { take } from './take.ts';

/**
 * Makes a stream of the values of a source, such as a receiver, an interval or a watch, until the source is closed.
 *
 * For an mpsc or broadcast receiver, {@link streamFromChannel} and {@link streamFromBroadcast} give the failures a type.
 *
 * **Timing.** Takes one value for each pull, and none ahead, so the source's back pressure applies. Values are taken as in
 * {@link effectFromSource}.
 *
 * **Cancel safety.** A stream that is left or interrupted has taken exactly the values that it emitted. A value in a later
 * stage is lost with that stage. The source stays open; close it yourself. A stream that runs again continues where it
 * stopped.
 *
 * @param from the source; a source with a single value, such as a token, emits it endlessly
 * @param options `catch` gives the failures a type
 * @returns a stream that ends at `ClosedError`, and fails with any other error of the source's `poll`
 * @throws TypeError when `from` is not a source
 * @see `Stream.runIntoQueue`, `Stream.toPubSub` (effect 4), to pass the values on
 * @example
 * ```ts
 * import { Effect, Stream } from 'effect';
 *
 * const [tx, rx] = watch('starting');
 * tx.send('ready');
 * tx.close();
 * const states = Stream.runForEach(streamFromSource(rx), (state) => Effect.sync(() => console.log(state)));
 * await runEffect(states); // => ready
 * ```
 */
export function streamFromSource<T, E = unknown>(from: Source<T>, options: CatchOptions<E> = {}): Stream.Stream<T, E> {
  checkSource('streamFromSource', from);
  checkOptions('streamFromSource', options, ['catch']);
  const failure = failureWith('streamFromSource', options);
  return streamOf(from, (error) => Effect.suspend(() => Effect.failCause(failure(error))));
}

/**
 * Makes a stream of the values of an mpsc receiver, until its channel is closed and drained.
 *
 * **Timing.** Takes one value for each pull. When the stream is not pulled and the channel is full, senders wait.
 *
 * **Cancel safety.** As {@link streamFromSource}: a value that was not emitted is still in the channel.
 *
 * @param rx the receiver; it stays open, so close it yourself
 * @throws TypeError when `rx` is not a source
 * @see tokio_stream::wrappers::ReceiverStream (tokio-stream 0.1)
 * @example
 * ```ts
 * import { Stream } from 'effect';
 *
 * const [tx, rx] = channel<number>(2);
 * for (const n of [1, 2]) await tx.send(n);
 * tx.close();
 * console.log(await runEffect(Stream.runCollect(streamFromChannel(rx)))); // => [ 1, 2 ]
 * ```
 */
export function streamFromChannel<T>(rx: Receiver<T>): Stream.Stream<T> {
  checkSource('streamFromChannel', rx);
  return streamOf<T, never>(rx, (error) => Effect.die(error));
}

/**
 * Makes a stream of the values of a broadcast receiver, until its channel is closed and drained. Lagging is a typed failure.
 *
 * **Timing.** Takes one value for each pull. Sending never waits, so a stream that pulls too slowly lags.
 *
 * **Cancel safety.** As {@link streamFromSource}. After the failure, the receiver is at the oldest value in the buffer. A
 * stream that is retried continues from there.
 *
 * @param rx the receiver; it stays open, so close it yourself
 * @returns a stream that fails with `LaggedError` once for each gap
 * @throws TypeError when `rx` is not a source
 * @see tokio_stream::wrappers::BroadcastStream (tokio-stream 0.1)
 * @example
 * ```ts
 * import { Effect, Schedule, Stream } from 'effect';
 *
 * const [tx, rx] = broadcast<number>(2);
 * for (const n of [1, 2, 3]) tx.send(n);
 * tx.close();
 * const values = Stream.tapError(streamFromBroadcast(rx), ({ missedCount }) => Effect.sync(() => console.log("missed", missedCount)));
 * console.log(await runEffect(Stream.runCollect(Stream.retry(values, Schedule.recurs(1))))); // => missed 1
 * // => [ 2, 3 ]
 * ```
 */
export function streamFromBroadcast<T>(rx: BroadcastReceiver<T>): Stream.Stream<T, LaggedError> {
  checkSource('streamFromBroadcast', rx);
  return streamOf<T, LaggedError>(rx, (error) =>
    isNamed(error, 'LaggedError') ? Effect.fail(error as LaggedError) : Effect.die(error),
  );
}

function streamOf<T, E>(from: Source<T>, failed: (error: unknown) => Effect.Effect<never, E>): Stream.Stream<T, E> {
  const pull = take<T, readonly [T], E | Cause.Done<void>>(
    () => from[source],
    (value) => Effect.succeed([value]),
    (error) => (isClosedError(error) ? Cause.done() : failed(error)),
  );
  return Stream.fromPull(Effect.succeed(pull)) as Stream.Stream<T, E>;
}
