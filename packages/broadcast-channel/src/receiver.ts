import {
  CancellationToken,
  isClosedError,
  PENDING,
  type Source,
  type SourceProtocol,
  source,
} from '@quiesce/cancellation-token';
import { defineDispose } from '@quiesce/internal';
import { LaggedError } from './errors.ts';
import { Receive } from './receive.ts';
import { Cursor, leave, type Ring } from './ring.ts';
import { Values, type ValuesOptions } from './values.ts';

/** How one receive waits. */
export interface RecvOptions {
  /** Gives the receive up: it then has consumed nothing, and rejects with the reason. */
  readonly signal?: CancellationToken | AbortSignal | undefined;
}

/** What `tryRecv` answers. */
export type TryRecv<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly why: 'empty' | 'closed' }
  | { readonly ok: false; readonly why: 'lagged'; readonly missed: number };

/**
 * Sees every value that is sent after it was made, at its own pace; also a `select` branch, and async iterable.
 *
 * **Cancel safety.** A receive that is given up, or loses in `select`, has consumed nothing and gives up its place.
 *
 * **Fairness.** Several receives that wait on one receiver are served first come, first served, a value each.
 *
 * @see tokio::sync::broadcast::Receiver (tokio 1.53)
 */
export class Receiver<T> implements Disposable {
  /** @internal */
  readonly cursor: Cursor<T>;
  /** Used for one receive after another; a second one at the same time gets its own. */
  readonly #receive: Receive<T>;
  /** The same as `close`. */
  declare readonly [Symbol.dispose]: () => void;

  /** @internal */
  constructor(ring: Ring<T>) {
    this.cursor = new Cursor(ring);
    this.#receive = new Receive(this.cursor);
  }

  /**
   * Receives the next value.
   *
   * **Timing.** What has been sent is taken synchronously inside the call, what is to come inside the `send` that brings
   * it; the promise settles in a microtask. After 1,024 receives without one, a real turn of the event loop goes before.
   *
   * @param options `signal`: gives the receive up
   * @returns the value
   * @throws {@link LaggedError} once for each gap, consuming nothing; `ClosedError` when the channel is closed and drained,
   *   or this receiver is closed; the reason, verbatim, when `signal` is cancelled; TypeError when it is no signal
   * @see tokio::sync::broadcast::Receiver::recv (tokio 1.53)
   * @example
   * ```ts
   * const [tx, rx] = broadcast<string>(16);
   * tx.send('hello');
   * console.log(await rx.recv()); // => hello
   * ```
   */
  recv(options?: RecvOptions): Promise<T> {
    const signal = options?.signal;
    const receive = this.#receive.isIdle ? this.#receive : new Receive(this.cursor);
    if (signal === undefined) return receive.start() as Promise<T>;
    try {
      return receive.start(CancellationToken.from(signal)) as Promise<T>;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * Takes the next value if there is one; never waits, never throws. Consumes nothing unless it answers `ok: true`.
   *
   * @see tokio::sync::broadcast::Receiver::try_recv (tokio 1.53)
   */
  tryRecv(): TryRecv<T> {
    try {
      const value = this.cursor.poll();
      return value === PENDING ? { ok: false, why: 'empty' } : { ok: true, value };
    } catch (error) {
      if (error instanceof LaggedError) return { ok: false, why: 'lagged', missed: error.missed };
      if (isClosedError(error)) return { ok: false, why: 'closed' };
      throw error;
    }
  }

  /**
   * Iterates over the values until the channel is closed and drained, or this receiver is closed.
   *
   * Leaving the loop in any way leaves the receiver open and nothing behind.
   *
   * @param options `onLag`: `'throw'` (default) ends the loop with {@link LaggedError}, `'skip'` goes on silently, a
   *   function is told how many values were missed
   */
  values(options?: ValuesOptions): AsyncIterableIterator<T, undefined, undefined> {
    return new Values(this.cursor, options?.onLag ?? 'throw');
  }

  /** The same as `values()`. */
  [Symbol.asyncIterator](): AsyncIterableIterator<T, undefined, undefined> {
    return this.values();
  }

  /**
   * Another receiver of the same channel, which sees what is sent from now on; this one stays as it is.
   *
   * @see tokio::sync::broadcast::Receiver::resubscribe (tokio 1.53)
   */
  resubscribe(): Receiver<T> {
    return new Receiver(this.cursor.ring);
  }

  /** How many values are yet to be read; more than the capacity until the lag has been reported. */
  get length(): number {
    return this.cursor.isClosed ? 0 : this.cursor.ring.tail - this.cursor.position;
  }

  /** Whether there is nothing to read now. */
  get isEmpty(): boolean {
    return this.length === 0;
  }

  /** Whether all senders are closed; there may be values left to read. */
  get isClosed(): boolean {
    return this.cursor.ring.senders === 0;
  }

  /**
   * Leaves the channel: what waits on this receiver ends with `ClosedError`, what it has not read is released.
   * Synchronous, idempotent.
   */
  close(): void {
    leave(this.cursor);
  }
}

// Declared by merging: isolatedDeclarations allows no computed key but the language's own in a class.
export interface Receiver<T> extends Source<T> {}
Object.defineProperty(Receiver.prototype, source, {
  get(this: Receiver<unknown>): SourceProtocol<unknown> {
    return this.cursor;
  },
});
defineDispose(Receiver.prototype, 'close');
