import { ClosedError } from '@quiesce/cancellation-token';
import { defineHandle, misused, refuseExtra } from '@quiesce/internal';
import { Awaitable } from './awaitable.ts';
import { Acquire, PermitQueue } from './permit-queue.ts';
import { type WaitOptions, withLimits } from './wait-options.ts';

/**
 * Lets one at a time into what must not be done by two at once, also across `await`.
 *
 * It is not reentrant: who holds it and waits for it waits for ever. In a cleanup, `tryAcquire` or `acquire({ timeout })`
 * goes on without it.
 *
 * **Cancel safety.** An `acquire` that is given up, or loses in `select`, holds nothing and has given its place up.
 *
 * **Fairness.** First come, first served; not even `tryAcquire` overtakes.
 *
 * @see tokio::sync::Mutex (tokio 1.53)
 * @example
 * ```ts
 * const lock = new Mutex();
 * {
 *   using guard = await lock.acquire();
 *   console.log(lock.isLocked, lock.tryAcquire()); // => true undefined
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

  /** Makes one that is free. */
  constructor();
  constructor(extra?: unknown) {
    refuseExtra('new Mutex', extra, 'a mutex guards code, and holds no value');
  }

  /**
   * Waits until nobody else holds the lock: await it, or make it a branch of `select`.
   *
   * **Timing.** It stands in line only while somebody waits for it; the lock is taken, once, by whoever asks first when
   * it is its turn, synchronously inside the `release` that makes it so.
   *
   * @param options `signal` and `timeout` give it up; the time runs from this call
   * @returns a place in the queue, which gives a {@link MutexGuard}
   * @throws TypeError when `signal` is no signal; RangeError when `timeout` is no time. When awaited: `TimeoutError`; the
   *   reason, verbatim, when `signal` is cancelled
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
   * The lock if nobody holds it now or waits for it; never waits.
   *
   * @returns the guard, or `undefined`, with both of which `using` is content
   * @see tokio::sync::Mutex::try_lock_owned (tokio 1.53)
   */
  tryAcquire(): MutexGuard | undefined {
    if (!Mutex.#owns(this)) throw misused(Mutex.prototype, 'mutex', 'tryAcquire', this);
    return this.#queue.tryAcquire(1) ? new MutexGuard(this.#queue) : undefined;
  }

  /** Whether somebody holds the lock. */
  get isLocked(): boolean {
    return this.#queue.free === 0;
  }
}

/**
 * The lock of a {@link Mutex}, until it is released: `using guard = await lock.acquire()`.
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
  /** Set to `undefined` by `release`. */
  #queue: PermitQueue | undefined;
  /** The same as `release`. */
  declare readonly [Symbol.dispose]: () => void;

  /** @internal */
  constructor(queue: PermitQueue) {
    this.#queue = queue;
  }

  /** Gives the lock to the next in queue. Synchronous, idempotent. */
  release(): void {
    if (!MutexGuard.#owns(this)) throw misused(MutexGuard.prototype, 'guard', 'release', this);
    const queue = this.#queue;
    this.#queue = undefined;
    try {
      queue?.releaseSafely(1);
    } catch (error) {
      // No room on the stack, and nothing has changed: a `finally` further up can still release it.
      this.#queue = queue;
      throw error;
    }
  }
}

/** Nobody closes the line of a mutex. */
function neverClosed(): ClosedError {
  return new ClosedError('acquire: this mutex was closed');
}
