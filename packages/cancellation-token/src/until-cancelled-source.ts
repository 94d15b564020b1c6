/**
 * Tokio's `run_until_cancelled` as a source.
 *
 * Invariants
 *  1. The first poll polls the token, and does not poll the work when the token is cancelled.
 *  2. Every later poll polls the work first: on a tie the value wins.
 *  3. The invariants of a wait, at the head of source.ts, hold for the two together; `Pair` keeps them.
 */

import { Pair } from '@quiesce/internal';
import { PENDING, type SourceProtocol, type Waiter } from './source.ts';

/** The result of `runUntilCancelled`. */
export type UntilCancelled<T> =
  | { readonly status: 'fulfilled'; readonly value: T }
  | { readonly status: 'cancelled'; readonly reason: unknown };

export class UntilCancelledSource<T> implements SourceProtocol<UntilCancelled<T>> {
  /** As that of the work; and once the token is cancelled, since the result is then always the same. */
  once?: true;
  readonly #token: SourceProtocol<unknown>;
  readonly #work: SourceProtocol<T>;
  #isPolled = false;
  readonly #parking: Pair;

  constructor(token: SourceProtocol<unknown>, work: SourceProtocol<T>) {
    this.#token = token;
    this.#work = work;
    if (this.#work.once) this.once = true;
    this.#parking = new Pair(this.#token, this.#work);
  }

  poll(): UntilCancelled<T> | typeof PENDING {
    if (!this.#isPolled) {
      this.#isPolled = true;
      return this.#pollToken() ?? this.#pollWork();
    }
    const value = this.#pollWork();
    return value === PENDING ? (this.#pollToken() ?? PENDING) : value;
  }

  park(waiter: Waiter): void {
    this.#parking.park(waiter);
  }

  unpark(waiter: Waiter): void {
    this.#parking.unpark(waiter);
  }

  #pollToken(): UntilCancelled<T> | undefined {
    const reason = this.#token.poll();
    if (reason === PENDING) return undefined;
    this.once = true;
    return { status: 'cancelled', reason };
  }

  #pollWork(): UntilCancelled<T> | typeof PENDING {
    const value = this.#work.poll();
    return value === PENDING ? PENDING : { status: 'fulfilled', value };
  }
}
