import { ClosedError } from '@quiesce/cancellation-token';
import type { SemaphorePermit } from '@quiesce/channel';
import { defineHandle } from '@quiesce/internal';
import type { TrackerGuard } from '@quiesce/scope';

/** The pool's record of a lease. It does not refer to the lease, so that a forgotten lease is collected. */
export interface LeaseRecord<R> {
  readonly resource: R;
  readonly permit: SemaphorePermit;
  /** Keeps the pool from being drained until the lease ends. */
  readonly part: TrackerGuard;
  /** Set once: by the lease when it is released, or by the pool at a deadline. */
  isOver: boolean;
}

/**
 * A resource on loan from a {@link ResourcePool}, until it is released: `using lease = await pool.acquire()`.
 *
 * Use it where one block needs the resource; for one call, `pool.use` is shorter.
 * @example
 * ```ts
 * const pool = new ResourcePool({ create: async () => ({ query: () => 'a row' }), max: 4 });
 * {
 *   using lease = await pool.acquire();
 *   console.log(lease.resource.query()); // => a row
 * }
 * await pool.shutdown({ timeout: 1_000 });
 * ```
 */
export class Lease<R> implements Disposable {
  /** @internal See `defineHandle`. */
  static readonly completed: object = /* @__PURE__ */ defineHandle(Lease, {
    name: 'lease',
    owns: (value) => #record in value,
    dispose: 'release',
    facts: ({ pool, isOver }) => ({ pool, isOver }),
  });
  /** Name of the pool, as reports show it. */
  readonly pool: string;
  readonly #record: LeaseRecord<R>;
  readonly #takeBack: (record: LeaseRecord<R>, isUsable: boolean) => void;
  /** With `leakDetection`, reports this lease when it is collected without having been released. */
  readonly #leakGuard: TrackerGuard;
  /** The same as `release`. */
  declare readonly [Symbol.dispose]: () => void;

  /** @internal */
  constructor(
    pool: string,
    record: LeaseRecord<R>,
    takeBack: (record: LeaseRecord<R>, isUsable: boolean) => void,
    leakGuard: TrackerGuard,
  ) {
    this.pool = pool;
    this.#record = record;
    this.#takeBack = takeBack;
    this.#leakGuard = leakGuard;
  }

  /**
   * The leased resource.
   *
   * @throws ClosedError when the lease is over: the pool may have lent the resource again
   */
  get resource(): R {
    if (!this.#record.isOver) return this.#record.resource;
    throw new ClosedError(`resource: this lease of pool ${JSON.stringify(this.pool)} is over; acquire another one`);
  }

  /** Whether the lease was released, or the pool closed its resource at a deadline. */
  get isOver(): boolean {
    return this.#record.isOver;
  }

  /** Returns the resource to the pool, which lends it again. Synchronous, idempotent. */
  release(): void {
    this.#end(true);
  }

  /** Returns a broken resource: the pool closes it, and makes another one when needed. Synchronous, idempotent. */
  destroy(): void {
    this.#end(false);
  }

  #end(isUsable: boolean): void {
    this.#leakGuard.dispose();
    this.#takeBack(this.#record, isUsable);
  }
}
