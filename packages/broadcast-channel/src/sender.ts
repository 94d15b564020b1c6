import { PENDING } from '@quiesce/cancellation-token';
import { defineHandle, misused, refuseThenable } from '@quiesce/internal';
import { type ChannelEnd, handleClosed, isSameChannel } from './channel-end.ts';
import { type ChannelState, closeSender, send } from './channel-state.ts';
import { Closed } from './closed.ts';
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
 * tx.close(); // the last sender: the receivers drain, then end
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
   * **Timing.** Synchronous, never waits: a receiver that is too slow loses its oldest values and is told how many.
   * Receives that wait take the value before this returns; what follows from that runs in microtasks.
   *
   * @param value anything but a thenable, and `PENDING`
   * @returns how many receivers will see it; 0: none, and the value is gone
   * @throws ClosedError when this sender was closed; TypeError when the value is a thenable, or `PENDING`
   * @see tokio::sync::broadcast::Sender::send (tokio 1.53), whose error stands for our 0
   * @example
   * ```ts
   * const [tx, rx] = broadcast<number>(4);
   * console.log(tx.send(1)); // => 1
   * rx.close();
   * console.log(tx.send(2)); // => 0
   * ```
   */
  send(value: T): number {
    if (!BroadcastSender.#owns(this)) throw misused(BroadcastSender.prototype, 'sender', 'send', this);
    if (this.#isClosed) throw handleClosed('send', 'sender');
    refuseThenable(value, 'send');
    if (value === PENDING) throw new TypeError('send: PENDING says that there is no value; wrap it in an object');
    return send(this.#channel, value);
  }

  /**
   * A new receiver, which sees what is sent from now on.
   *
   * @returns the receiver; it revives a channel that had none
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
   * Another sender of the same channel, to be closed on its own.
   *
   * @throws ClosedError when this sender was closed
   * @see Clone for tokio::sync::broadcast::Sender (tokio 1.53)
   */
  clone(): BroadcastSender<T> {
    if (this.#isClosed) throw handleClosed('clone', 'sender');
    return new BroadcastSender(this.#channel);
  }

  /**
   * A handle of the same channel that does not keep it open.
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
    // A function, so that the module of the weak sender does not import this one.
    return new WeakBroadcastSender(this.#channel, () => new BroadcastSender(this.#channel));
  }

  /**
   * Waits until there is no receiver: `await tx.closed()`, or a `select` branch. It works on a sender that was closed, too.
   *
   * **Timing.** Ready while there is none; a new subscriber makes it wait again.
   *
   * @see tokio::sync::broadcast::Sender::closed (tokio 1.53)
   * @example
   * ```ts
   * const [tx, rx] = broadcast<string>(4);
   * const gone = tx.closed().then(() => console.log('nobody listens any more'));
   * rx.close();
   * await gone; // => nobody listens any more
   * ```
   */
  closed(): Closed {
    return new Closed(this.#channel);
  }

  /** How many receivers are open. */
  get receiverCount(): number {
    return this.#channel.receivers;
  }

  /** How many senders of this channel are open. */
  get strongCount(): number {
    return this.#channel.senders;
  }

  /** How many weak senders of this channel are open. */
  get weakCount(): number {
    return this.#channel.weakSenders;
  }

  /** How many values are kept for the slowest receiver; at most the capacity. */
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

  /** Whether a handle, of any kind, is of the same channel. */
  sameChannel(other: ChannelEnd): boolean {
    return isSameChannel(this.#channel, other);
  }

  /**
   * Closes this sender; the last one of a channel closes the channel: receivers drain it and then get `ClosedError`.
   * Synchronous, idempotent.
   *
   * @see Drop for tokio::sync::broadcast::Sender (tokio 1.53)
   */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    closeSender(this.#channel);
  }
}
