import { asFailingSource, PENDING, type Source, type SourcePromise, type Tried } from '@quiesce/cancellation-token';
import { checkCount, defineHandle, misused } from '@quiesce/internal';
import { type ChannelEnd, isSameChannel } from './channel-end.ts';
import type { ChannelState } from './channel-state.ts';
import { Cursor } from './cursor.ts';
import { type BroadcastRecvOptions, receive, type SelectableStrategy } from './receive.ts';
import { type BroadcastValuesOptions, ReceiverIterator } from './receiver-iterator.ts';
import type { Ring } from './ring.ts';

/** Result of `tryRecv`: a {@link Tried}, or the number of values that the receiver missed. */
export type BroadcastTryRecv<T> =
  | Tried<T, 'empty' | 'closed'>
  | { readonly ok: false; readonly why: 'lagged'; readonly missedCount: number };

/**
 * Receives every value that is sent after it was made, at its own pace. Also a `select` branch, and async iterable.
 *
 * **Cancel safety.** A receive that is given up, or loses in `select`, has consumed nothing and has left the queue.
 *
 * **Fairness.** Several receives that wait on one receiver are served first come, first served, one value each.
 *
 * @see tokio::sync::broadcast::Receiver (tokio 1.53)
 * @example
 * ```ts
 * const [tx, rx] = broadcast<string>(2);
 * for (const news of ['one', 'two', 'three']) tx.send(news);
 * console.log(rx.tryRecv()); // => { ok: false, why: 'lagged', missedCount: 1 }
 * console.log(await rx.recv(), rx.length); // => two 1
 * tx.close();
 * for await (const news of rx) console.log(news); // => three
 * ```
 */
