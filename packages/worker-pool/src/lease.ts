import { ClosedError } from '@quiesce/cancellation-token';
import type { SemaphorePermit } from '@quiesce/channel';
import { defineHandle } from '@quiesce/internal';
import type { TrackerGuard } from '@quiesce/scope';

/** What the pool knows of a lease. It does not know the lease itself, so that one that is forgotten is collected. */
export interface Holding<R> {
  readonly resource: R;
  readonly permit: SemaphorePermit;
  /** Counts it among what has to end before the pool has. */
  readonly part: TrackerGuard;
  /** Set once: by the lease that is given back, or by the pool at a deadline. */
  isOver: boolean;
}

/**
 * A resource, until it is given back: `using lease = await pool.acquire()`.
 * @example
 * ```ts
 * const pool = new ResourcePool({ create: async () => ({ query: () => 'a row' }), max: 4 });
 * {
 *   using lease = await pool.acquire();
 *   console.log(lease.resource.query()); // => a row
 * }
 * await pool.close({ timeout: 1_000 });
 * ```
 */
export class Lease<R> implements Disposable {
  /** @internal See `defineHandle`. */
  static readonly completed: object = /* @__PURE__ */ defineHandle(Lease, {
    name: 'lease',
    owns: (value) => #holding in value,
    dispose: 'release',
    facts: ({ pool, isOver }) => ({ pool, isOver }),
  });
  /** How reports call the pool. */
  readonly pool: string;
  readonly #holding: Holding<R>;
  readonly #takeBack: (holding: Holding<R>, isUsable: boolean) => void;
  /** Tells when this lease is collected without having been released, where that is asked for. */
  readonly #watch: TrackerGuard;
  /** The same as `release`. */
  declare readonly [Symbol.dispose]: () => void;

  /** @internal */
  constructor(
    pool: string,
    holding: Holding<R>,
    takeBack: (holding: Holding<R>, isUsable: boolean) => void,
    watch: TrackerGuard,
  ) {
    this.pool = pool;
    this.#holding = holding;
    this.#takeBack = takeBack;
    this.#watch = watch;
  }

  /**
   * What was leased.
   *
   * @throws ClosedError when the lease is over: somebody else may have the resource now
   */
  get resource(): R {
    if (!this.#holding.isOver) return this.#holding.resource;
    throw new ClosedError(`resource: this lease of pool ${JSON.stringify(this.pool)} is over; acquire another one`);
  }

  /** Whether it was given back, or its resource was closed under it. */
  get isOver(): boolean {
    return this.#holding.isOver;
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
    this.#watch.dispose();
    this.#takeBack(this.#holding, isUsable);
  }
}
