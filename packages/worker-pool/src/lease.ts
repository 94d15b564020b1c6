import { ClosedError } from '@quiesce/cancellation-token';
import { defineDispose } from '@quiesce/internal';
import type { TrackerGuard } from '@quiesce/scope';

/** What a lease needs of its pool. */
export interface Lessor<R> {
  /** The lease is over; `isUsable`: the next one may have the resource. */
  takeBack(lease: Lease<R>, resource: R, isUsable: boolean): void;
}

/**
 * A resource, until it is given back: `using lease = await pool.acquire()`.
 */
export class Lease<R> implements Disposable {
  /** How reports call the pool. */
  readonly pool: string;
  readonly #lessor: Lessor<R>;
  /** Counts it among the leases; a lease that is forgotten is reported through it. */
  readonly #guard: TrackerGuard;
  /** `undefined`: it was given back, or taken away at a deadline. */
  #held: { readonly resource: R } | undefined;
  /** The same as `release`. */
  declare readonly [Symbol.dispose]: () => void;

  /** @internal */
  constructor(pool: string, lessor: Lessor<R>, resource: R, guard: TrackerGuard) {
    this.pool = pool;
    this.#lessor = lessor;
    this.#held = { resource };
    this.#guard = guard;
  }

  /**
   * What was leased.
   *
   * @throws ClosedError when the lease is over: somebody else may have the resource now
   */
  get resource(): R {
    if (this.#held !== undefined) return this.#held.resource;
    throw new ClosedError(`resource: this lease of pool ${JSON.stringify(this.pool)} is over; acquire another one`);
  }

  /** Gives the resource back for the next one. Synchronous, idempotent. */
  release(): void {
    this.#end(true);
  }

  /** Gives back a resource that is broken: it is closed, and another one is made when needed. Synchronous, idempotent. */
  destroy(): void {
    this.#end(false);
  }

  #end(isUsable: boolean): void {
    const held = this.#held;
    this.#held = undefined;
    if (held === undefined) return;
    this.#lessor.takeBack(this, held.resource, isUsable);
    this.#guard.dispose();
  }
}
defineDispose(Lease.prototype, 'release');
