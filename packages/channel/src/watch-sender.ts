import { Awaitable } from '@quiesce/cancellation-token/internal';
import { checkFunction, checkKind, defineHandle, misused } from '@quiesce/internal';
import { handleClosed } from './errors.ts';
import { refuseUnsendable } from './settle.ts';
import { WatchReceiver } from './watch-receiver.ts';
import { WatchCursor, type WatchState } from './watch-state.ts';

/**
 * Changes the value that all receivers see.
 *
 * **Timing.** Every change is synchronous: the waits for it have been woken when the call returns. Inside a wake-up, such as
 * the predicate of a `waitFor`, they are woken when the change in progress has woken all others.
 *
 * @see tokio::sync::watch::Sender (tokio 1.53)
 * @example
 * ```ts
 * const [tx, rx] = watch(1);
 * tx.send(2);
 * tx.send(3); // a receiver that reads late sees only the latest value
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
  readonly #state: WatchState<T>;
  /** Set once, by `close`. */
  #isClosed = false;
  /** The same as `close`. */
  declare readonly [Symbol.dispose]: () => void;

  /** @internal */
  constructor(state: WatchState<T>) {
    this.#state = state;
    state.senders++;
  }

  /**
   * Replaces the value, if there is a receiver.
   *
   * @param value anything except a thenable
   * @returns whether it was stored. `false` when there is no receiver; then the value has not changed (see `sendReplace`)
   * @throws ClosedError when this sender was closed; TypeError when the value is a thenable
   * @see tokio::sync::watch::Sender::send (tokio 1.53)
   */
  send(value: T): boolean {
    if (!WatchSender.#owns(this)) throw misused(WatchSender.prototype, 'sender', 'send', this);
    const isWatched = this.#state.receivers > 0;
    if (isWatched) this.sendReplace(value);
    else this.#check('send', value);
    return isWatched;
  }

  /**
   * Replaces the value, with or without a receiver.
   *
   * @param value anything except a thenable
   * @returns the value before
   * @throws ClosedError when this sender was closed; TypeError when the value is a thenable
   * @see tokio::sync::watch::Sender::send_replace (tokio 1.53)
   */
  sendReplace(value: T): T {
    this.#check('send', value);
    const before = this.#state.value;
    this.#state.set(value);
    return before;
  }

  /**
   * Replaces the value by one that is made from it, and wakes every receiver, even if it is the same value.
   *
   * @param modify gets the value and returns the new one, or the same object after changing it
   * @throws the error of `modify`, and then nothing has changed; ClosedError when this sender was closed; TypeError when
   *   the result is a thenable, or when `modify` has itself sent a value, which then stays
   * @see tokio::sync::watch::Sender::send_modify (tokio 1.53)
   */
  sendModify(modify: (value: T) => T): void {
    this.#state.set(this.#modified('sendModify', modify));
  }

  /**
   * Replaces the value by one that is made from it, and wakes the receivers only if it is not the same (`Object.is`).
   *
   * @param modify gets the value and returns the new one
   * @returns whether the value has changed
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
    const isModified = !Object.is(value, this.#state.value);
    if (isModified) this.#state.set(value);
    return isModified;
  }

  #modified(call: string, modify: (value: T) => T): T {
    this.#check(call);
    checkFunction(call, modify);
    const { version } = this.#state;
    const value = modify(this.#state.value);
    this.#check(call, value);
    if (version !== this.#state.version) {
      throw new TypeError(`${call}: the function has itself sent a value; its result would overwrite that value`);
    }
    return value;
  }

  /** Returns the value. */
  borrow(): T {
    if (!WatchSender.#owns(this)) throw misused(WatchSender.prototype, 'sender', 'borrow', this);
    return this.#state.value;
  }

  /**
   * Makes another receiver, which has seen the current value.
   *
   * @throws ClosedError when this sender was closed
   * @see tokio::sync::watch::Sender::subscribe (tokio 1.53)
   */
  subscribe(): WatchReceiver<T> {
    this.#check('subscribe');
    return new WatchReceiver(new WatchCursor(this.#state, this.#state.version));
  }

  /**
   * Makes another sender of the same value, which is closed separately.
   *
   * @throws ClosedError when this sender was closed
   */
  clone(): WatchSender<T> {
    this.#check('clone');
    return new WatchSender(this.#state);
  }

  /**
   * Waits until there is no receiver: await it, or make it a branch of `select`. Each `await` parks a waiter until then.
   *
   * @see tokio::sync::watch::Sender::closed (tokio 1.53)
   */
  closed(): Awaitable<void> {
    return new Awaitable(this.#state.unwatched);
  }

  /** Whether there is no receiver. A `subscribe` changes that. */
  get isClosed(): boolean {
    return this.#state.receivers === 0;
  }

  /** The number of open receivers. */
  get receiverCount(): number {
    return this.#state.receivers;
  }

  /** The number of open senders. */
  get senderCount(): number {
    return this.#state.senders;
  }

  /** @internal */
  get watchState(): WatchState<T> {
    return this.#state;
  }

  /** Returns whether both belong to the same `watch`. */
  sameChannel(other: WatchSender<T>): boolean {
    checkKind(other?.watchState !== undefined, 'sameChannel', 'a sender', other);
    return this.#state === other.watchState;
  }

  /** Closes this sender. After the last one, receivers see the last change and then get `ClosedError`. Idempotent. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    if (--this.#state.senders === 0) this.#state.wakeCursors();
  }

  #check(call: string, value?: unknown): void {
    if (this.#isClosed) throw handleClosed(call, 'sender');
    refuseUnsendable(value, call);
  }
}
