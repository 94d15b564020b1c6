import {
  asFailingSource,
  asSource,
  PENDING,
  type Source,
  type SourcePromise,
  type Takeable,
  type Tried,
} from '@quiesce/cancellation-token';
import { checkCount, defineHandle, misused } from '@quiesce/internal';
import type { ChannelState } from './channel-state.ts';
import { ReceiverIterator, type ValuesOptions } from './receiver-iterator.ts';
import { RecvWaiter } from './recv-waiter.ts';
import { failed, fulfilled, tryPoll } from './settle.ts';
import { type WaitOptions, waitWithLimits } from './wait-options.ts';

/**
 * Takes the values out of its channel, in order. Also a `select` branch, and async iterable.
 *
 * **Cancel safety.** A receive that is given up, or loses in `select`, has consumed nothing.
 *
 * **Fairness.** Several receives that wait are served first come, first served, one value each.
 *
 * @see tokio::sync::mpsc::Receiver (tokio 1.53)
 * @example
 * ```ts
 * const [tx, rx] = channel<number>(4);
 * for (const n of [1, 2, 3]) await tx.send(n);
 * console.log(await rx.recvMany(2)); // => [ 1, 2 ]
 * tx.close();
 * for await (const n of rx) console.log(n); // => 3
 * ```
 */
