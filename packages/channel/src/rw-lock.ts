import { ClosedError, type Tried } from '@quiesce/cancellation-token';
import { Awaitable } from '@quiesce/cancellation-token/internal';
import { checkCount, checkOptions, defineHandle } from '@quiesce/internal';
import { Acquire, PermitQueue } from './permit-queue.ts';
import { type WaitOptions, withLimits } from './wait-options.ts';

/** Options for a new {@link RwLock}. */
export interface RwLockOptions {
  /** The number of readers that may hold the lock at the same time: an integer from 1. Default: 536,870,911, as in Tokio. */
  readonly maxReaders?: number | undefined;
}

/**
 * A lock for many readers or one writer, which may be held across `await`.
 *
 * Use it when readers must not see half of a change that takes several steps. When each change is one step, plain
 * JavaScript needs no lock. When most holders write, use a `Mutex`.
 *
 * It is not reentrant: a reader that acquires the lock again waits without end when a writer is in the queue between.
 *
 * **Cancel safety.** A `read` or `write` that is given up, or loses in `select`, holds nothing. Its place in the queue is
 * lost.
 *
 * **Fairness.** First come, first served. Later readers do not overtake a writer, nor does `tryRead`.
 *
 * @see tokio::sync::RwLock (tokio 1.53)
 * @example
 * ```ts
 * const lock = new RwLock();
 * {
 *   using one = await lock.read();
 *   using two = await lock.read();
 *   console.log(lock.tryWrite()); // => { ok: false, why: 'locked' }
 * }
 * using writer = await lock.write();
 * console.log(lock.tryRead()); // => { ok: false, why: 'locked' }
 * ```
 */
export class RwLock {
  /** @internal See `defineHandle`. */
  static readonly completed: object = /* @__PURE__ */ defineHandle(RwLock, {
    name: 'lock',
    owns: (value) => #queue in value,
    facts: ({ isLocked }) => ({ isLocked }),
  });
  readonly #queue: PermitQueue;
  /** A reader takes one permit of the queue, a writer all of them. */
  readonly #maxReaders: number;

  /**
   * @param options `maxReaders`
   * @throws TypeError for an unknown option, and when `maxReaders` is not a number; RangeError when it is not an integer
   *   from 1
   */
  constructor(options?: RwLockOptions) {
    checkOptions('new RwLock', options, ['maxReaders']);
    const { maxReaders = 2 ** 29 - 1 } = options ?? {};
    checkCount('new RwLock: maxReaders', maxReaders, 1);
    this.#maxReaders = maxReaders;
    this.#queue = new PermitQueue(maxReaders);
  }

  /**
   * Waits for the lock for reading: await it, or make it a branch of `select`.
   *
   * **Timing.** It is in the queue only while something waits for it. The lock is taken once, synchronously, inside the
   * `release` that frees it.
   *
   * @param options `signal` and `timeout` (ms) give up the wait; the time runs from this call
   * @returns a wait that fulfils with a {@link RwLockReadGuard}
   * @throws TypeError when an option has the wrong type; RangeError when `timeout` is negative or NaN. When awaited:
   *   `TimeoutError`; the reason, verbatim, when `signal` is cancelled
   * @see tokio::sync::RwLock::read_owned (tokio 1.53)
   */
  read(options?: WaitOptions): Awaitable<RwLockReadGuard> {
    const queue = this.#queue;
    return new Awaitable(
      withLimits(new Acquire(queue, 1, () => new RwLockReadGuard(queue), lockNeverClosed), options, 'read'),
    );
  }

  /**
   * Waits for the lock for writing, until nothing else holds it. Otherwise as `read`.
   *
   * @param options as for `read`
   * @returns a wait that fulfils with a {@link RwLockWriteGuard}
   * @throws as `read`
   * @see tokio::sync::RwLock::write_owned (tokio 1.53)
   */
  write(options?: WaitOptions): Awaitable<RwLockWriteGuard> {
    const queue = this.#queue;
    const all = this.#maxReaders;
    return new Awaitable(
      withLimits(new Acquire(queue, all, () => new RwLockWriteGuard(queue, all), lockNeverClosed), options, 'write'),
    );
  }

