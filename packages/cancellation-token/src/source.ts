/**
 * The source protocol: how something is waited for. The invariants hold for every wait, and for every source that is made of others.
 *
 * Invariants
 *  1. A call of a source, a signal or a clock may run anything: callbacks, sends, cancellations, time. It may even wake
 *     the waiter that is being parked. So nothing that was polled before is still known after it.
 *  2. A wait polls, parks, and polls once more. What became ready before the waiter had its place wakes nobody.
 *  3. Polls of one wait do not nest, since each could take a value. A wake-up inside of a poll or a park asks for another
 *     round.
 *  4. A wait that is over is parked nowhere. Whatever parks on several sources looks after each one whether the wait is
 *     over, and then unparks from all.
 *
 * A wait may leave out the second poll where the source is one list, so that parking runs nothing.
 */

import { checkFunction, waiter as createWaiter, show } from '@quiesce/internal';

/** The key under which an object offers its {@link SourceProtocol}; the same in every copy of this package. */
export const source: unique symbol = Symbol.for('quiesce.source') as never;

/** What `poll` answers when no value is ready; the same in every copy of this package. */
export const PENDING: unique symbol = Symbol.for('quiesce.pending') as never;

/**
 * Someone who waits on a source: an intrusive node that the waiting side owns and may use again and again.
 *
 * Make one with `waiter(wake)`, or let a class of your own have all four members, the links `undefined`. The links belong to
 * the source from `park` until `unpark` or `wake`.
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
  /** The waiter behind this one, while parked; for the source's use. */
  next: object | undefined;
  /** The waiter before this one, while parked; for the source's use. */
  prev: object | undefined;
  /** Where it is parked; `undefined`: nowhere. For the source's use. */
  owner: object | undefined;
  /**
   * Says that polling is worth while; called synchronously by the source, which has unparked the waiter before.
   * Must not throw. It may poll, park again, and change anything.
   */
  wake(): void;
}

/**
 * Returns a waiter that is parked nowhere.
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
 * The three acts of a source. Only `poll` consumes; a waiter that is parked and unparked again has taken nothing.
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
   * Registers a waiter behind the others, in O(1). A waiter that is parked here already keeps its place.
   *
   * Poll before and after it. A waiter that parks on a source that is ready need not be woken, and parking may run code
   * that makes the source ready, or that ends the wait: then unpark.
   */
  park(waiter: Waiter): void;
  /** Removes a waiter, in O(1). One that is not parked here is left alone. */
  unpark(waiter: Waiter): void;
  /**
   * `true`: it has one value in its life, or keeps answering the same, so that a loop takes it once. Otherwise it is a
   * stream: each poll takes the next value, and a `ClosedError` ends it.
   */
  readonly once?: true;
  /**
   * Called by whatever makes the source a branch, before it polls any: from then on it takes only when it is polled. What
   * has started by itself, as the promise of `rx.recv()`, then gives back what it has taken.
   */
  defer?(): void;
}

/**
 * Anything that `select` can wait for: tokens, receivers, timers, tasks, and what other libraries make.
 *
 * **Contract.** Wake waiters first come, first served; unpark a waiter before waking it; be in a consistent state
 * before waking, since the woken side may poll at once. A woken waiter that finds nothing parks again.
 *
 * **Cancel safety.** Whatever waits on a source can stop waiting at any time and has then consumed nothing.
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
  /** The protocol; the same object at each reading. */
  readonly [source]: SourceProtocol<T>;
}

/**
 * Whether `value` offers the source protocol.
 * @example
 * ```ts
 * const token = new CancellationToken();
 * console.log(isSource(token), isSource(Promise.resolve())); // => true false
 * ```
 */
export function isSource(value: unknown): value is Source<unknown> {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return false;
  return (value as Partial<Source<unknown>>)[source] !== undefined;
}

/** The protocol of what should be a source. */
export function protocolOf<T>(value: Source<T>, call: string): SourceProtocol<T> {
  if (isSource(value)) {
    const protocol = value[source];
    protocol.defer?.();
    return protocol;
  }
  throw new TypeError(`${call}: expected a source, got ${show(value)}; await promises, and race them with select`);
}

/** What a promise can hand over as it is: anything but a thenable, which promises follow. */
export type Sendable =
  | string
  | number
  | bigint
  | boolean
  | symbol
  | null
  | undefined
  // As in Promise<void>: `undefined`, which need not be written where it is sent.
  | void
  | (object & { readonly then?: never });
