import { Awaitable } from '@quiesce/cancellation-token/internal';
import { checkKind, defineHandle, misused } from '@quiesce/internal';
import type { ChannelState } from './channel-state.ts';
import { handleClosed, SendError } from './errors.ts';
import { refuseUnsendable } from './settle.ts';
import { WeakSender } from './weak-sender.ts';

/**
 * Sends values to the receiver of its channel, and never waits.
 *
 * @see tokio::sync::mpsc::UnboundedSender (tokio 1.53)
 * @example
 * ```ts
 * const [tx, rx] = unboundedChannel<number>();
 * for (let n = 0; n < 1_000; n++) tx.send(n);
 * console.log(rx.length, await rx.recv()); // => 1000 0
 * ```
 */
export class UnboundedSender<T> implements Disposable {
  /** @internal See `defineHandle`. */
  static readonly completed: object = /* @__PURE__ */ defineHandle(UnboundedSender, {
    name: 'sender',
    dispose: 'close',
    unguarded: ['send'],
    owns: (value) => UnboundedSender.#owns(value),
    facts: ({ isClosed, strongCount }) => ({ isClosed, strongCount }),
  });
  /** A proxy has no private field. */
  static #owns(value: object): boolean {
    return #isClosed in Object(value);
  }
  readonly #channel: ChannelState<T>;
  /** Set once, by `close`. */
  #isClosed = false;
  /** The same as `close`. */
  declare readonly [Symbol.dispose]: () => void;

  /** @internal */
  constructor(channel: ChannelState<T>) {
    this.#channel = channel;
    channel.senders++;
  }

  /**
   * Sends a value.
   *
   * **Timing.** Synchronous: a receive that waits has taken the value when this returns.
   *
   * @param value anything except a thenable
   * @throws {@link SendError} with the value when the receiver is closed; `ClosedError` when this sender was closed;
   *   TypeError when the value is a thenable
   * @see tokio::sync::mpsc::UnboundedSender::send (tokio 1.53)
   */
  send(value: T): void {
    if (!UnboundedSender.#owns(this)) throw misused(UnboundedSender.prototype, 'sender', 'send', this);
    // First, since it may run a getter, which may close the channel.
    refuseUnsendable(value, 'send');
    if (this.#isClosed) throw handleClosed('send', 'sender');
    if (this.#channel.isClosed) throw new SendError(value);
    this.#channel.push(value);
  }

  /**
   * Makes another sender of the same channel, which is closed separately.
   *
   * @throws ClosedError when this sender was closed
   */
  clone(): UnboundedSender<T> {
    if (this.#isClosed) throw handleClosed('clone', 'sender');
    return new UnboundedSender(this.#channel);
  }

  /**
   * Makes a weak sender, which does not keep the channel open.
   *
   * @throws ClosedError when this sender was closed
   * @see tokio::sync::mpsc::UnboundedSender::downgrade (tokio 1.53)
   */
  downgrade(): WeakSender<UnboundedSender<T>> {
    if (this.#isClosed) throw handleClosed('downgrade', 'sender');
    return new WeakSender(this.#channel as ChannelState<never>, () => new UnboundedSender(this.#channel));
  }

  /** Waits until the receiver is closed: await it, or make it a branch of `select`. Each `await` parks a waiter until then. */
  closed(): Awaitable<void> {
    return new Awaitable(this.#channel.closing);
  }

  /** Whether the receiver was closed or disposed. */
  get isClosed(): boolean {
    return this.#channel.isClosed;
  }

  /** The number of open senders. */
  get strongCount(): number {
    return this.#channel.senders;
  }

  /** The number of open weak senders. */
  get weakCount(): number {
    return this.#channel.weakSenders;
  }

  /** @internal */
  get channel(): ChannelState<T> {
    return this.#channel;
  }

  /** Returns whether both send to the same receiver. */
  sameChannel(other: UnboundedSender<T>): boolean {
    checkKind(other?.channel !== undefined, 'sameChannel', 'a sender', other);
    return this.#channel === other.channel;
  }

  /** Closes this sender. After the last sender is closed, the receiver drains the channel. Synchronous, idempotent. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#channel.removeSender();
  }
}
