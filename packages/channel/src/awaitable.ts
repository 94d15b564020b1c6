import { PENDING, type Source, type SourceProtocol, type Waiter, wait } from '@quiesce/cancellation-token';
import { defineHandle, parkOn, unparkFrom, type WaiterItem, type WaiterList } from '@quiesce/internal';

/**
 * A wait that can be awaited, and be a branch of `select`: for permits, for a notification, or for the end of the other side.
 *
 * **Timing.** Nothing happens until something waits for it. The first poll that finds it ready takes the answer,
 * synchronously. All waits for this object get the same answer, as with a promise.
 *
 * **Cancel safety.** When it loses in `select`, it has taken nothing and has left its queue.
 *
 * @example
 * ```ts
 * const [tx, rx] = channel<string>(1);
 * const room = tx.reserve(); // an Awaitable: nothing happens until something waits for it
 * (await room).send('hello');
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

/** A condition as a source. The code that makes it true calls `wakeAll`. */
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
