import { ClosedError, type Tried } from '@quiesce/cancellation-token';
import { Awaitable } from '@quiesce/cancellation-token/internal';
import { checkCount, defineHandle, misused, show } from '@quiesce/internal';
import { Acquire, PermitQueue } from './permit-queue.ts';
import { SemaphorePermit } from './semaphore-permit.ts';
import { type WaitOptions, withLimits } from './wait-options.ts';

/**
 * Limits how many tasks do something at a time, or how much of a resource they use together.
 *
 * Use it to limit concurrency or memory. For one task at a time, use a `Mutex`.
 *
 * **Cancel safety.** An `acquire` that is given up, or loses in `select`, holds nothing and has left the queue.
 *
 * **Fairness.** First come, first served. An acquire of many permits is not overtaken by later ones of few, nor by
 * `tryAcquire`.
 *
 * @see tokio::sync::Semaphore (tokio 1.53)
 * @example
 * ```ts
 * const downloads = new Semaphore(2);
 * {
 *   using permit = await downloads.acquire();
 *   console.log(permit.permitCount, downloads.availablePermits); // => 1 1
 * }
 * console.log(downloads.availablePermits); // => 2
 * ```
 */
export class Semaphore {
  /** @internal See `defineHandle`. */
  static readonly completed: object = /* @__PURE__ */ defineHandle(Semaphore, {
    name: 'semaphore',
    unguarded: ['acquire', 'tryAcquire'],
    owns: (value) => Semaphore.#owns(value),
    facts: ({ availablePermits, isClosed }) => ({ availablePermits, isClosed }),
  });
  /** A proxy has no private field. */
  static #owns(value: object): boolean {
    return #queue in Object(value);
  }
  readonly #queue: PermitQueue;

  /**
   * @param permits the number of permits at first, 0 or more
   * @throws TypeError when `permits` is not a number; RangeError when it is not an integer of 0 or more
   */
  constructor(permits: number) {
    checkCount('new Semaphore: the number of permits', permits, 0);
    this.#queue = new PermitQueue(permits);
  }

  /**
   * Waits for one permit: await it, or make it a branch of `select`.
   *
   * **Timing.** It is in the queue only while something waits for it. The permit is taken once, synchronously, inside the
   * `release` that frees it.
   *
   * @param options `signal` and `timeout` (ms) give up the wait; the time runs from this call
   * @returns a wait that fulfils with a {@link SemaphorePermit}
   * @throws TypeError when an option has the wrong type; RangeError when `timeout` is negative or NaN. When awaited:
   *   `ClosedError` when the semaphore is closed; `TimeoutError`; the reason, verbatim, when `signal` is cancelled
   * @see tokio::sync::Semaphore::acquire_owned (tokio 1.53)
   */
  acquire(options?: WaitOptions): Awaitable<SemaphorePermit> {
    if (!Semaphore.#owns(this)) throw misused(Semaphore.prototype, 'semaphore', 'acquire', this);
    if (typeof options === 'number') {
      throw new TypeError(
        `acquire: the options must be an object, got ${show(options)}: write acquireMany(${options})`,
      );
    }
    return this.#acquire('acquire', 1, options);
  }

  /**
   * Waits for several permits at once. Otherwise as `acquire`. When `count` is more than there are, it waits until
   * enough are added.
   *
   * @param count the number of permits, 0 or more
   * @param options as for `acquire`
   * @throws TypeError when `count` is not a number; RangeError when it is not an integer of 0 or more; otherwise as
   *   `acquire`
   * @see tokio::sync::Semaphore::acquire_many_owned (tokio 1.53)
   */
  acquireMany(count: number, options?: WaitOptions): Awaitable<SemaphorePermit> {
    checkCount('acquireMany: the number of permits', count, 0);
    return this.#acquire('acquireMany', count, options);
  }

  #acquire(call: string, count: number, options: WaitOptions | undefined): Awaitable<SemaphorePermit> {
    const queue = this.#queue;
    const acquire = new Acquire(queue, count, () => new SemaphorePermit(queue, count), closed);
    return new Awaitable(withLimits(acquire, options, call));
  }

  /**
   * Takes a permit if one is free now and nothing waits for it. Never waits.
   *
   * @returns `{ ok: true, value: permit }`, or `{ ok: false, why }`: `no-permits`, also while others wait, or `closed`. Test its `ok`
   * @see tokio::sync::Semaphore::try_acquire_owned (tokio 1.53)
   * @example
   * ```ts
   * const downloads = new Semaphore(1);
   * const tried = downloads.tryAcquire();
   * if (tried.ok) {
   *   using permit = tried.value;
   *   console.log(downloads.tryAcquire()); // => { ok: false, why: 'no-permits' }
   * }
   * ```
   */
  tryAcquire(): Tried<SemaphorePermit, 'no-permits' | 'closed'> {
    if (!Semaphore.#owns(this)) throw misused(Semaphore.prototype, 'semaphore', 'tryAcquire', this);
    return this.tryAcquireMany(1);
  }

  /**
   * Takes several permits at once. Otherwise as `tryAcquire`.
   *
   * @param count the number of permits, 0 or more
   * @returns as `tryAcquire`; `no-permits` also when fewer than `count` are free
   * @throws TypeError when `count` is not a number; RangeError when it is not an integer of 0 or more
   * @see tokio::sync::Semaphore::try_acquire_many_owned (tokio 1.53)
   */
  tryAcquireMany(count: number): Tried<SemaphorePermit, 'no-permits' | 'closed'> {
    checkCount('tryAcquireMany: the number of permits', count, 0);
    if (this.#queue.tryAcquire(count)) return { ok: true, value: new SemaphorePermit(this.#queue, count) };
    return { ok: false, why: this.isClosed ? 'closed' : 'no-permits' };
  }

  /** The number of permits that a new acquire could take; 0 while others wait. */
  get availablePermits(): number {
    return this.#queue.available;
  }

  /**
   * Adds permits, and serves waiters with them. Synchronous.
   *
   * @param count the number of permits, 0 or more
   * @throws TypeError when `count` is not a number; RangeError when it is not an integer of 0 or more, or there would be
   *   more than 2^53-1
   * @see tokio::sync::Semaphore::add_permits (tokio 1.53)
   * @example
   * ```ts
   * const started = new Semaphore(0);
   * const two = started.acquireMany(2).then(() => console.log('two have started'));
   * started.addPermits(1);
   * started.addPermits(1);
   * await two; // => two have started
   * ```
   */
  addPermits(count: number): void {
    checkCount('addPermits: the number of permits', count, 0);
    checkCount('addPermits: the sum', this.#queue.free + count, 0);
    this.#queue.releaseSafely(count);
  }

  /**
   * Removes permits for good, as many as are available now. Synchronous.
   *
   * @param count the largest number of permits, 0 or more
   * @returns the number of permits that were removed
   * @throws TypeError when `count` is not a number; RangeError when it is not an integer of 0 or more
   * @see tokio::sync::Semaphore::forget_permits (tokio 1.53)
   */
  forgetPermits(count: number): number {
    checkCount('forgetPermits: the number of permits', count, 0);
    const forgotten = Math.min(count, this.#queue.available);
    this.#queue.free -= forgotten;
    return forgotten;
  }

  /** Whether `close` was called. */
  get isClosed(): boolean {
    return this.#queue.isClosed;
  }

  /**
   * Refuses to give out more permits: waiters fail with `ClosedError`. Permits that are out stay valid. Synchronous,
   * idempotent.
   *
   * @see tokio::sync::Semaphore::close (tokio 1.53)
   */
  close(): void {
    this.#queue.close();
  }
}

function closed(): ClosedError {
  return new ClosedError('acquire: this semaphore was closed; it gives out no more permits');
}