export class BroadcastReceiver<T> implements Disposable {
  /** @internal See `defineHandle`. */
  static readonly completed: object = /* @__PURE__ */ defineHandle(BroadcastReceiver, {
    name: 'receiver',
    dispose: 'dispose',
    unguarded: ['recv', 'tryRecv'],
    owns: (value) => BroadcastReceiver.#owns(value),
    source: (receiver) => receiver.#cursor,
    facts: ({ length, isClosed, strongCount }) => ({ length, isClosed, strongCount }),
  });
  /** A proxy has no private field. */
  static #owns(value: object): boolean {
    return #cursor in Object(value);
  }
  readonly #cursor: Cursor<T>;
  /** The same as `dispose`. */
  declare readonly [Symbol.dispose]: () => void;

  /** @internal */
  constructor(channel: ChannelState<T>) {
    this.#cursor = new Cursor(channel);
  }

  /** @internal */
  get ring(): Ring<T> {
    return this.#cursor.channel;
  }

  /**
   * Receives the next value.
   *
   * **Timing.** A value that is there is taken synchronously, inside the call. A later one is taken inside its `send`. The
   * promise settles in a microtask. After 1,024 receives without a break, the event loop runs first.
   *
   * **Cancel safety.** A cancelled receive has consumed nothing and has left the queue. A cancellation after the value was
   * taken is too late. As a branch of `select` it takes nothing until it wins: it leaves the queue, and gives back a value
   * that it has taken before. Either await a call or make it a branch. `job: rx` is the faster branch.
   *
   * **Fairness.** Receives that wait on one receiver are served in the order of their calls, one value each.
   *
   * @param options `signal`: a token or `AbortSignal` that gives up the receive
   * @returns the value
   * @throws {@link LaggedError} once for each gap, consuming nothing; `ClosedError` when the channel is closed and drained,
   *   or this receiver was disposed; the reason, verbatim, when `signal` is cancelled; TypeError when it is not a signal
   * @see tokio::sync::broadcast::Receiver::recv (tokio 1.53), whose woken receiver takes its value later and may have lagged
   * @example
   * ```ts
   * const [tx, rx] = broadcast<string>(16);
   * tx.send('hello');
   * console.log(await rx.recv()); // => hello
   * ```
   */
  recv(options?: BroadcastRecvOptions): SourcePromise<T> {
    if (!BroadcastReceiver.#owns(this))
      return Promise.reject(misused(BroadcastReceiver.prototype, 'receiver', 'recv', this)) as never;
    const cursor = this.#cursor;
    return options === undefined && cursor.isFree ? cursor.recvInSlot() : receive(cursor, cursor, options);
  }

  /**
   * Receives the values that are there, at least one and at most `limit`.
   *
   * **Timing.** As `recv`, but the whole batch counts as one receive. When there is no value, it waits for one and takes it
   * inside the `send`. The batch is then that value alone.
   *
   * **Cancel safety.** As `recv`, also as a branch of `select`. Values that it took and that were overwritten since then
   * stay with the promise.
   *
   * @param limit the largest number of values: an integer from 1
   * @param options `signal`: a token or `AbortSignal` that gives up the receive
   * @returns 1 to `limit` values, oldest first
   * @throws TypeError or RangeError for any other limit; otherwise as `recv`
   * @see tokio::sync::mpsc::Receiver::recv_many (tokio 1.53); Tokio's broadcast has none
   * @example
   * ```ts
   * const [tx, rx] = broadcast<number>(16);
   * for (const n of [1, 2, 3]) tx.send(n);
   * console.log(await rx.recvMany(2), await rx.recvMany(2)); // => [ 1, 2 ] [ 3 ]
   * ```
   */
  recvMany(limit: number, options?: BroadcastRecvOptions): SourcePromise<T[]> {
    const cursor = this.#cursor;
    let taken = 0;
    const strategy: SelectableStrategy<T[]> = {
      poll: () => {
        const values = cursor.pollMany(limit);
        if (values !== PENDING) taken = cursor.position - values.length;
        return values;
      },
      putBack: (values, error, mark) =>
        values === undefined ? cursor.putBack(undefined, error, mark) : cursor.putBackMany(values, taken),
      park: (waiter) => cursor.park(waiter),
      unpark: (waiter) => cursor.unpark(waiter),
    };
    try {
      checkCount('recvMany: the limit', limit, 1);
    } catch (error) {
      return asFailingSource(Promise.reject(error), strategy, error);
    }
    return receive(cursor, strategy, options, 'recvMany');
  }

  /**
   * Takes the next value if there is one. Never waits, never throws. Consumes nothing unless `ok` is `true`.
   *
   * @returns `{ ok: true, value }`, or `{ ok: false, why }`: `empty`, `closed`, or once for each gap `lagged`, with
   *   `missedCount`
   * @see tokio::sync::broadcast::Receiver::try_recv (tokio 1.53)
   * @example
   * ```ts
   * const [tx, rx] = broadcast<number>(1);
   * console.log(rx.tryRecv()); // => { ok: false, why: 'empty' }
   * tx.send(1);
   * console.log(rx.tryRecv()); // => { ok: true, value: 1 }
   * ```
   */
  tryRecv(): BroadcastTryRecv<T> {
    if (!BroadcastReceiver.#owns(this)) throw misused(BroadcastReceiver.prototype, 'receiver', 'tryRecv', this);
    const cursor = this.#cursor;
    if (cursor.isEnded) return { ok: false, why: 'closed' };
    const missedCount = cursor.catchUp();
    if (missedCount > 0) return { ok: false, why: 'lagged', missedCount };
    return cursor.isEmpty ? { ok: false, why: 'empty' } : { ok: true, value: cursor.take() };
  }

  /**
   * Iterates over the values until the channel is closed and drained, or this receiver is disposed.
   *
   * **Timing.** Each `next()` as `recv`. Several that wait are served in order.
   *
   * **Cancel safety.** Leaving the loop in any way leaves the receiver open and retains nothing. `return()` ends each
   * `next()` of this iterator that waits.
   *
   * @param options `onLag`: `'throw'` (default) ends the loop with {@link LaggedError}, `'skip'` ignores the gap, and a
   *   function gets the number of missed values. `signal`: a token or `AbortSignal` that ends the loop with its reason
   * @returns a new iterator; several on one receiver share its values
   * @throws TypeError when `onLag` is none of these, or `signal` is not a signal; from `next()`, the error of the function,
   *   and the reason when `signal` is cancelled
   * @see tokio_stream::wrappers::BroadcastStream (tokio-stream 0.1)
   * @example
   * ```ts
   * const [tx, rx] = broadcast<number>(2);
   * for (const n of [1, 2, 3, 4, 5]) tx.send(n);
   * tx.close();
   * const values = rx.values({ onLag: (missed) => console.log('missed', missed) }); // => missed 3
   * for await (const value of values) console.log(value);
   * // => 4
   * // => 5
   * ```
   */
  values(options?: BroadcastValuesOptions): AsyncIterableIterator<T, undefined, undefined> & AsyncDisposable {
    return new ReceiverIterator(this.#cursor, options);
  }

  /** The same as `values()`. */
  [Symbol.asyncIterator](): AsyncIterableIterator<T, undefined, undefined> & AsyncDisposable {
    return this.values();
  }

  /**
   * Makes another receiver of the same channel, which sees all later values. This one is not affected.
   *
   * @returns the receiver. On a closed channel it is closed from the start
   * @see tokio::sync::broadcast::Receiver::resubscribe (tokio 1.53)
   * @example
   * ```ts
   * const [tx, rx] = broadcast<number>(4);
   * tx.send(1);
   * const late = rx.resubscribe();
   * tx.send(2);
   * console.log(rx.length, late.length); // => 2 1
   * ```
   */
  resubscribe(): BroadcastReceiver<T> {
    return new BroadcastReceiver(this.#cursor.channel);
  }

  /** The number of values that are yet to be read; more than the capacity until the lag has been reported. */
  get length(): number {
    return this.#cursor.isClosed ? 0 : this.#cursor.channel.tail - this.#cursor.position;
  }

  /** Whether there is nothing to read now. */
  get isEmpty(): boolean {
    return this.length === 0;
  }

  /** Whether all senders are closed. There may be values left to read. */
  get isClosed(): boolean {
    return this.#cursor.channel.senders === 0;
  }

  /** The number of open senders of this channel. */
  get strongCount(): number {
    return this.#cursor.channel.senders;
  }

  /** The number of open weak senders of this channel. */
  get weakCount(): number {
    return this.#cursor.channel.weakSenders;
  }

  /** Returns whether another handle belongs to the same channel. */
  sameChannel(other: ChannelEnd): boolean {
    return isSameChannel(this.#cursor.channel, other);
  }

  /**
   * Gives up this receiver: waits on it end with `ClosedError`, and the values that it has not read are released.
   * Synchronous, idempotent.
   *
   * @see Drop for tokio::sync::broadcast::Receiver (tokio 1.53)
   */
  dispose(): void {
    this.#cursor.close();
  }
}

// Declared by merging: isolatedDeclarations allows no computed key but the language's own in a class.
export interface BroadcastReceiver<T> extends Source<T> {}
