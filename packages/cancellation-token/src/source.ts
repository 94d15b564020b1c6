/**
 * The source protocol: how to wait for something. The invariants hold for every wait, and for every source that combines
 * others.
 *
 * Invariants
 *  1. A call of a source, a signal or a clock may run any code: callbacks, sends, cancellations, timers. It may even wake the
 *     waiter that is being parked. Therefore no result of an earlier poll is valid after it.
 *  2. A wait polls, parks, and polls once more. A source that became ready before the waiter was parked wakes no waiter.
 *  3. Polls of one wait do not nest, since each could take a value. A wake-up during a poll or a park requests another round.
 *  4. A finished wait is parked nowhere. Code that parks on several sources checks after each one whether the wait has
 *     finished, and then unparks from all.
 *
 * A wait may omit the second poll where the source is one list, so that parking runs no other code.
 */

import { checkFunction, createWaiter, show } from '@quiesce/internal';

/** The key under which an object offers its {@link SourceProtocol}; the same in every copy of this package. */
export const source: unique symbol = Symbol.for('quiesce.source') as never;

/** The result of `poll` when no value is ready; the same in every copy of this package. */
export const PENDING: unique symbol = Symbol.for('quiesce.pending') as never;

/**
 * A waiter on a source: an intrusive node that the waiting side owns and may reuse.
 *
 * Create one with `waiter(wake)`, or give a class of your own all four members, the links `undefined`. The links belong to the
 * source from `park` until `unpark` or `wake`.
 *
 * @example
 * ```ts
 * class Counter implements Waiter {
 *   next: object | undefined = undefined;
 *   prev: object | undefined = undefined;
 *   owner: object | undefined = undefined;
 *   count = 0;
 *   wake(): void {
 *     this.count++;
 *   }
 * }
 * const [token, counter] = [new CancellationToken(), new Counter()];
 * token[source].park(counter);
 * token.cancel();
 * console.log(counter.count); // => 1
 * ```
 */
export interface Waiter {
  /** The waiter after this one, while parked; for use by the source. */
  next: object | undefined;
  /** The waiter before this one, while parked; for use by the source. */
  prev: object | undefined;
  /** Where it is parked, or `undefined` while it is parked nowhere; for use by the source. */
  owner: object | undefined;
  /**
   * Called by the source when it may be ready: poll it again. The call is synchronous, and the waiter is already unparked.
   *
   * Must not throw. It may poll, park again, and change anything.
   */
  wake(): void;
}

/**
 * Creates a waiter, parked nowhere.
 *
 * @param wake called when the source may be ready; see {@link Waiter.wake}
 * @throws TypeError when `wake` is not a function
 * @example
 * ```ts
 * const token = new CancellationToken();
 * token[source].park(waiter(() => console.log('poll again')));
 * token.cancel(); // => poll again
 * ```
 */
export function waiter(wake: () => void): Waiter {
  checkFunction('waiter', wake);
  return createWaiter(wake);
}

/**
 * The protocol of a source. Only `poll` consumes; a waiter that is parked and unparked again has taken nothing.
 *
 * Any number of waiters may be parked on one source, and one waiter on one source at a time.
 */
export interface SourceProtocol<T> {
  /**
   * Takes the value if one is ready now; never waits.
   *
   * @returns the value, or `PENDING`
   * @throws the failure, if the source is ready with one
   */
  poll(): T | typeof PENDING;
  /**
   * Adds a waiter at the end of the queue, in O(1). A waiter that is already parked here keeps its place.
   *
   * Poll before and after it. A source that is ready need not wake a waiter that parks. Parking may also run code that makes
   * the source ready, or that ends the wait: then unpark.
   */
  park(waiter: Waiter): void;
  /** Removes a waiter, in O(1). A waiter that is not parked here is left alone. */
  unpark(waiter: Waiter): void;
  /**
   * `true`: the source has a single value, or keeps giving the same one, so that a loop takes it once. Otherwise it is a
   * stream: each poll takes the next value, and a `ClosedError` ends it.
   */
  readonly once?: true;
  /**
   * Called before the source is polled as a branch: from then on it takes only when it is polled. A call that has already
   * started, such as the promise of `rx.recv()`, puts back the value that it has taken.
   */
  defer?(): void;
}

/**
 * Anything that `select` can wait for: tokens, receivers, timers, tasks, and sources of other libraries.
 *
 * **Contract.** Wake waiters first come, first served. Unpark a waiter before waking it. Be in a consistent state before
 * waking, since the woken side may poll immediately. A woken waiter that finds nothing parks again.
 *
 * **Cancel safety.** A waiter can stop waiting on a source at any time and has then consumed nothing.
 *
 * @example
 * ```ts
 * class Flag implements Source<true> {
 *   #up = false;
 *   #waiters = new Set<Waiter>();
 *   raise(): void {
 *     this.#up = true;
 *     const woken = [...this.#waiters];
 *     this.#waiters.clear();
 *     for (const waiter of woken) waiter.wake();
 *   }
 *   readonly [source] = {
 *     poll: (): true | typeof PENDING => (this.#up ? true : PENDING),
 *     park: (waiter: Waiter): void => void this.#waiters.add(waiter),
 *     unpark: (waiter: Waiter): void => void this.#waiters.delete(waiter),
 *   };
 * }
 * ```
 */
export interface Source<T> {
  /** The protocol; the same object at each read. */
  readonly [source]: SourceProtocol<T>;
}

/**
 * Returns whether `value` offers the source protocol.
 * @example
 * ```ts
 * const token = new CancellationToken();
 * console.log(isSource(token), isSource(Promise.resolve())); // => true false
 * ```
 */
export function isSource(value: unknown): value is Source<unknown> {
  return (value as Partial<Source<unknown>> | null | undefined)?.[source] !== undefined;
}

/**
 * Returns the protocol of a source, and defers a call.
 *
 * @throws TypeError when `value` is not a source
 */
export function protocolOf<T>(value: Source<T>, call: string): SourceProtocol<T> {
  if (isSource(value)) {
    const protocol = value[source];
    protocol.defer?.();
    return protocol;
  }
  throw new TypeError(`${call}: expected a source, got ${show(value)}; await promises, and race them with select`);
}

/** A value that a promise can carry unchanged: anything but a thenable, which promises follow. */
export type Sendable =
  | string
  | number
  | bigint
  | boolean
  | symbol
  | null
  | undefined
  // As in Promise<void>: `undefined`, which can be omitted when sending.
  | void
  | (object & { readonly then?: never });
