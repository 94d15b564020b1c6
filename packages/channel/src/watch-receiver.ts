import {
  asFailingSource,
  type PENDING,
  type Source,
  type SourcePromise,
  type Takeable,
} from '@quiesce/cancellation-token';
import { checkFunction, checkKind, defineHandle, misused } from '@quiesce/internal';
import { ReceiverIterator, type ValuesOptions } from './receiver-iterator.ts';
import { failed } from './settle.ts';
import { type WaitOptions, waitWithLimits } from './wait-options.ts';
import { WatchCursor } from './watch-state.ts';

/**
 * Reads the latest value, and waits for changes. Also a `select` branch, and async iterable over later changes.
 *
 * **Cancel safety.** A `changed` that is given up has marked nothing as seen. A `waitFor` has marked the values that its
 * predicate was called with.
 *
 * **Fairness.** Several waits on one receiver get one change each, first come, first served. Clone the receiver for each.
 *
 * @see tokio::sync::watch::Receiver (tokio 1.53)
 * @example
 * ```ts
 * const [tx, rx] = watch('starting');
 * const ready = rx.waitFor((state) => state === 'ready');
 * tx.send('ready');
 * console.log(await ready, rx.borrow()); // => ready ready
 * ```
 */
export class WatchReceiver<T> implements Disposable {
  /** @internal See `defineHandle`. */
  static readonly completed: object = /* @__PURE__ */ defineHandle(WatchReceiver, {
    name: 'receiver',
    dispose: 'dispose',
    unguarded: ['borrow', 'borrowAndUpdate'],
    owns: (value) => WatchReceiver.#owns(value),
    source: (receiver) => receiver.#cursor,
    facts: ({ isClosed }) => ({ isClosed }),
  });
  /** A proxy has no private field. */
  static #owns(value: object): boolean {
    return #cursor in Object(value);
  }
  readonly #cursor: WatchCursor<T>;
  /** The same as `dispose`. */
  declare readonly [Symbol.dispose]: () => void;

  /** @internal */
  constructor(cursor: WatchCursor<T>) {
    this.#cursor = cursor;
  }

  /** Returns the value without marking it as seen. */
  borrow(): T {
    if (!WatchReceiver.#owns(this)) throw misused(WatchReceiver.prototype, 'receiver', 'borrow', this);
    return this.#cursor.state.value;
  }

  /**
   * Returns the value, and marks it as seen.
   *
   * @see tokio::sync::watch::Receiver::borrow_and_update (tokio 1.53)
   */
  borrowAndUpdate(): T {
    if (!WatchReceiver.#owns(this)) throw misused(WatchReceiver.prototype, 'receiver', 'borrowAndUpdate', this);
    return this.#cursor.markSeen();
  }

  /** Returns whether there is a value that this receiver has not seen, even when all senders are closed. */
  hasChanged(): boolean {
    return this.#cursor.isChanged;
  }

  /**
   * Waits for a value that this receiver has not seen, and marks it as seen.
   *
   * **Timing.** A change that is there is taken synchronously, inside the call. A later one is taken inside its `send`.
   *
   * **Cancel safety.** When it is given up, it has marked nothing as seen. As a branch of `select` it marks nothing until it
   * wins.
   *
   * **Fairness.** Several waits on one receiver get one change each, first come, first served.
   *
   * @param options `signal` and `timeout` (ms) give up the wait
   * @returns the value
   * @throws ClosedError when all senders are closed and the last value is seen, or this receiver was disposed;
   *   `TimeoutError`; the reason, verbatim, when `signal` is cancelled; TypeError when an option has the wrong type;
   *   RangeError when `timeout` is negative or NaN
   * @see tokio::sync::watch::Receiver::changed (tokio 1.53), which returns no value
   * @example
   * ```ts
   * const [tx, rx] = watch('starting');
   * tx.send('loading');
   * tx.send('ready');
   * console.log(await rx.changed()); // => ready
   * ```
   */
  changed(options?: WaitOptions): SourcePromise<T> {
    return waitWithLimits(this.#cursor, options, 'changed');
  }

  /**
   * Waits until the value satisfies a predicate, which the current value may do. Each value that it checks counts as seen.
   *
   * @param predicate called with the current value and after each change, once for each value
   * @param options `signal` and `timeout` (ms) give up the wait
   * @returns the value
   * @throws the error of the predicate; ClosedError when all senders are closed and no value satisfies it; otherwise as
   *   `changed`
   * @see tokio::sync::watch::Receiver::wait_for (tokio 1.53)
   * @example
   * ```ts
   * const [tx, rx] = watch(0);
   * const big = rx.waitFor((n) => n > 1);
   * tx.send(1);
   * tx.send(2);
   * console.log(await big); // => 2
   * ```
   */
  waitFor(predicate: (value: T) => boolean, options?: WaitOptions): SourcePromise<T> {
    const cursor = this.#cursor;
    const { state, predicateWaiters } = cursor;
    // A version of its own: values that other waits of the receiver have seen are still checked.
    let shown = -1;
    const poll = (): T | typeof PENDING => {
      while (!cursor.isClosed && shown !== state.version) {
        shown = state.version;
        const value = cursor.markSeen();
        if (predicate(value)) return value;
      }
      // Never the current value: `markChanged` makes it count as not seen, but the predicate has refused it.
      return cursor.pendingOrThrow();
    };
    const protocol: Takeable<T> = {
      poll,
      putBack: (value, error, mark) => {
        shown = -1;
        return cursor.putBack(value, error, mark);
      },
      get mark() {
        return cursor.mark;
      },
      park: (waiter) => cursor.parkIn(predicateWaiters, waiter),
      unpark: (waiter) => cursor.unparkFrom(predicateWaiters, waiter),
    };
    try {
      checkFunction('waitFor', predicate);
    } catch (error) {
      return asFailingSource(failed(error), protocol, error);
    }
    return waitWithLimits(protocol, options, 'waitFor');
  }

  /**
   * Iterates over the changes from now on. Several in a row may be seen as one.
   *
   * **Cancel safety.** Leaving the loop in any way leaves the receiver open.
   *
   * @param options `signal`: a token or `AbortSignal` that ends the loop with its reason
   * @returns a new iterator, which `await using` ends too
   * @throws TypeError when `signal` is not a signal; from `next()`, the reason when it is cancelled
   * @see tokio_stream::wrappers::WatchStream (tokio-stream 0.1)
   * @example
   * ```ts
   * const stop = new CancellationToken();
   * const [tx, rx] = watch('starting');
   * tx.send('ready');
   * for await (const state of rx.values({ signal: stop })) {
   *   console.log(state); // => ready
   *   tx.close();
   * }
   * ```
   */
  values(options?: ValuesOptions): AsyncIterableIterator<T, undefined, undefined> & AsyncDisposable {
    return new ReceiverIterator(this.#cursor, options);
  }

  /** The same as `values()`. */
  [Symbol.asyncIterator](): AsyncIterableIterator<T, undefined, undefined> & AsyncDisposable {
    return this.values();
  }

  /** Marks the value as not seen. */
  markChanged(): void {
    this.#cursor.markUnseen();
  }

  /** Marks the value as seen. */
  markUnchanged(): void {
    this.#cursor.markSeen();
  }

  /** Makes another receiver, which has seen the same version as this one. */
  clone(): WatchReceiver<T> {
    return new WatchReceiver(new WatchCursor(this.#cursor.state, this.#cursor.seen));
  }

  /** Whether no new value can arrive: it was disposed, or all senders are closed. */
  get isClosed(): boolean {
    return this.#cursor.isClosed || this.#cursor.state.senders === 0;
  }

  /** @internal */
  get watchCursor(): WatchCursor<T> {
    return this.#cursor;
  }

  /** Returns whether both belong to the same `watch`. */
  sameChannel(other: WatchReceiver<T>): boolean {
    checkKind(other?.watchCursor !== undefined, 'sameChannel', 'a receiver', other);
    return this.#cursor.state === other.watchCursor.state;
  }

  /** Gives up this receiver: waits on this receiver end with `ClosedError`. Synchronous, idempotent. */
  dispose(): void {
    this.#cursor.close();
  }
}

// Declared by merging: isolatedDeclarations allows no computed key but the language's own in a class.
export interface WatchReceiver<T> extends Source<T> {}
