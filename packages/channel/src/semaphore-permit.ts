import { checkCount, checkKind, defineHandle, misused } from '@quiesce/internal';
import type { PermitQueue } from './permit-queue.ts';

/**
 * Holds permits of a semaphore until they are released: `using permit = await semaphore.acquire()`.
 *
 * @see tokio::sync::OwnedSemaphorePermit (tokio 1.53)
 * @example
 * ```ts
 * const memory = new Semaphore(100);
 * const mine = await memory.acquireMany(60);
 * mine.split(20)?.release();
 * console.log(mine.permitCount, memory.availablePermits); // => 40 60
 * ```
 */
export class SemaphorePermit implements Disposable {
  /** @internal See `defineHandle`. */
  static readonly completed: object = /* @__PURE__ */ defineHandle(SemaphorePermit, {
    name: 'permit',
    dispose: 'release',
    unguarded: ['release'],
    owns: (value) => SemaphorePermit.#owns(value),
    facts: ({ permitCount }) => ({ permitCount }),
  });
  /** A proxy has no private field. */
  static #owns(value: object): boolean {
    return #queue in Object(value);
  }
  readonly #queue: PermitQueue;
  /** The permits to release: fewer after `split`, more after `merge`, none after `release` and `forget`. */
  #count: number;
  /** The same as `release`. */
  declare readonly [Symbol.dispose]: () => void;

  /** @internal */
  constructor(queue: PermitQueue, count: number) {
    this.#queue = queue;
    this.#count = count;
  }

  /** The number of permits; 0 after `release`. */
  get permitCount(): number {
    return this.#count;
  }

  /** Gives the permits to the next waiters. Synchronous, idempotent. */
  release(): void {
    if (!SemaphorePermit.#owns(this)) throw misused(SemaphorePermit.prototype, 'permit', 'release', this);
    const count = this.#count;
    this.#count = 0;
    try {
      this.#queue.releaseSafely(count);
    } catch (error) {
      // The stack has no room, and nothing has changed: a `finally` further up can still release them.
      this.#count = count;
      throw error;
    }
  }

  /**
   * Removes these permits from the semaphore for good. Synchronous, idempotent.
   *
   * @returns the number of permits
   * @see tokio::sync::OwnedSemaphorePermit::forget (tokio 1.53)
   */
  forget(): number {
    const count = this.#count;
    this.#count = 0;
    return count;
  }

  /**
   * Splits off some of these permits, which are released separately.
   *
   * @param count the number of permits, 0 or more
   * @returns the permits, or `undefined` when there are not enough
   * @throws TypeError when `count` is not a number; RangeError when it is not an integer of 0 or more
   * @see tokio::sync::OwnedSemaphorePermit::split (tokio 1.53)
   */
  split(count: number): SemaphorePermit | undefined {
    checkCount('split: the number of permits', count, 0);
    if (count > this.#count) return undefined;
    this.#count -= count;
    return new SemaphorePermit(this.#queue, count);
  }

  /**
   * Takes over all permits of another object, which is then empty.
   *
   * @throws TypeError when the other one belongs to another semaphore, or is the same object
   * @see tokio::sync::OwnedSemaphorePermit::merge (tokio 1.53)
   */
  merge(other: SemaphorePermit): void {
    checkKind(SemaphorePermit.#owns(other), 'merge', 'a permit of a semaphore, and no proxy of one', other);
    if (other === this || other.#queue !== this.#queue) {
      throw new TypeError('merge: the other permit must be another one of the same semaphore');
    }
    this.#count += other.forget();
  }
}
