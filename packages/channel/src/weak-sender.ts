import { defineHandle } from '@quiesce/internal';
import type { ChannelState } from './channel-state.ts';
import { handleClosed } from './errors.ts';

/**
 * Makes senders of a channel without keeping it open.
 *
 * @see tokio::sync::mpsc::WeakSender (tokio 1.53)
 * @example
 * ```ts
 * const [tx, rx] = channel<string>(1);
 * const weak = tx.downgrade();
 * weak.upgrade()?.close();
 * tx.close();
 * console.log(weak.upgrade(), rx.tryRecv()); // => undefined { ok: false, why: 'closed' }
 * ```
 */
export class WeakSender<S> implements Disposable {
  /** @internal See `defineHandle`. */
  static readonly completed: object = /* @__PURE__ */ defineHandle(WeakSender, {
    name: 'weak',
    owns: (value) => #channel in value,
    dispose: 'dispose',
    facts: ({ strongCount, weakCount }) => ({ strongCount, weakCount }),
  });
  readonly #channel: ChannelState<never>;
  readonly #createSender: () => S;
  /** Set once, by `close`. */
  #isClosed = false;
  /** The same as `dispose`. */
  declare readonly [Symbol.dispose]: () => void;

  /** @internal */
  constructor(channel: ChannelState<never>, createSender: () => S) {
    this.#channel = channel;
    this.#createSender = createSender;
    channel.weakSenders++;
  }

  /**
   * Makes a sender of the channel, while there is another one or a permit is out.
   *
   * @returns the sender, or `undefined` once the last sender was closed and the last permit was used or released
   * @throws ClosedError when this weak sender was disposed
   * @see tokio::sync::mpsc::WeakSender::upgrade (tokio 1.53)
   */
  upgrade(): S | undefined {
    if (this.#isClosed) throw handleClosed('upgrade', 'weak sender', 'disposed');
    return this.#channel.isSendable ? this.#createSender() : undefined;
  }

  /**
   * Makes another weak sender, which is closed separately.
   *
   * @throws ClosedError when this weak sender was disposed
   */
  clone(): WeakSender<S> {
    if (this.#isClosed) throw handleClosed('clone', 'weak sender', 'disposed');
    return new WeakSender(this.#channel, this.#createSender);
  }

  /** The number of open senders. */
  get strongCount(): number {
    return this.#channel.senders;
  }

  /** The number of open weak senders. */
  get weakCount(): number {
    return this.#channel.weakSenders;
  }

  /** Gives up this weak sender, which changes only `weakCount`. Synchronous, idempotent. */
  dispose(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#channel.weakSenders--;
  }
}
