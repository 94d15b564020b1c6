import type { Source, SourceProtocol } from '@quiesce/cancellation-token';
import { checkKind, checkOptions, defineHandle } from '@quiesce/internal';
import { Context, Stream } from 'effect';
import { StreamPuller } from './stream-puller.ts';

/**
 * A stream that runs on demand, as a source for `select` and `wait`. Dispose it when you no longer need it.
 *
 * **Cancel safety.** A branch that loses has taken nothing. A value that arrives later stays for the next poll.
 * @example
 * ```ts
 * import { Stream } from 'effect';
 *
 * const numbers = sourceFromStream(Stream.make(1, 2));
 * const next = await select({ number: numbers, late: sleep(60_000) });
 * console.log(next.branch, next.value); // => number 1
 * await numbers.dispose();
 * ```
 */
export class StreamSource<A> implements AsyncDisposable {
  /** @internal See `defineHandle`. */
  static readonly completed: object = /* @__PURE__ */ defineHandle(StreamSource, {
    name: 'source',
    owns: (value) => #puller in value,
    source: (stream) => stream.#puller,
    asyncDispose: 'dispose',
    facts: () => ({}),
  });
  readonly #puller: SourceProtocol<A> & { close(): Promise<void> };
  /** The same as `dispose`. */
  declare readonly [Symbol.asyncDispose]: () => Promise<void>;

  /** @internal */
  constructor(puller: StreamPuller<A>) {
    this.#puller = puller;
  }

  /**
   * Ends the stream: interrupts a running pull, runs the finalizers, and drops values that were pulled and not taken.
   *
   * **Timing.** Settles when every finalizer has run. Further calls return the same promise.
   *
   * @throws (rejects) the failure of a finalizer or of a running pull; a failure of the stream that no poll has thrown yet
   */
  dispose(): Promise<void> {
    return this.#puller.close();
  }
}

// Declared by merging: isolatedDeclarations allows no computed key but the language's own in a class.
export interface StreamSource<A> extends Source<A> {}

/** Options for `sourceFromStream` when the stream needs services. */
export interface StreamContext<R> {
  /** The services, such as `Effect.context()` returns. */
  readonly context: Context.Context<R>;
}

/**
 * Makes a source from a stream, for use as a branch of `select` or `selectEach`. It has many values.
 *
 * **Timing.** The stream does not start before the first poll. A poll or a park pulls the next chunk when the buffer is empty.
 * The stream is therefore never more than one chunk ahead, and back pressure is kept.
 *
 * **Cancel safety.** A branch that loses has taken nothing. The pull continues, and its values stay for the next poll.
 *
 * @param stream the stream; when it needs services, `options.context` has them
 * @returns a source of its values, then `ClosedError`. A failure is thrown once, as {@link errorFromCause} returns it. Close
 *   the source, for example with `await using`
 * @see `Stream.toAsyncIterable` (effect 4), whose `next` cannot be cancelled
 * @example
 * ```ts
 * import { Stream } from 'effect';
 *
 * const numbers = sourceFromStream(Stream.make(1, 2));
 * for await (const { value } of selectEach({ numbers })) console.log(value);
 * // => 1
 * // => 2
 * await numbers.dispose();
 * ```
 */
export function sourceFromStream<A, E>(stream: Stream.Stream<A, E>): StreamSource<A>;
export function sourceFromStream<A, E, R>(stream: Stream.Stream<A, E, R>, options: StreamContext<R>): StreamSource<A>;
export function sourceFromStream<A, E, R>(
  stream: Stream.Stream<A, E, R>,
  options: { readonly context?: Context.Context<R> } = {},
): StreamSource<A> {
  checkKind(Stream.isStream(stream), 'sourceFromStream', 'a Stream', stream);
  checkOptions('sourceFromStream', options, ['context']);
  const context = options.context ?? Context.empty();
  return new StreamSource(new StreamPuller(stream as Stream.Stream<A, E>, context as Context.Context<never>));
}
