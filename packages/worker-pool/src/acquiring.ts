/**
 * One `acquire`, as a source with one answer.
 *
 *     NEW ──park──► ACQUIRING ──lease──► LENT ──poll──► TAKEN: answers the same for ever
 *      ▲                │                 │
 *      │                └──error──► FAILED, for ever
 *      └── unpark: its token is cancelled, and a lease that nothing has taken is released
 *
 * Invariants
 *  1. It acquires while something is parked on it, and at most once at a time.
 *  2. A lease that nothing has polled is released in the step in which it arrives, or in which the last waiter leaves.
 */

import { type CancellationToken, PENDING, type Takeable, type Waiter } from '@quiesce/cancellation-token';
import { parkOn, unparkFrom, type WaiterItem, type WaiterList, wakeAll } from '@quiesce/internal';
import type { Lease } from './lease.ts';

/** Acquires, and calls `lent` in the step in which it lends. */
export type Acquire<R> = (token: CancellationToken, lent: (lease: Lease<R>) => void) => Promise<void>;

export class Acquiring<R> implements Takeable<Lease<R>>, WaiterList {
  head: WaiterItem | undefined = undefined;
  readonly once = true;
  /** Gives it up: the signal and the time limit of the call. */
  readonly #until: CancellationToken;
  readonly #acquire: Acquire<R>;
  /** While ACQUIRING. */
  #token: CancellationToken | undefined = undefined;
  #lease: Lease<R> | undefined = undefined;
  /** Set by the poll that takes the lease. */
  #isTaken = false;
  #failure: { readonly error: unknown } | undefined = undefined;

  constructor(until: CancellationToken, acquire: Acquire<R>) {
    this.#until = until;
    this.#acquire = acquire;
  }

  poll(): Lease<R> | typeof PENDING {
    if (this.#failure !== undefined) throw this.#failure.error;
    if (this.#lease === undefined) return PENDING;
    this.#isTaken = true;
    return this.#lease;
  }

  /** A lease that came before its call became a branch goes back to the pool. */
  putBack(lease: Lease<R> | undefined): boolean {
    if (lease === undefined) return true;
    if (lease.isOver) return false;
    this.#isTaken = false;
    this.#leave();
    return true;
  }

  park(waiter: Waiter): void {
    parkOn(this, waiter);
    if (this.#token === undefined && this.#lease === undefined && this.#failure === undefined) this.#start();
  }

  unpark(waiter: Waiter): void {
    if (unparkFrom(this, waiter)) this.#leave();
  }

  #start(): void {
    const token = this.#until.childToken();
    this.#token = token;
    const lent = (lease: Lease<R>): void => {
      if (this.#token === token) {
        this.#token = undefined;
        this.#lease = lease;
        wakeAll(this);
        this.#leave();
      } else lease.release();
    };
    const failed = (error: unknown): void => {
      if (this.#token !== token) return;
      this.#token = undefined;
      this.#failure = { error };
      wakeAll(this);
    };
    void this.#acquire(token, lent)
      .catch(failed)
      .finally(() => token.dispose());
  }

  #leave(): void {
    if (this.head !== undefined) return;
    const token = this.#token;
    this.#token = undefined;
    token?.cancel();
    if (this.#isTaken) return;
    this.#lease?.release();
    this.#lease = undefined;
  }
}
