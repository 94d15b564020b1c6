import { defineHandle } from '@quiesce/internal';
import { type ChannelEnd, handleClosed, isSameChannel } from './channel-end.ts';
import type { ChannelState } from './channel-state.ts';
import type { Ring } from './ring.ts';
import type { BroadcastSender } from './sender.ts';

/**
 * Makes senders of its channel while another one is open. It does not keep the channel open.
 *
 * @see tokio::sync::broadcast::WeakSender (tokio 1.53)
 * @example
 * ```ts
 * const [tx, rx] = broadcast<string>(4);
 * const weak = tx.downgrade();
 * weak.upgrade()?.send('still open');
 * console.log(await rx.recv()); // => still open
 * rx.dispose();
 * ```
 */
export class WeakBroadcastSender<T> implements Disposable {
  /** @internal See `defineHandle`. */
  static readonly completed: object = /* @__PURE__ */ defineHandle(WeakBroadcastSender, {
    name: 'weak',
    owns: (value) => #channel in value,
    dispose: 'dispose',
    facts: ({ strongCount, weakCount }) => ({ strongCount, weakCount }),
  });
  readonly #channel: ChannelState<T>;
  readonly #createSender: () => BroadcastSender<T>;
  /** Set once, by `close`. */
  #isClosed = false;
  /** The same as `dispose`. */
  declare readonly [Symbol.dispose]: () => void;

  /** @internal */
  constructor(channel: ChannelState<T>, createSender: () => BroadcastSender<T>) {
    this.#channel = channel;
    this.#createSender = createSender;
    channel.weakSenders++;
  }

  /**
   * Makes a new sender of the channel, while another one is open.
   *
   * @returns the sender, to be closed like any other, or `undefined` once the last one was closed
   * @throws ClosedError when this weak sender was disposed
   * @see tokio::sync::broadcast::WeakSender::upgrade (tokio 1.53)
   * @example
   * ```ts
   * const [tx, rx] = broadcast<string>(4);
   * const weak = tx.downgrade();
   * const again = weak.upgrade();
   * tx.close();
   * again?.send('still open');
   * console.log(await rx.recv()); // => still open
   * ```
   */
  upgrade(): BroadcastSender<T> | undefined {
    if (this.#isClosed) throw handleClosed('upgrade', 'weak sender', 'disposed');
    return this.#channel.senders === 0 ? undefined : this.#createSender();
  }

  /**
   * Makes another weak sender of the same channel.
   *
   * @throws ClosedError when this weak sender was disposed
   * @see Clone for tokio::sync::broadcast::WeakSender (tokio 1.53)
   */
  clone(): WeakBroadcastSender<T> {
    if (this.#isClosed) throw handleClosed('clone', 'weak sender', 'disposed');
    return new WeakBroadcastSender(this.#channel, this.#createSender);
  }

  /** The number of open senders of this channel. */
  get strongCount(): number {
    return this.#channel.senders;
  }

  /** The number of open weak senders of this channel. */
  get weakCount(): number {
    return this.#channel.weakSenders;
  }

  /** @internal */
  get ring(): Ring<T> {
    return this.#channel;
  }

  /** Returns whether another handle belongs to the same channel. */
  sameChannel(other: ChannelEnd): boolean {
    return isSameChannel(this.#channel, other);
  }

  /**
   * Gives up this weak sender, which changes only the count. Synchronous, idempotent.
   *
   * @see Drop for tokio::sync::broadcast::WeakSender (tokio 1.53)
   */
  dispose(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#channel.weakSenders--;
  }
}