export class Receiver<T> implements Disposable {
  /** @internal See `defineHandle`. */
  static readonly completed: object = /* @__PURE__ */ defineHandle(Receiver, {
    name: 'receiver',
    dispose: 'dispose',
    unguarded: ['recv', 'tryRecv'],
    owns: (value) => Receiver.#owns(value),
    source: (receiver) => receiver.#channel,
    facts: ({ length, maxCapacity, isClosed, strongCount }) => ({ length, maxCapacity, isClosed, strongCount }),
  });
  /** A proxy has no private field. */
  static #owns(value: object): boolean {
    return #channel in Object(value);
  }
  readonly #channel: ChannelState<T>;
  /** Used for one receive after another. A second receive at the same time gets its own. */
  readonly #waiter: RecvWaiter;
  /** The same as `dispose`. */
  declare readonly [Symbol.dispose]: () => void;

  /** @internal */
  constructor(channel: ChannelState<T>) {
    this.#channel = channel;
    this.#waiter = new RecvWaiter(channel, false);
  }

  /**
   * Receives the next value.
   *
   * **Timing.** A value that is there is taken synchronously, inside the call. A later one is taken inside its `send`. The
   * promise settles in a microtask. After 1,024 completions without a break, the event loop runs first.
   *
   * **Cancel safety.** When it is given up, it has consumed nothing. As a branch of `select` it takes nothing until it wins:
   * it leaves the queue, and gives back a value that it has taken before. Either await a call or make it a branch.
   * `job: rx` is the faster branch. In `Promise.race`, a value that arrives later is lost.
   *
   * @param options `signal` and `timeout` (ms) give up the wait: `TimeoutError` means that no value arrived, `ClosedError`
   *   that none can arrive. With `timeout: 0`, a value that is there is still taken
   * @returns a promise of the value, which is also a source
   * @throws ClosedError when the channel is closed and drained, or this receiver was disposed; `TimeoutError`; the
   *   reason, verbatim, when `signal` is cancelled; TypeError when an option has the wrong type; RangeError when
   *   `timeout` is negative or NaN
   * @see tokio::sync::mpsc::Receiver::recv (tokio 1.53), which returns `None` where this throws `ClosedError`; std's
   *   recv_timeout
   * @example
   * ```ts
   * const [tx, rx] = channel<string>(16);
   * await rx.recv({ timeout: 5 }).catch((error) => console.log(error.name)); // => TimeoutError
   * await tx.send('hello');
   * tx.close();
   * console.log(await rx.recv()); // => hello
   * await rx.recv({ timeout: 5 }).catch((error) => console.log(error.name)); // => ClosedError
   * ```
   */
  recv(options?: WaitOptions): SourcePromise<T> {
    if (!Receiver.#owns(this)) return Promise.reject(misused(Receiver.prototype, 'receiver', 'recv', this)) as never;
    const channel = this.#channel;
    if (options !== undefined) return waitWithLimits(channel, options, 'recv');
    let result: Promise<T>;
    try {
      const value = channel.poll();
      if (value === PENDING) {
        const waiter = this.#waiter.resolve === undefined ? this.#waiter : new RecvWaiter(channel, false);
        return waiter.start() as SourcePromise<T>;
      }
      result = fulfilled(value);
      asSource(result, channel, value);
    } catch (error) {
      return asFailingSource(failed(error), channel, error);
    }
    return result as SourcePromise<T>;
  }

  /**
   * Receives the values that are there, up to `limit`. It waits only if there is none.
   *
   * **Cancel safety.** As `recv`, also as a branch of `select`.
   *
   * @param limit the largest number of values, 1 or more
   * @param options as for `recv`
   * @returns 1 to `limit` values, in order
   * @throws TypeError when `limit` is not a number; RangeError when it is not an integer of 1 or more; otherwise as
   *   `recv`
   * @see tokio::sync::mpsc::Receiver::recv_many (tokio 1.53)
   * @example
   * ```ts
   * const [tx, rx] = unboundedChannel<number>();
   * for (const value of [1, 2, 3]) tx.send(value);
   * console.log(await rx.recvMany(2), await rx.recvMany(2)); // => [ 1, 2 ] [ 3 ]
   * ```
   */
  recvMany(limit: number, options?: WaitOptions): SourcePromise<T[]> {
    const channel = this.#channel;
    const batch: Takeable<T[]> = {
      poll: () => {
        const first = channel.poll();
        if (first === PENDING) return PENDING;
        const values = [first];
        while (values.length < limit && channel.queue.length > 0) values.push(channel.poll() as T);
        return values;
      },
      putBack: (values) => values === undefined || channel.putBackAll(values),
      park: (waiter) => channel.park(waiter),
      unpark: (waiter) => channel.unpark(waiter),
    };
    try {
      checkCount('recvMany: the limit', limit, 1);
    } catch (error) {
      return asFailingSource(failed(error), batch, error);
    }
    return waitWithLimits(batch, options, 'recvMany');
  }

  /**
   * Takes the next value if there is one. Never waits, never throws.
   *
   * @returns `{ ok: true, value }`, or `{ ok: false, why }`: `empty`, or `closed` when no value can arrive any more
   * @see tokio::sync::mpsc::Receiver::try_recv (tokio 1.53)
   */
  tryRecv(): Tried<T, 'empty' | 'closed'> {
    if (!Receiver.#owns(this)) throw misused(Receiver.prototype, 'receiver', 'tryRecv', this);
    return tryPoll(this.#channel);
  }

  /**
   * Iterates until the channel is closed and drained.
   *
   * **Timing.** Each `next()` as `recv`. Several that wait are served in order.
   *
   * **Cancel safety.** Leaving the loop in any way leaves the receiver open. `return()` ends each `next()` that waits.
   *
   * @param options `signal`: a token or `AbortSignal` that ends the loop with its reason
   * @returns a new iterator, which `await using` ends too; several on one receiver share its values
   * @throws TypeError when `signal` is not a signal; from `next()`, the reason when it is cancelled
   * @see tokio_stream::wrappers::ReceiverStream (tokio-stream 0.1)
   * @example
   * ```ts
   * const stop = new CancellationToken();
   * const [tx, rx] = channel<string>(4);
   * await tx.send('job');
   * try {
   *   for await (const job of rx.values({ signal: stop })) {
   *     console.log(job); // => job
   *     stop.cancel('deploy');
   *   }
   * } catch (reason) {
   *   console.log(reason); // => deploy
   * }
   * ```
   */
  values(options?: ValuesOptions): AsyncIterableIterator<T, undefined, undefined> & AsyncDisposable {
    return new ReceiverIterator(this.#channel, options);
  }

  /** The same as `values()`. */
  [Symbol.asyncIterator](): AsyncIterableIterator<T, undefined, undefined> & AsyncDisposable {
    return this.values();
  }

  /** The number of values in the channel. */
  get length(): number {
    return this.#channel.queue.length;
  }

  /** Whether there is nothing to take now. */
  get isEmpty(): boolean {
    return this.length === 0;
  }

  /**
   * Whether no new value can enter: `close` was called, or all senders are closed and no permit is out. There may be values
   * left to receive.
   *
   * @see tokio::sync::mpsc::Receiver::is_closed (tokio 1.53)
   */
  get isClosed(): boolean {
    return this.#channel.isClosed || !this.#channel.isSendable;
  }

  /** The number of values for which there is room that nothing waits for; `Infinity` without a limit. */
  get capacity(): number {
    return this.#channel.room?.available ?? Number.POSITIVE_INFINITY;
  }

  /** The number of values that fit into the empty channel; `Infinity` without a limit. */
  get maxCapacity(): number {
    return this.#channel.capacity;
  }

  /** The number of open senders. */
  get strongCount(): number {
    return this.#channel.senders;
  }

  /** The number of open weak senders. */
  get weakCount(): number {
    return this.#channel.weakSenders;
  }

  /**
   * Refuses new values, and keeps the values that are there or have a permit. Receive until `ClosedError` to lose none.
   *
   * **Timing.** Synchronous, idempotent. Sends that wait for room fail with {@link SendError}, which holds the value.
   *
   * @see tokio::sync::mpsc::Receiver::close (tokio 1.53)
   * @example
   * ```ts
   * const [tx, rx] = channel<number>(1);
   * await tx.send(1);
   * const late = tx.send(2).catch((error) => console.log('not sent:', error.value));
   * rx.close();
   * await late; // => not sent: 2
   * console.log(await rx.recv(), rx.tryRecv()); // => 1 { ok: false, why: 'closed' }
   * ```
   */
  close(): void {
    this.#channel.close();
  }

  /** Closes the channel and drops its values. Receives that wait end with `ClosedError`. Synchronous, idempotent. */
  dispose(): void {
    this.#channel.dispose();
  }
}

// Declared by merging: isolatedDeclarations allows no computed key but the language's own in a class.
export interface Receiver<T> extends Source<T> {}
