import { ClosedError, PENDING } from '@quiesce/cancellation-token';
import { checkKind, defineHandle, misused, refuseThenable } from '@quiesce/internal';
import { Closed } from './closed.ts';
import type { ChannelEnd } from './handle.ts';
import { BroadcastReceiver } from './receiver.ts';
import { closeSender, oldestUnread, type Ring, send } from './ring.ts';
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
  readonly #ring: Ring<T>;
  /** Set once, by `close`. */
  #isClosed = false;
  /** The same as `close`. */
  declare readonly [Symbol.dispose]: () => void;

  /** @internal */
  constructor(ring: Ring<T>) {
    this.#ring = ring;
    ring.senders++;
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
    this.#check('send');
    refuseThenable(value, 'send');
    if (value === PENDING) throw new TypeError('send: PENDING says that there is no value; wrap it in an object');
    return send(this.#ring, value);
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
    this.#check('subscribe');
    return new BroadcastReceiver(this.#ring);
  }

  /**
   * Another sender of the same channel, to be closed on its own.
   *
   * @throws ClosedError when this sender was closed
   * @see Clone for tokio::sync::broadcast::Sender (tokio 1.53)
   */
  clone(): BroadcastSender<T> {
    this.#check('clone');
    return new BroadcastSender(this.#ring);
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
    this.#check('downgrade');
    // A function, so that the module of the weak sender does not import this one.
    return new WeakBroadcastSender(this.#ring, () => new BroadcastSender(this.#ring));
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
    return new Closed(this.#ring);
  }

  /** How many receivers are open. */
  get receiverCount(): number {
    return this.#ring.receivers;
  }

  /** How many senders of this channel are open. */
  get strongCount(): number {
    return this.#ring.senders;
  }

  /** How many weak senders of this channel are open. */
  get weakCount(): number {
    return this.#ring.weakSenders;
  }

  /** How many values are kept for the slowest receiver; at most the capacity. */
  get length(): number {
    return this.#ring.tail - oldestUnread(this.#ring);
  }

  /** Whether every receiver has read everything. */
  get isEmpty(): boolean {
    return this.length === 0;
  }

  /** @internal */
  get ring(): Ring<T> {
    return this.#ring;
  }

  /** Whether a handle, of any kind, is of the same channel. */
  sameChannel(other: ChannelEnd): boolean {
    checkKind(other?.ring !== undefined, 'sameChannel', 'a sender or receiver', other);
    return other.ring === this.#ring;
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
    closeSender(this.#ring);
  }

  #check(call: string): void {
    if (this.#isClosed) throw new ClosedError(`${call}: this sender was closed; clone it before closing to keep one`);
  }
}
