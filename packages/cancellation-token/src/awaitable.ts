import { defineHandle } from '@quiesce/internal';
import type { Source, SourceProtocol } from './source.ts';
import { Wait } from './wait.ts';

/**
 * The result of a method that waits, such as `token.cancelled()` or `lock.acquire()`. You can await it, and use it as a `select`
 * branch. `T` is the value of the `await`, and `V` that of the branch, where the two differ.
 *
 * It stands for a future of Rust. Unlike a promise, it does nothing until something waits for it.
 *
 * **Timing.** A value that is ready is taken synchronously, when an `await` begins or a `select` polls. Each `await` registers
 * a waiter until the value arrives.
 *
 * **Cancel safety.** A branch that loses has taken nothing and has left its queue. You can wait for it again.
 *
 * @see std::future::Future (Rust 1.93)
 * @example
 * ```ts
 * const token = new CancellationToken();
 * const stopped = token.cancelled();
 * token.cancel('deploy');
 * console.log(await select({ stopped })); // => { branch: 'stopped', value: 'deploy' }
 * await stopped.finally(() => console.log('cleaned up')); // => cleaned up
 * ```
 */
export class Awaitable<T, V = T> implements PromiseLike<T> {
  /** @internal See `defineHandle`. */
  static readonly completed: object = /* @__PURE__ */ defineHandle(Awaitable, {
    name: 'wait',
    owns: (value) => #protocol in value,
    source: (wait) => wait.#protocol,
    // Read and not polled: a poll may take a value.
    facts: (wait) => ({ isReady: wait.#protocol.isReady ?? wait.#protocol.isCancelled }),
  });
  readonly #protocol: SourceProtocol<V> & { readonly isReady?: boolean; readonly isCancelled?: boolean };
  /** @internal Whether an `await` gives `undefined`, whatever the value of a branch is. */
  readonly isSilent: true | undefined;

  /** @internal */
  constructor(protocol: SourceProtocol<V>, isSilent?: true) {
    this.#protocol = protocol;
    this.isSilent = isSilent;
  }

  /** Called by `await`. */
  // biome-ignore lint/suspicious/noThenProperty: being awaitable is what this class is for
  then<A = T, B = never>(
    onFulfilled?: ((value: T) => A | PromiseLike<A>) | null,
    onRejected?: ((error: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    const waiting = new Wait<unknown>(this.#protocol);
    if (this.isSilent) waiting.resolve = waiting.resolve.bind(waiting, undefined);
    return (waiting.start() as Promise<T>).then(onFulfilled, onRejected);
  }

  /** Works as a promise's `catch`. */
  catch<B = never>(onRejected?: ((error: unknown) => B | PromiseLike<B>) | null): Promise<T | B> {
    return this.then(undefined, onRejected);
  }

  /** Works as a promise's `finally`. */
  finally(onFinally?: (() => void) | null): Promise<T> {
    return this.then().finally(onFinally);
  }
}

// Declared by merging: isolatedDeclarations allows no computed key but the language's own in a class.
export interface Awaitable<T, V = T> extends Source<V> {}
