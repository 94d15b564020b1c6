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
 * Sees the latest value, and learns of changes; also a `select` branch, and async iterable: of changes from now on.
 *
 * **Cancel safety.** A `changed` that is given up has marked nothing as seen; a `waitFor`, what its predicate was shown.
 *
 * **Fairness.** Several that wait on one receiver get one change each, first come, first served: clone it for each.
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
    dispose: 'close',
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
  /** The same as `close`. */
  declare readonly [Symbol.dispose]: () => void;

  /** @internal */
  constructor(cursor: WatchCursor<T>) {
    this.#cursor = cursor;
  }

  /** The value; whether it counts as seen stays as it is. */
  borrow(): T {
    if (!WatchReceiver.#owns(this)) throw misused(WatchReceiver.prototype, 'receiver', 'borrow', this);
    return this.#cursor.state.value;
  }

  /**
   * The value, which counts as seen from now on.
   *
   * @see tokio::sync::watch::Receiver::borrow_and_update (tokio 1.53)
   */
  borrowAndUpdate(): T {
    if (!WatchReceiver.#owns(this)) throw misused(WatchReceiver.prototype, 'receiver', 'borrowAndUpdate', this);
    return this.#cursor.markSeen();
  }

  /** Whether there is a value that this receiver has not seen, also if all senders are closed. */
  hasChanged(): boolean {
    return this.#cursor.isChanged;
  }

  /**
   * Waits for a value that this receiver has not seen, and marks it as seen.
   *
   * **Timing.** One that is there is taken synchronously inside the call, one that is to come inside the `send`.
   *
   * **Cancel safety.** Given up, it has marked nothing as seen. As a branch of `select` it marks nothing until it wins.
   *
   * **Fairness.** Of several on one receiver, each gets one change, first come, first served.
   *
   * @param options `signal` and `timeout` give it up
   * @returns the value
   * @throws ClosedError when all senders are closed and the last value is seen, or this receiver is closed; `TimeoutError`;
   *   the reason, verbatim, when `signal` is cancelled; TypeError when it is no signal; RangeError when `timeout` is no time
   * @see tokio::sync::watch::Receiver::changed (tokio 1.53), which gives nothing
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
   * Waits until the value satisfies a predicate; it may be the one that is there. What it is shown counts as seen.
   *
   * @param predicate called with the value now and after each change; not again for one that it was shown
   * @param options `signal` and `timeout` give it up
   * @returns the value
   * @throws what the predicate throws; ClosedError when all senders are closed and it will not be satisfied; and as `changed`
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
    // A version of its own: what others have seen meanwhile is shown to the predicate all the same.
    let shown = -1;
    const poll = (): T | typeof PENDING => {
      while (!cursor.isClosed && shown !== state.version) {
        shown = state.version;
        const value = cursor.markSeen();
        if (predicate(value)) return value;
      }
      // Never the value as it is: `markChanged` makes it count as not seen, but it has failed.
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
   * Iterates over the changes from now on; several in a row may be seen as one.
   *
   * **Cancel safety.** Leaving the loop in any way leaves the receiver open.
   *
   * @param options `signal`: a token or `AbortSignal` that ends the loop with its reason
   * @returns a fresh iterator, which `await using` ends too
   * @throws TypeError when `signal` is no signal; from `next()`, the reason when it is cancelled
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

  /** Makes the value count as not seen. */
  markChanged(): void {
    this.#cursor.markUnseen();
  }

  /** Makes the value count as seen. */
  markUnchanged(): void {
    this.#cursor.markSeen();
  }

  /** Another receiver, which has seen what this one has. */
  clone(): WatchReceiver<T> {
    return new WatchReceiver(new WatchCursor(this.#cursor.state, this.#cursor.seen));
  }

  /** Whether all senders are closed. */
  get isClosed(): boolean {
    return this.#cursor.state.senders === 0;
  }

  /** @internal */
  get watchCursor(): WatchCursor<T> {
    return this.#cursor;
  }

  /** Whether both are of the same `watch`. */
  sameChannel(other: WatchReceiver<T>): boolean {
    checkKind(other?.watchCursor !== undefined, 'sameChannel', 'a receiver', other);
    return this.#cursor.state === other.watchCursor.state;
  }

  /** Stops watching: what waits on this receiver ends with `ClosedError`. Synchronous, idempotent. */
  close(): void {
    this.#cursor.close();
  }
}

// Declared by merging: isolatedDeclarations allows no computed key but the language's own in a class.
export interface WatchReceiver<T> extends Source<T> {}
