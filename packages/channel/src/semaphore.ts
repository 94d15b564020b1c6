import { ClosedError } from '@quiesce/cancellation-token';
import { checkCount, defineHandle, misused, show } from '@quiesce/internal';
import { Awaitable } from './awaitable.ts';
import { Acquire, PermitQueue } from './permit-queue.ts';
import { SemaphorePermit } from './semaphore-permit.ts';
import { type WaitOptions, withLimits } from './wait-options.ts';

/**
 * Lets so many do something at a time, or use so much of something.
 *
 * **Cancel safety.** An `acquire` that is given up, or loses in `select`, holds nothing and has given its place up.
 *
 * **Fairness.** First come, first served; one that waits for many is not overtaken by those behind it that want few, nor
 * by `tryAcquire`.
 *
 * @see tokio::sync::Semaphore (tokio 1.53)
 * @example
 * ```ts
 * const downloads = new Semaphore(2);
 * {
 *   using permit = await downloads.acquire();
 *   console.log(permit.count, downloads.availablePermits); // => 1 1
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
   * @param permits how many there are at first, 0 or more
   * @throws RangeError when `permits` is not an integer of 0 or more
   */
  constructor(permits: number) {
    checkCount('new Semaphore: the number of permits', permits, 0);
    this.#queue = new PermitQueue(permits);
  }

  /**
   * Waits for one permit: await it, or make it a branch of `select`.
   *
   * **Timing.** It stands in line only while somebody waits for it; the permit is taken, once, by whoever asks first
   * when it is its turn, synchronously inside the `release` that makes it so.
   *
   * @param options `signal` and `timeout` give it up; the time runs from this call
   * @returns a place in the queue, which gives a {@link SemaphorePermit}
   * @throws TypeError when `signal` is no signal; RangeError when `timeout` is no time. When awaited: `ClosedError` when
   *   the semaphore is closed; `TimeoutError`; the reason, verbatim, when `signal` is cancelled
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
   * Waits for several permits at once; otherwise as `acquire`. More than there are is waited for until they are added.
   *
   * @param count how many, 0 or more
   * @param options as of `acquire`
   * @throws RangeError when `count` is not an integer of 0 or more; and as `acquire`
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
   * A permit if one is free now and nobody waits for it; never waits.
   *
   * @returns the permit, or `undefined`, with both of which `using` is content
   * @throws ClosedError when the semaphore is closed
   * @see tokio::sync::Semaphore::try_acquire_owned (tokio 1.53)
   */
  tryAcquire(): SemaphorePermit | undefined {
    if (!Semaphore.#owns(this)) throw misused(Semaphore.prototype, 'semaphore', 'tryAcquire', this);
    return this.tryAcquireMany(1);
  }

  /**
   * Several permits at once; otherwise as `tryAcquire`.
   *
   * @param count how many, 0 or more
   * @throws RangeError when `count` is not an integer of 0 or more; ClosedError when the semaphore is closed
   */
  tryAcquireMany(count: number): SemaphorePermit | undefined {
    checkCount('tryAcquireMany: the number of permits', count, 0);
    if (this.isClosed) throw closed();
    return this.#queue.tryAcquire(count) ? new SemaphorePermit(this.#queue, count) : undefined;
  }

  /** How many permits a newcomer could have; 0 while somebody waits. */
  get availablePermits(): number {
    return this.#queue.available;
  }

  /**
   * Adds permits, and with them serves who waits. Synchronous.
   *
   * @param count how many, 0 or more
   * @throws RangeError when `count` is not an integer of 0 or more, or there would be more than 2^53-1
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
   * Takes permits away for good, as many of them as are available now. Synchronous.
   *
   * @param count how many at most, 0 or more
   * @returns how many were taken away
   * @throws RangeError when `count` is not an integer of 0 or more
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
   * Gives out no more permits: who waits fails with `ClosedError`. Those that are out stay valid. Synchronous, idempotent.
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
