import { PENDING, type Source, type SourceProtocol, type Waiter, wait } from '@quiesce/cancellation-token';
import { defineHandle, parkOn, unparkFrom, type WaiterItem, type WaiterList } from '@quiesce/internal';

/**
 * Something that can be awaited, and be a branch of `select`: a place in a line, or the end of the other side.
 *
 * **Timing.** Nothing happens until somebody waits for it. Its answer is taken synchronously by whoever asks first, and
 * is the same for everybody who waits for this object, as with a promise.
 *
 * **Cancel safety.** Whoever loses it in `select` has taken nothing, and has given its place up.
 * @example
 * ```ts
 * const [tx, rx] = channel<string>(1);
 * const place = tx.reserve(); // an Awaitable: nothing happens until somebody waits for it
 * (await place).send('hello');
 * console.log(await rx.recv()); // => hello
 * ```
 */
export class Awaitable<T> implements PromiseLike<T> {
  /** @internal See `defineHandle`. */
  static readonly described: object = /* @__PURE__ */ defineHandle(Awaitable, {
    name: 'wait',
    owns: (value) => #protocol in value,
    source: (wait) => wait.#protocol,
    unguarded: ['then'],
    facts: () => ({}),
  });
  readonly #protocol: SourceProtocol<T>;

  /** @internal */
  constructor(protocol: SourceProtocol<T>) {
    this.#protocol = protocol;
  }

  /** Called by `await`. */
  // biome-ignore lint/suspicious/noThenProperty: being awaitable is what this class is for
  then<A = T, B = never>(
    onFulfilled?: ((value: T) => A | PromiseLike<A>) | null,
    onRejected?: ((error: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return wait(this).then(onFulfilled, onRejected);
  }
}

// Declared by merging: isolatedDeclarations allows no computed key but the language's own in a class.
export interface Awaitable<T> extends Source<T> {}

/** That something is the case, as a source. Whoever makes it so calls `wakeAll`. */
export class Condition implements SourceProtocol<void>, WaiterList {
  head: WaiterItem | undefined = undefined;
  readonly once = true;
  readonly #isMet: () => boolean;

  constructor(isMet: () => boolean) {
    this.#isMet = isMet;
  }

  poll(): undefined | typeof PENDING {
    return this.#isMet() ? undefined : PENDING;
  }

  park(waiter: Waiter): void {
    parkOn(this, waiter);
  }

  unpark(waiter: Waiter): void {
    unparkFrom(this, waiter);
  }
}
