import { PENDING } from '@quiesce/cancellation-token';
import { Awaitable, Condition } from '@quiesce/cancellation-token/internal';
import { defineHandle, misused, refuseThenable } from '@quiesce/internal';
import { type ChannelEnd, handleClosed, isSameChannel } from './channel-end.ts';
import { type ChannelState, closeSender, send } from './channel-state.ts';
import { BroadcastReceiver } from './receiver.ts';
import { oldestUnread, type Ring } from './ring.ts';
import { WeakBroadcastSender } from './weak-sender.ts';

/**
 * Sends values to all receivers of its channel. The channel closes when its last sender is closed.
 *
 * @see tokio::sync::broadcast::Sender (tokio 1.53)
 * @example
 * ```ts
 * const [tx, rx] = broadcast<string>(4);
 * const late = tx.subscribe();
 * console.log(tx.send('hello'), tx.receiverCount); // => 2 2
 * console.log(await rx.recv(), await late.recv()); // => hello hello
 * tx.close(); // the last sender: the receivers drain the channel and then get ClosedError
 * console.log(rx.tryRecv()); // => { ok: false, why: 'closed' }
 * ```
 */
export class BroadcastSender<T> implements Disposable {
  /** @internal See `defineHandle`. */
  static readonly completed: object = /* @__PURE__ */ defineHandle(BroadcastSender, {
    name: 'sender',
    dispose: 'close',
    unguarded: ['send'],
    owns: (value) => BroadcastSender.#owns(value),
    facts: ({ length, receiverCount, strongCount }) => ({ length, receiverCount, strongCount }),
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
   * Sends a value to every receiver that is open now.
   *
   * **Timing.** Synchronous, never waits. A receiver that is too slow loses its oldest values and gets their number.
   * Receives that wait take the value before this returns; their callers continue in microtasks.
   *
   * @param value anything except a thenable and `PENDING`
   * @returns the number of receivers that will see it. With 0, the value is gone
   * @throws ClosedError when this sender was closed; TypeError when the value is a thenable, or `PENDING`
   * @see tokio::sync::broadcast::Sender::send (tokio 1.53), which returns an error where this returns 0
   * @example
   * ```ts
   * const [tx, rx] = broadcast<number>(4);
   * console.log(tx.send(1)); // => 1
   * rx.dispose();
   * console.log(tx.send(2)); // => 0
   * ```
   */
  send(value: T): number {
    if (!BroadcastSender.#owns(this)) throw misused(BroadcastSender.prototype, 'sender', 'send', this);
    if (this.#isClosed) throw handleClosed('send', 'sender');
    refuseThenable(value, 'send');
    if (value === PENDING) throw new TypeError('send: PENDING means that there is no value; wrap it in an object');
    return send(this.#channel, value);
  }

  /**
   * Makes a new receiver, which sees all later values.
   *
   * @returns the receiver. It revives a channel that had none
   * @throws ClosedError when this sender was closed
   * @see tokio::sync::broadcast::Sender::subscribe (tokio 1.53)
   * @example
   * ```ts
   * const tx = broadcast.sender<string>(4);
   * const rx = tx.subscribe();
   * tx.send('hello');
   * console.log(await rx.recv()); // => hello
   * ```
   */
  subscribe(): BroadcastReceiver<T> {
    if (this.#isClosed) throw handleClosed('subscribe', 'sender');
    return new BroadcastReceiver(this.#channel);
  }

  /**
   * Makes another sender of the same channel, which is closed separately.
   *
   * @throws ClosedError when this sender was closed
   * @see Clone for tokio::sync::broadcast::Sender (tokio 1.53)
   */
  clone(): BroadcastSender<T> {
    if (this.#isClosed) throw handleClosed('clone', 'sender');
    return new BroadcastSender(this.#channel);
  }

  /**
   * Makes a weak sender, which does not keep the channel open.
   *
   * @throws ClosedError when this sender was closed
   * @see tokio::sync::broadcast::Sender::downgrade (tokio 1.53)
   * @example
   * ```ts
   * const [tx] = broadcast<string>(4);
   * const weak = tx.downgrade();
   * console.log(weak.strongCount, weak.weakCount); // => 1 1
   * tx.close();
   * console.log(weak.upgrade()); // => undefined
   * ```
   */
  downgrade(): WeakBroadcastSender<T> {
    if (this.#isClosed) throw handleClosed('downgrade', 'sender');
    // Passed as a function, so that the module of the weak sender does not import this one.
    return new WeakBroadcastSender(this.#channel, () => new BroadcastSender(this.#channel));
  }

  /**
   * Waits until there is no receiver: await it, or use it as a `select` branch. It also works on a closed sender.
   *
   * **Timing.** Ready while there is no receiver. A new subscriber makes it pending again.
   *
   * @see tokio::sync::broadcast::Sender::closed (tokio 1.53)
   * @example
   * ```ts
   * const [tx, rx] = broadcast<string>(4);
   * const gone = tx.closed().then(() => console.log('no receiver is left'));
   * rx.dispose();
   * await gone; // => no receiver is left
   * ```
   */
  closed(): Awaitable<void> {
    const channel = this.#channel;
    return new Awaitable(new Condition(() => channel.receivers === 0, channel));
  }

  /** The number of open receivers. */
  get receiverCount(): number {
    return this.#channel.receivers;
  }

  /** The number of open senders of this channel. */
  get strongCount(): number {
    return this.#channel.senders;
  }

  /** The number of open weak senders of this channel. */
  get weakCount(): number {
    return this.#channel.weakSenders;
  }

  /** The number of values kept for the slowest receiver, at most the capacity. */
  get length(): number {
    const ring = this.#channel;
    return ring.tail - oldestUnread(ring);
  }

  /** Whether every receiver has read everything. */
  get isEmpty(): boolean {
    return this.length === 0;
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
   * Closes this sender. The last one closes the channel: receivers drain it and then get `ClosedError`. Synchronous,
   * idempotent.
   *
   * @see Drop for tokio::sync::broadcast::Sender (tokio 1.53)
   */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    closeSender(this.#channel);
  }
}