  /**
   * Takes the lock for reading, when no writer holds it or waits for it. Never waits.
   *
   * @returns `{ ok: true, value: guard }`, or `{ ok: false, why: 'locked' }`, also when a writer waits. Test its `ok`: the result is always an object
   * @see tokio::sync::RwLock::try_read_owned (tokio 1.53)
   */
  tryRead(): Tried<RwLockReadGuard, 'locked'> {
    if (!this.#queue.tryAcquire(1)) return { ok: false, why: 'locked' };
    return { ok: true, value: new RwLockReadGuard(this.#queue) };
  }

  /**
   * Takes the lock for writing, when nothing holds it or waits for it. Never waits.
   *
   * @returns `{ ok: true, value: guard }`, or `{ ok: false, why: 'locked' }`. Test its `ok`: the result is always an object
   * @see tokio::sync::RwLock::try_write_owned (tokio 1.53)
   */
  tryWrite(): Tried<RwLockWriteGuard, 'locked'> {
    const all = this.#maxReaders;
    if (!this.#queue.tryAcquire(all)) return { ok: false, why: 'locked' };
    return { ok: true, value: new RwLockWriteGuard(this.#queue, all) };
  }

  /** Whether a reader or a writer holds the lock. */
  get isLocked(): boolean {
    return this.#queue.free < this.#maxReaders;
  }
}

/** The permits that a guard gives back, once. */
class HeldPermits {
  readonly queue: PermitQueue;
  /** 0 after the release. */
  count: number;

  constructor(queue: PermitQueue, count: number) {
    this.queue = queue;
    this.count = count;
  }

  release(left = 0): void {
    const { count } = this;
    if (count === 0) return;
    this.count = 0;
    try {
      this.queue.releaseSafely(count - left);
    } catch (error) {
      // The stack has no room, and nothing has changed: a `finally` further up can still release them.
      this.count = count;
      throw error;
    }
  }
}

/**
 * Holds a {@link RwLock} for reading until it is released: `using guard = await lock.read()`.
 *
 * @see tokio::sync::OwnedRwLockReadGuard (tokio 1.53)
 * @example
 * ```ts
 * const lock = new RwLock();
 * const guard = await lock.read();
 * console.log(lock.tryWrite()); // => { ok: false, why: 'locked' }
 * guard.release();
 * console.log(lock.tryWrite().ok); // => true
 * ```
 */
export class RwLockReadGuard implements Disposable {
  /** @internal See `defineHandle`. */
  static readonly completed: object = /* @__PURE__ */ defineHandle(RwLockReadGuard, {
    name: 'guard',
    owns: (value) => #held in value,
    dispose: 'release',
    facts: ({ isHeld }) => ({ isHeld }),
  });
  readonly #held: HeldPermits;
  /** The same as `release`. */
  declare readonly [Symbol.dispose]: () => void;

  /** @internal */
  constructor(queue: PermitQueue) {
    this.#held = new HeldPermits(queue, 1);
  }

  /** Whether it still holds the lock. */
  get isHeld(): boolean {
    return this.#held.count > 0;
  }

  /** Releases the lock. Synchronous, idempotent. */
  release(): void {
    this.#held.release();
  }
}

/**
 * Holds a {@link RwLock} for writing until it is released: `using guard = await lock.write()`.
 *
 * @see tokio::sync::OwnedRwLockWriteGuard (tokio 1.53)
 * @example
 * ```ts
 * const lock = new RwLock();
 * const guard = await lock.write();
 * console.log(lock.tryRead()); // => { ok: false, why: 'locked' }
 * guard.release();
 * console.log(lock.tryRead().ok); // => true
 * ```
 */
export class RwLockWriteGuard implements Disposable {
  /** @internal See `defineHandle`. */
  static readonly completed: object = /* @__PURE__ */ defineHandle(RwLockWriteGuard, {
    name: 'guard',
    owns: (value) => #held in value,
    dispose: 'release',
    facts: ({ isHeld }) => ({ isHeld }),
  });
  readonly #held: HeldPermits;
  /** The same as `release`. */
  declare readonly [Symbol.dispose]: () => void;

  /** @internal */
  constructor(queue: PermitQueue, all: number) {
    this.#held = new HeldPermits(queue, all);
  }

  /** Whether it still holds the lock. */
  get isHeld(): boolean {
    return this.#held.count > 0;
  }

  /** Releases the lock. Synchronous, idempotent. Does nothing after `downgrade`. */
  release(): void {
    this.#held.release();
  }

  /**
   * Converts the guard to one for reading. No writer gets the lock in between, and readers that are next in the queue get it
   * too. Synchronous.
   *
   * @returns the guard that holds the lock from now on; this one no longer holds it
   * @throws ClosedError when this guard was released or downgraded before
   * @see tokio::sync::OwnedRwLockWriteGuard::downgrade (tokio 1.53)
   * @example
   * ```ts
   * const lock = new RwLock();
   * const writer = await lock.write();
   * using reader = writer.downgrade();
   * console.log(lock.tryRead().ok, lock.tryWrite().ok); // => true false
   * ```
   */
  downgrade(): RwLockReadGuard {
    const held = this.#held;
    if (held.count === 0) throw new ClosedError('downgrade: this guard was released; acquire the lock again');
    const reader = new RwLockReadGuard(held.queue);
    held.release(1);
    return reader;
  }
}

/** Nothing closes the queue of a lock. */
function lockNeverClosed(): ClosedError {
  return new ClosedError('RwLock: this lock was closed');
}
