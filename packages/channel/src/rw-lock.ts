import { ClosedError } from '@quiesce/cancellation-token';
import { checkCount, checkOptions, defineHandle } from '@quiesce/internal';
import { Awaitable } from './awaitable.ts';
import { Acquire, PermitQueue } from './permit-queue.ts';
import { type WaitOptions, withLimits } from './wait-options.ts';

/** Options for a new {@link RwLock}. */
export interface RwLockOptions {
  /** How many readers may hold the lock at the same time: an integer from 1. Default: 536,870,911, as in Tokio. */
  readonly maxReaders?: number | undefined;
}

/**
 * Lets many readers in at a time, or one writer, also across `await`.
 *
 * Use it when readers must not see half of a change that takes several steps. When each change is one step, plain
 * JavaScript needs no lock. When most holders write, use a `Mutex`.
 *
 * It is not reentrant: a reader that waits for the lock again waits for ever when a writer stands between.
 *
 * **Cancel safety.** A `read` or `write` that is given up, or loses in `select`, holds nothing. Its place in the queue is
 * lost.
 *
 * **Fairness.** First come, first served: a writer is not overtaken by readers that come later, nor by `tryRead`.
 *
 * @see tokio::sync::RwLock (tokio 1.53)
 * @example
 * ```ts
 * const lock = new RwLock();
 * {
 *   using one = await lock.read();
 *   using two = await lock.read();
 *   console.log(lock.tryWrite()); // => undefined
 * }
 * using writer = await lock.write();
 * console.log(lock.tryRead()); // => undefined
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
  /** A reader takes one unit of the queue, a writer all of them. */
  readonly #maxReaders: number;

  /**
   * @param options `maxReaders`
   * @throws RangeError when `maxReaders` is not an integer from 1; TypeError for an unknown option
   */
  constructor(options?: RwLockOptions) {
    checkOptions('new RwLock', options, ['maxReaders']);
    const { maxReaders = 2 ** 29 - 1 } = options ?? {};
    checkCount('new RwLock: maxReaders', maxReaders, 1);
    this.#maxReaders = maxReaders;
    this.#queue = new PermitQueue(maxReaders);
  }

  /**
   * Waits until the lock can be read: await it, or make it a branch of `select`.
   *
   * **Timing.** It stands in line only while something waits for it. The lock is taken once, synchronously inside of the
   * `release` that frees it.
   *
   * @param options `signal` and `timeout` (ms) give it up; the time runs from this call
   * @returns a place in the queue, which gives a {@link RwLockReadGuard}
   * @throws TypeError when `signal` is no signal; RangeError when `timeout` is no time. When awaited: `TimeoutError`; the
   *   reason, verbatim, when `signal` is cancelled
   * @see tokio::sync::RwLock::read_owned (tokio 1.53)
   */
  read(options?: WaitOptions): Awaitable<RwLockReadGuard> {
    const queue = this.#queue;
    return new Awaitable(
      withLimits(new Acquire(queue, 1, () => new RwLockReadGuard(queue), lockNeverClosed), options, 'read'),
    );
  }

  /**
   * Waits until nothing else holds the lock. Otherwise as `read`.
   *
   * @param options as of `read`
   * @returns a place in the queue, which gives a {@link RwLockWriteGuard}
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
   * @returns the guard, or `undefined`; `using` accepts both
   * @see tokio::sync::RwLock::try_read_owned (tokio 1.53)
   */
  tryRead(): RwLockReadGuard | undefined {
    return this.#queue.tryAcquire(1) ? new RwLockReadGuard(this.#queue) : undefined;
  }

  /**
   * Takes the lock for writing, when nothing holds it or waits for it. Never waits.
   *
   * @returns the guard, or `undefined`; `using` accepts both
   * @see tokio::sync::RwLock::try_write_owned (tokio 1.53)
   */
  tryWrite(): RwLockWriteGuard | undefined {
    return this.#queue.tryAcquire(this.#maxReaders) ? new RwLockWriteGuard(this.#queue, this.#maxReaders) : undefined;
  }

  /** Whether a reader or a writer holds the lock. */
  get isLocked(): boolean {
    return this.#queue.free < this.#maxReaders;
  }
}

/** The count that a guard gives back, once. */
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
      // No room on the stack, and nothing has changed: a `finally` further up can still release them.
      this.count = count;
      throw error;
    }
  }
}

/**
 * A {@link RwLock} that is held for reading, until it is released: `using guard = await lock.read()`.
 *
 * @see tokio::sync::OwnedRwLockReadGuard (tokio 1.53)
 * @example
 * ```ts
 * const lock = new RwLock();
 * const guard = await lock.read();
 * console.log(lock.tryWrite()); // => undefined
 * guard.release();
 * console.log(lock.tryWrite() !== undefined); // => true
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
 * A {@link RwLock} that is held for writing, until it is released: `using guard = await lock.write()`.
 *
 * @see tokio::sync::OwnedRwLockWriteGuard (tokio 1.53)
 * @example
 * ```ts
 * const lock = new RwLock();
 * const guard = await lock.write();
 * console.log(lock.tryRead()); // => undefined
 * guard.release();
 * console.log(lock.tryRead() !== undefined); // => true
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

  /** Releases the lock. Synchronous, idempotent; does nothing after `downgrade`. */
  release(): void {
    this.#held.release();
  }

  /**
   * Turns the lock into one for reading. No writer comes in between, and readers that wait next come in. Synchronous.
   *
   * @returns the guard that holds the lock from now on; this one holds nothing any more
   * @throws ClosedError when this guard was released or downgraded before
   * @see tokio::sync::OwnedRwLockWriteGuard::downgrade (tokio 1.53)
   * @example
   * ```ts
   * const lock = new RwLock();
   * const writer = await lock.write();
   * using reader = writer.downgrade();
   * console.log(lock.tryRead() !== undefined, lock.tryWrite()); // => true undefined
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

/** Nothing closes the line of a lock. */
function lockNeverClosed(): ClosedError {
  return new ClosedError('RwLock: this lock was closed');
}
