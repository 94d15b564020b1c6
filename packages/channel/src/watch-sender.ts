import { ClosedError } from '@quiesce/cancellation-token';
import { checkFunction, checkKind, defineHandle, misused } from '@quiesce/internal';
import { Awaitable } from './awaitable.ts';
import { refuseUnsendable } from './settle.ts';
import { WatchReceiver } from './watch-receiver.ts';
import { View, type Watched } from './watched.ts';

/**
 * Changes the value that all receivers see.
 *
 * **Timing.** Every change is synchronous: who waits for it has been woken when the call returns; inside of a wake-up (in
 * the predicate of a `waitFor`, say) when the change that is under way has been told to all.
 *
 * @see tokio::sync::watch::Sender (tokio 1.53)
 * @example
 * ```ts
 * const [tx, rx] = watch(1);
 * tx.send(2);
 * tx.send(3); // who looks late sees the latest value alone
 * console.log(await rx.changed()); // => 3
 * tx.close();
 * ```
 */
export class WatchSender<T> implements Disposable {
  /** @internal See `defineHandle`. */
  static readonly completed: object = /* @__PURE__ */ defineHandle(WatchSender, {
    name: 'sender',
    dispose: 'close',
    unguarded: ['send', 'borrow'],
    owns: (value) => WatchSender.#owns(value),
    facts: ({ isClosed, receiverCount, senderCount }) => ({ isClosed, receiverCount, senderCount }),
  });
  /** A proxy has no private field. */
  static #owns(value: object): boolean {
    return #isClosed in Object(value);
  }
  readonly #shared: Watched<T>;
  /** Set once, by `close`. */
  #isClosed = false;
  /** The same as `close`. */
  declare readonly [Symbol.dispose]: () => void;

  /** @internal */
  constructor(shared: Watched<T>) {
    this.#shared = shared;
    shared.senders++;
  }

  /**
   * Replaces the value, if anybody watches.
   *
   * @param value anything but a thenable
   * @returns whether it was stored; `false`: there is no receiver, and the value is as before (`sendReplace` stores always)
   * @throws ClosedError when this sender was closed; TypeError when the value is a thenable
   * @see tokio::sync::watch::Sender::send (tokio 1.53)
   */
  send(value: T): boolean {
    if (!WatchSender.#owns(this)) throw misused(WatchSender.prototype, 'sender', 'send', this);
    const isWatched = this.#shared.receivers > 0;
    if (isWatched) this.sendReplace(value);
    else this.#check('send', value);
    return isWatched;
  }

  /**
   * Replaces the value, whether or not anybody watches.
   *
   * @param value anything but a thenable
   * @returns the value before
   * @throws ClosedError when this sender was closed; TypeError when the value is a thenable
   * @see tokio::sync::watch::Sender::send_replace (tokio 1.53)
   */
  sendReplace(value: T): T {
    this.#check('send', value);
    const before = this.#shared.value;
    this.#shared.set(value);
    return before;
  }

  /**
   * Replaces the value by one that is made from it, and tells everybody, also if it is the same.
   *
   * @param modify gets the value and returns the new one: the same object, if it has changed that
   * @throws what `modify` throws, and then nothing has changed; ClosedError when this sender was closed; TypeError when
   *   the result is a thenable, or `modify` has itself sent a value, which then stays
   * @see tokio::sync::watch::Sender::send_modify (tokio 1.53)
   */
  sendModify(modify: (value: T) => T): void {
    this.#shared.set(this.#modified('sendModify', modify));
  }

  /**
   * Replaces the value by one that is made from it, and tells everybody only if it is not the same (`Object.is`).
   *
   * @param modify gets the value and returns the new one
   * @returns whether it was another one
   * @throws as `sendModify`
   * @see tokio::sync::watch::Sender::send_if_modified (tokio 1.53)
   * @example
   * ```ts
   * const [tx, rx] = watch(1);
   * console.log(tx.sendIfModified((n) => Math.max(n, 1)), rx.hasChanged()); // => false false
   * console.log(tx.sendIfModified((n) => n + 1), rx.borrow()); // => true 2
   * ```
   */
  sendIfModified(modify: (value: T) => T): boolean {
    const value = this.#modified('sendIfModified', modify);
    const isModified = !Object.is(value, this.#shared.value);
    if (isModified) this.#shared.set(value);
    return isModified;
  }

  #modified(call: string, modify: (value: T) => T): T {
    this.#check(call);
    checkFunction(call, modify);
    const { version } = this.#shared;
    const value = modify(this.#shared.value);
    this.#check(call, value);
    if (version !== this.#shared.version) {
      throw new TypeError(`${call}: the function has itself sent a value; what it returned would overwrite that`);
    }
    return value;
  }

  /** The value. */
  borrow(): T {
    if (!WatchSender.#owns(this)) throw misused(WatchSender.prototype, 'sender', 'borrow', this);
    return this.#shared.value;
  }

  /**
   * Another receiver, which has seen the value as it is now.
   *
   * @throws ClosedError when this sender was closed
   * @see tokio::sync::watch::Sender::subscribe (tokio 1.53)
   */
  subscribe(): WatchReceiver<T> {
    this.#check('subscribe');
    return new WatchReceiver(new View(this.#shared, this.#shared.version));
  }

  /**
   * Another sender of the same value, to be closed on its own.
   *
   * @throws ClosedError when this sender was closed
   */
  clone(): WatchSender<T> {
    this.#check('clone');
    return new WatchSender(this.#shared);
  }

  /**
   * That nobody watches: await it, or make it a branch of `select`. Each `await` leaves a waiter until then.
   *
   * @see tokio::sync::watch::Sender::closed (tokio 1.53)
   */
  closed(): Awaitable<void> {
    return new Awaitable(this.#shared.unwatched);
  }

  /** Whether nobody watches; `subscribe` changes that. */
  get isClosed(): boolean {
    return this.#shared.receivers === 0;
  }

  /** How many receivers are open. */
  get receiverCount(): number {
    return this.#shared.receivers;
  }

  /** How many senders are open. */
  get senderCount(): number {
    return this.#shared.senders;
  }

  /** @internal */
  get shared(): Watched<T> {
    return this.#shared;
  }

  /** Whether both are of the same `watch`. */
  sameChannel(other: WatchSender<T>): boolean {
    checkKind(other?.shared !== undefined, 'sameChannel', 'a sender', other);
    return this.#shared === other.shared;
  }

  /** Closes this sender; after the last one the receivers see the last change and then get `ClosedError`. Idempotent. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    if (--this.#shared.senders === 0) this.#shared.tell();
  }

  #check(call: string, value?: unknown): void {
    if (this.#isClosed) throw new ClosedError(`${call}: this sender was closed; clone it before closing to keep one`);
    refuseUnsendable(value, call);
  }
}
