import { defineHandle } from '@quiesce/internal';
import { PENDING, type Source, type SourceProtocol, source } from './source.ts';
import { wait } from './wait.ts';

/**
 * The awaitable side of a token; returned by `token.cancelled()`.
 *
 * @see tokio_util::sync::WaitForCancellationFuture (tokio-util 0.7.19)
 * @example
 * ```ts
 * const token = new CancellationToken();
 * const worker = (async () => {
 *   await token.cancelled();
 *   console.log('stops:', token.reason);
 * })();
 * token.cancel('deploy');
 * await worker; // => stops: deploy
 * ```
 */
export class Cancelled implements PromiseLike<void> {
  /** @internal See `defineHandle`. */
  static readonly completed: object = /* @__PURE__ */ defineHandle(Cancelled, {
    name: 'wait',
    owns: (value) => #protocol in value,
    source: (wait) => wait.#protocol,
    unguarded: ['then'],
    facts: (wait) => ({ isCancelled: wait.#protocol.poll() !== PENDING }),
  });
  readonly #protocol: SourceProtocol<unknown>;

  /** @internal */
  constructor(protocol: SourceProtocol<unknown>) {
    this.#protocol = protocol;
  }

  /** Called by `await`. Registers one waiter, which stays until the cancellation. Never rejects. */
  // biome-ignore lint/suspicious/noThenProperty: being awaitable is what this class is for
  then<A = void, B = never>(
    onFulfilled?: ((value: void) => A | PromiseLike<A>) | null,
    onRejected?: ((error: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    const protocol = this[source];
    // `select` gets the reason; `await` gets nothing, as in Tokio. A promise could not carry every reason.
    const silent: SourceProtocol<void> = {
      poll: () => (protocol.poll() === PENDING ? PENDING : undefined),
      park: (waiter) => protocol.park(waiter),
      unpark: (waiter) => protocol.unpark(waiter),
    };
    return wait({ [source]: silent }).then(onFulfilled, onRejected);
  }
}

// Declared by merging: isolatedDeclarations allows no computed key but the language's own in a class.
export interface Cancelled extends Source<unknown> {}
