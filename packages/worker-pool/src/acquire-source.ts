/**
 * One call of `acquire`, as a source that gives one lease.
 *
 *     NEW ──park──► ACQUIRING ──lease──► LENT ──poll──► TAKEN: every poll returns the same lease
 *      ▲                │                 │
 *      │                └──error──► FAILED: every poll throws the error
 *      └── unpark: the token is cancelled, and a lease that no poll has taken is released
 *
 * Invariants
 *  1. It acquires only while a waiter is parked on it, and runs at most one acquisition at a time.
 *  2. A lease that no poll has taken is released in the step in which it arrives without a waiter, or in which the last
 *     waiter leaves.
 */

import { type CancellationToken, PENDING, type Takeable, type Waiter } from '@quiesce/cancellation-token';
import { parkOn, unparkFrom, type WaiterItem, type WaiterList, wakeAll } from '@quiesce/internal';
import type { Lease } from './lease.ts';

/** Acquires a lease, and calls `onLease` in the step in which the pool lends it. */
export type AcquireLease<R> = (token: CancellationToken, onLease: (lease: Lease<R>) => void) => Promise<void>;

export class AcquireSource<R> implements Takeable<Lease<R>>, WaiterList {
  head: WaiterItem | undefined = undefined;
  readonly once = true;
  /** Cancelled by the signal or the time limit of the call. */
  readonly #limit: CancellationToken;
  readonly #acquire: AcquireLease<R>;
  /** The token of the acquisition while ACQUIRING, or `undefined` in every other state. */
  #token: CancellationToken | undefined = undefined;
  #lease: Lease<R> | undefined = undefined;
  /** Set by the poll that takes the lease. */
  #isTaken = false;
  #failure: { readonly error: unknown } | undefined = undefined;

  constructor(limit: CancellationToken, acquire: AcquireLease<R>) {
    this.#limit = limit;
    this.#acquire = acquire;
  }

  poll(): Lease<R> | typeof PENDING {
    if (this.#failure !== undefined) throw this.#failure.error;
    if (this.#lease === undefined) return PENDING;
    this.#isTaken = true;
    return this.#lease;
  }

  /** Returns a lease to the pool when it arrived before its call became a branch. */
  putBack(lease: Lease<R> | undefined): boolean {
    if (lease === undefined) return true;
    if (lease.isOver) return false;
    this.#isTaken = false;
    this.#abandonUnlessWaited();
    return true;
  }

  park(waiter: Waiter): void {
    parkOn(this, waiter);
    if (this.#token === undefined && this.#lease === undefined && this.#failure === undefined) this.#start();
  }

  unpark(waiter: Waiter): void {
    if (unparkFrom(this, waiter)) this.#abandonUnlessWaited();
  }

  #start(): void {
    const token = this.#limit.childToken();
    this.#token = token;
    const onLease = (lease: Lease<R>): void => {
      if (this.#token === token) {
        this.#token = undefined;
        this.#lease = lease;
        wakeAll(this);
        this.#abandonUnlessWaited();
      } else lease.release();
    };
    const onError = (error: unknown): void => {
      if (this.#token !== token) return;
      this.#token = undefined;
      this.#failure = { error };
      wakeAll(this);
    };
    void this.#acquire(token, onLease)
      .catch(onError)
      .finally(() => token.dispose());
  }

  /** Without a waiter, cancels the acquisition and releases a lease that no poll has taken. */
  #abandonUnlessWaited(): void {
    if (this.head !== undefined) return;
    const token = this.#token;
    this.#token = undefined;
    token?.cancel();
    if (this.#isTaken) return;
    this.#lease?.release();
    this.#lease = undefined;
  }
}
