import { PENDING, type Source, type SourceProtocol, type Waiter, wait } from '@quiesce/cancellation-token';
import { defineHandle, parkOn, unparkFrom } from '@quiesce/internal';
import type { ChannelState } from './channel-state.ts';

/**
 * Waits until a channel has no receiver, as `tx.closed()` returns it. Awaitable, and a `select` branch; its value is
 * `undefined`.
 *
 * **Timing.** Ready while there is no receiver. A new subscriber makes it pending again. An `await` settles it at the call,
 * or inside the `close` of the last receiver.
 *
 * **Cancel safety.** Consumes nothing.
 *
 * @see tokio::sync::broadcast::Sender::closed (tokio 1.53)
 * @example
 * ```ts
 * const [tx, rx] = broadcast<string>(4);
 * const noReceivers = tx.closed();
 * rx.dispose();
 * await noReceivers;
 * console.log(tx.send('too late')); // => 0
 * ```
 */
export class Closed implements PromiseLike<void> {
  /** @internal See `defineHandle`. */
  static readonly completed: object = /* @__PURE__ */ defineHandle(Closed, {
    name: 'wait',
    owns: (value) => #protocol in value,
    source: (wait) => wait.#protocol,
    unguarded: ['then'],
    facts: (wait) => ({ isClosed: wait.#protocol.poll() !== PENDING }),
  });
  readonly #protocol: SourceProtocol<void>;

  /** @internal */
  constructor(channel: ChannelState<unknown>) {
    this.#protocol = {
      once: true,
      poll: () => (channel.receivers === 0 ? undefined : PENDING),
      park: (waiter: Waiter) => parkOn(channel, waiter),
      unpark: (waiter: Waiter) => void unparkFrom(channel, waiter),
    };
  }

  /** Called by `await`; registers one waiter, which stays until there is no receiver. Never rejects. */
  // biome-ignore lint/suspicious/noThenProperty: being awaitable is what this class is for
  then<A = void, B = never>(
    onFulfilled?: ((value: void) => A | PromiseLike<A>) | null,
    onRejected?: ((error: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return wait(this).then(onFulfilled, onRejected);
  }
}

// Declared by merging: isolatedDeclarations allows no computed key but the language's own in a class.
export interface Closed extends Source<void> {}
