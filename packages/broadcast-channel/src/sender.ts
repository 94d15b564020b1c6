import { ClosedError } from '@quiesce/cancellation-token';
import { defineDispose, refuseThenable } from '@quiesce/internal';
import { Receiver } from './receiver.ts';
import { backlog, close, type Ring, send } from './ring.ts';

/**
 * Sends values to all receivers of its channel. The channel closes when its last sender is closed.
 *
 * @see tokio::sync::broadcast::Sender (tokio 1.53)
 */
export class Sender<T> implements Disposable {
  /** @internal */
  readonly ring: Ring<T>;
  /** Set once, by `close`. */
  #isClosed = false;
  /** The same as `close`. */
  declare readonly [Symbol.dispose]: () => void;

  /** @internal */
  constructor(ring: Ring<T>) {
    this.ring = ring;
    ring.senders++;
  }

  /**
   * Sends a value to every receiver that is open now.
   *
   * **Timing.** Synchronous, never waits: a receiver that is too slow loses its oldest values and is told how many.
   * Receives that wait take the value before this returns; what follows from that runs in microtasks.
   *
   * @param value anything but a thenable
   * @returns how many receivers will see it; 0: none, and the value is gone
   * @throws ClosedError when this sender was closed; TypeError when the value is a thenable
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
    this.#check('send');
    refuseThenable(value, 'send');
    return send(this.ring, value);
  }

  /**
   * A new receiver, which sees what is sent from now on.
   *
   * @throws ClosedError when this sender was closed
   * @see tokio::sync::broadcast::Sender::subscribe (tokio 1.53)
   */
  subscribe(): Receiver<T> {
    this.#check('subscribe');
    return new Receiver(this.ring);
  }

  /**
   * Another sender of the same channel, to be closed on its own.
   *
   * @throws ClosedError when this sender was closed
   */
  clone(): Sender<T> {
    this.#check('clone');
    return new Sender(this.ring);
  }

  /** How many receivers are open. */
  get receiverCount(): number {
    return this.ring.receivers;
  }

  /** How many values are kept for the slowest receiver; at most the capacity. */
  get length(): number {
    return backlog(this.ring);
  }

  /** Whether every receiver has read everything. */
  get isEmpty(): boolean {
    return this.length === 0;
  }

  /**
   * Closes this sender; the last one of a channel closes the channel: receivers drain it and then get `ClosedError`.
   * Synchronous, idempotent.
   */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.ring.senders--;
    if (this.ring.senders === 0) close(this.ring);
  }

  #check(call: string): void {
    if (this.#isClosed) throw new ClosedError(`${call}: this sender was closed; clone it before closing to keep one`);
  }
}
defineDispose(Sender.prototype, 'close');
