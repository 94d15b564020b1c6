import type { BroadcastReceiver, LaggedError } from '@quiesce/broadcast-channel';
import { isClosedError, type Source, source } from '@quiesce/cancellation-token';
import type { Receiver } from '@quiesce/channel';
import { checkOptions, isNamed } from '@quiesce/internal';
import { Cause, Effect, Stream } from 'effect';
import { checkSource } from './effect-from-source.ts';
import { type CatchOptions, failureWith } from './effect-from-work.ts';
import { take } from './take.ts';

/**
 * A stream of a source's values, until it is closed: a receiver, an interval, a watch.
 *
 * **Timing.** Takes one value for each that is pulled, and no more ahead: backpressure is that of the source. Values are
 * taken as in {@link effectFromSource}.
 *
 * **Cancel safety.** A stream that is left, or interrupted, has taken what it emitted and nothing else; what a stage behind it
 * has in hand then is lost with the stage. The source stays open, and is the caller's to close; a stream that is run again
 * goes on where it stopped.
 *
 * @param from the source; one that has one value only, such as a token, gives it again and again
 * @param options `catch` gives the failures a type
 * @returns ends at `ClosedError`; fails with whatever else the source's `poll` throws
 * @throws TypeError when `from` is no source
 * @see `Stream.runIntoQueue`, `Stream.toPubSub` (effect 4), for the way on
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
 * A stream of what an mpsc receiver receives, until its channel is closed and drained.
 *
 * **Timing.** Takes one value for each that is pulled: senders wait while nobody pulls.
 *
 * **Cancel safety.** As {@link streamFromSource}: what was not emitted is still in the channel.
 *
 * @param rx the receiver, which stays open, and the caller's
 * @throws TypeError when `rx` is no source
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
 * A stream of what a broadcast receiver sees, until its channel is closed and drained; falling behind is a typed failure.
 *
 * **Timing.** Takes one value for each that is pulled. Sending never waits: who pulls too slowly lags.
 *
 * **Cancel safety.** As {@link streamFromSource}. After the failure the receiver stands at the oldest value kept, so a
 * stream that is retried goes on from there.
 *
 * @param rx the receiver, which stays open, and the caller's
 * @returns fails with `LaggedError`, once for each gap
 * @throws TypeError when `rx` is no source
 * @see tokio_stream::wrappers::BroadcastStream (tokio-stream 0.1)
 * @example
 * ```ts
 * import { Effect, Schedule, Stream } from 'effect';
 *
 * const [tx, rx] = broadcast<number>(2);
 * for (const n of [1, 2, 3]) tx.send(n);
 * tx.close();
 * const values = Stream.tapError(streamFromBroadcast(rx), ({ missed }) => Effect.sync(() => console.log('missed', missed)));
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
