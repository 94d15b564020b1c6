import { ClosedError, type Tried } from '@quiesce/cancellation-token';
import { Awaitable } from '@quiesce/cancellation-token/internal';
import { defineHandle, misused, refuseExtra } from '@quiesce/internal';
import { Acquire, PermitQueue } from './permit-queue.ts';
import { type WaitOptions, withLimits } from './wait-options.ts';

/**
 * A mutual-exclusion lock that may be held across `await`.
 *
 * Use it when a change takes several steps with `await` between them. When each change is one step, plain JavaScript needs
 * no lock. When most holders only read, use an `RwLock`.
 *
 * It is not reentrant: a task that holds it and acquires it again waits without end. A cleanup can use `tryAcquire` or
 * `acquire({ timeout })`, and continue without the lock.
 *
 * **Cancel safety.** An `acquire` that is given up, or loses in `select`, holds nothing and has left the queue.
 *
 * **Fairness.** First come, first served. `tryAcquire` does not overtake either.
 *
 * @see tokio::sync::Mutex (tokio 1.53)
 * @example
 * ```ts
 * const lock = new Mutex();
 * {
 *   using guard = await lock.acquire();
 *   console.log(lock.isLocked, lock.tryAcquire()); // => true { ok: false, why: 'locked' }
 * }
 * console.log(lock.isLocked); // => false
 * ```
 */
export class Mutex {
  /** @internal See `defineHandle`. */
  static readonly completed: object = /* @__PURE__ */ defineHandle(Mutex, {
    name: 'mutex',
    unguarded: ['acquire', 'tryAcquire'],
    owns: (value) => Mutex.#owns(value),
    facts: ({ isLocked }) => ({ isLocked }),
  });
  /** A proxy has no private field. */
  static #owns(value: object): boolean {
    return #queue in Object(value);
  }
  readonly #queue: PermitQueue = new PermitQueue(1);

  /** Makes an unlocked mutex. */
  constructor();
  constructor(extra?: unknown) {
    refuseExtra('new Mutex', extra, 'a mutex guards code, and holds no value');
  }

  /**
   * Waits for the lock: await it, or make it a branch of `select`.
   *
   * **Timing.** It is in the queue only while something waits for it. The lock is taken once, synchronously, inside the
   * `release` that frees it.
   *
   * @param options `signal` and `timeout` (ms) give up the wait; the time runs from this call
   * @returns a wait that fulfils with a {@link MutexGuard}
   * @throws TypeError when an option has the wrong type; RangeError when `timeout` is negative or NaN. When awaited:
   *   `TimeoutError`; the reason, verbatim, when `signal` is cancelled
   * @see tokio::sync::Mutex::lock_owned (tokio 1.53)
   */
  acquire(options?: WaitOptions): Awaitable<MutexGuard> {
    if (!Mutex.#owns(this)) throw misused(Mutex.prototype, 'mutex', 'acquire', this);
    const queue = this.#queue;
    return new Awaitable(
      withLimits(new Acquire(queue, 1, () => new MutexGuard(queue), neverClosed), options, 'acquire'),
    );
  }

  /**
   * Takes the lock when nothing holds it or waits for it. Never waits.
   *
   * @returns `{ ok: true, value: guard }`, or `{ ok: false, why: 'locked' }`. Test its `ok`: the result is always an object
   * @see tokio::sync::Mutex::try_lock_owned (tokio 1.53)
   * @example
   * ```ts
   * const lock = new Mutex();
   * const tried = lock.tryAcquire();
   * if (tried.ok) {
   *   using guard = tried.value;
   *   console.log(lock.isLocked); // => true
   * }
   * console.log(lock.isLocked); // => false
   * ```
   */
  tryAcquire(): Tried<MutexGuard, 'locked'> {
    if (!Mutex.#owns(this)) throw misused(Mutex.prototype, 'mutex', 'tryAcquire', this);
    return this.#queue.tryAcquire(1) ? { ok: true, value: new MutexGuard(this.#queue) } : { ok: false, why: 'locked' };
  }

  /** Whether the lock is held. */
  get isLocked(): boolean {
    return this.#queue.free === 0;
  }
}

/**
 * Holds the lock of a {@link Mutex} until it is released: `using guard = await lock.acquire()`.
 *
 * @see tokio::sync::OwnedMutexGuard (tokio 1.53)
 * @example
 * ```ts
 * const lock = new Mutex();
 * const guard = await lock.acquire();
 * console.log(lock.isLocked); // => true
 * guard.release();
 * console.log(lock.isLocked); // => false
 * ```
 */
export class MutexGuard implements Disposable {
  /** @internal See `defineHandle`. */
  static readonly completed: object = /* @__PURE__ */ defineHandle(MutexGuard, {
    name: 'guard',
    dispose: 'release',
    unguarded: ['release'],
    owns: (value) => MutexGuard.#owns(value),
    facts: (guard) => ({ isHeld: guard.#queue !== undefined }),
  });
  /** A proxy has no private field. */
  static #owns(value: object): boolean {
    return #queue in Object(value);
  }
  /** The queue of the lock, or `undefined` after `release`. */
  #queue: PermitQueue | undefined;
  /** The same as `release`. */
  declare readonly [Symbol.dispose]: () => void;

  /** @internal */
  constructor(queue: PermitQueue) {
    this.#queue = queue;
  }

  /** Releases the lock to the next waiter. Synchronous, idempotent. */
  release(): void {
    if (!MutexGuard.#owns(this)) throw misused(MutexGuard.prototype, 'guard', 'release', this);
    const queue = this.#queue;
    this.#queue = undefined;
    try {
      queue?.releaseSafely(1);
    } catch (error) {
      // The stack has no room, and nothing has changed: a `finally` further up can still release the lock.
      this.#queue = queue;
      throw error;
    }
  }
}

/** Nothing closes the queue of a mutex. */
function neverClosed(): ClosedError {
  return new ClosedError('acquire: this mutex was closed');
}
