/**
 * Lends resources, up to `max` at the same time.
 *
 *     acquire ──► waits for a permit ──► (an idle resource │ a new one) ──► LEASED ──release──► IDLE
 *                                                                             └─destroy, or a closed pool──► closed
 *
 * Invariants
 *  1. Each permit of the semaphore belongs to a lease, or to a resource that is being made. There are never more resources
 *     than permits, apart from those that are being closed.
 *  2. A lease, a resource that is being made and a resource that is being closed each hold one guard of `parts`. `stop`
 *     closes `parts`, which is then empty exactly when every resource is closed.
 *  3. A resource is either idle, or leased once, or being closed. It is closed once.
 */

import {
  CancellationToken,
  type Clock,
  ClosedError,
  consumeSlice,
  isClosedError,
  reportUncaught,
  type SourcePromise,
  sourcePromise,
  systemClock,
} from '@quiesce/cancellation-token';
import { Semaphore, type SemaphorePermit } from '@quiesce/channel';
import { checkCount, checkFunction, checkOptions, checkTime, defineHandle } from '@quiesce/internal';
import { type Drainable, TaskTracker, type TrackerGuard } from '@quiesce/scope';
import { AcquireSource } from './acquire-source.ts';
import { Lease, type LeaseRecord } from './lease.ts';
import { ResourceCloser } from './resource-closer.ts';
import { ResourceCreator } from './resource-creator.ts';

/** Options for a new resource pool. */
export interface ResourcePoolOptions<R> {
  /**
   * Makes a resource when none is idle. Its token is cancelled when the `acquire` that needs the resource is given up, and
   * at the deadline of `shutdown` or `drain`, and by `abort`.
   */
  readonly create: (token: CancellationToken) => R | PromiseLike<R>;
  /** Closes a resource. Default: a resource needs no closing. */
  readonly close?: ((resource: R) => unknown) | undefined;
  /** Called before an idle resource is lent again. The pool closes an unusable resource, and makes another one. */
  readonly isUsable?: ((resource: R) => boolean) | undefined;
  /** The largest number of resources: an integer from 1, or `Infinity`. */
  readonly max: number;
  /** How many milliseconds, 0 to `Infinity`, closing one resource may take. Default: 5,000. */
  readonly closeTimeout?: number | undefined;
  /** Name shown in reports and errors. Default: `resources`. */
  readonly name?: string | undefined;
  /** Reports leases that are collected unreleased, as a `LeakError` to the uncaught handler. Default: false. */
  readonly leakDetection?: boolean | undefined;
  /** The clock for time limits. Default: the platform's. */
  readonly clock?: Clock | undefined;
}

const poolOptions = ['create', 'close', 'isUsable', 'max', 'closeTimeout', 'name', 'clock'];

/** Options for `acquire` and `use`. */
export interface AcquireOptions {
  /** Gives up the acquisition when it is cancelled. */
  readonly signal?: CancellationToken | AbortSignal | undefined;
  /**
   * Gives up with a `TimeoutError` after this many milliseconds, 0 to `Infinity`. The time to make a resource counts.
   * Default: no limit.
   */
  readonly timeout?: number | undefined;
}

/** How the resources of a pool ended. */
export interface ResourcePoolReport {
  /** How many resources were closed. */
  readonly closedCount: number;
  /**
   * The errors of `close`, in order, with a `TimeoutError` for each resource that took too long to close. A pool that still
   * lends keeps the last 100. Unless a call of `pool.shutdown` is running, each of these errors also goes to the uncaught
   * handler, or is printed on stderr.
   */
  readonly failed: readonly unknown[];
  /** How many resources took too long to close. The pool no longer waits for them. */
  readonly timedOutCount: number;
  /** How many resources were still leased at the deadline, and closed. */
  readonly cutOffCount: number;
  /** How often `create` failed after its `acquire` had been given up. `acquire` throws all other errors of `create`. */
  readonly createFailedCount: number;
  /** The last of these errors. Only this report shows it. Absent when there were none. */
  readonly lastCreateError?: unknown;
  /**
   * How many resources are being made now. After the deadline, those whose `create` ignores its token. Each is closed when
   * it arrives.
   */
  readonly creatingCount: number;
}

/**
 * A pool of connections, or of other resources that are expensive to make and have to be closed.
 *
 * Use it when a driver has no pool of its own, or when leases have to take part in a shutdown. To limit concurrency
 * without a resource, a `Semaphore` is enough.
 *
 * **Cancel safety.** An `acquire` that is given up has taken nothing. A resource that was being made for it goes to the
 * next `acquire`.
 *
 * **Fairness.** First in, first out. Among idle resources, the one that was released last is lent first.
 *
 * @example
 * ```ts
 * const pool = new ResourcePool({ create: async () => ({ id: 1 }), close: ({ id }) => console.log('closed', id), max: 2 });
 * {
 *   using lease = await pool.acquire();
 *   console.log('got', lease.resource.id); // => got 1
 * }
 * const report = await pool.shutdown({ timeout: 1_000 }); // => closed 1
 * console.log(report.closedCount, report.cutOffCount); // => 1 0
 * ```
 */
export class ResourcePool<R> implements Drainable {
  /** @internal See `defineHandle`. */
  static readonly completed: object = /* @__PURE__ */ defineHandle(ResourcePool, {
    name: 'pool',
    owns: (value) => #parts in value,
    facts: ({ name, inFlightCount, idleCount, isClosed }) => ({ name, inFlightCount, idleCount, isClosed }),
  });
  /** Name shown in reports and errors. */
  readonly name: string;
  readonly #permits: Semaphore;
  /** Makes the guards that report forgotten leases, with `leakDetection`. */
  readonly #leakTracker: TaskTracker;
  /** See invariant 2. */
  readonly #parts: TaskTracker;
  readonly #closer: ResourceCloser<R>;
  readonly #creator: ResourceCreator<R>;
  readonly #isUsable: ((resource: R) => boolean) | undefined;
  /** A stack: the resource that was released last is lent first. */
  readonly #idle: R[] = [];
  readonly #leased: Set<LeaseRecord<R>> = new Set();
  #cutOffCount = 0;

  /**
   * Makes an empty pool. It makes resources on demand.
   *
   * @throws TypeError when an option has the wrong type; RangeError for a number out of range
   */
  constructor(options: ResourcePoolOptions<R>) {
    checkOptions('new ResourcePool', options, poolOptions, ['leakDetection']);
    // Treats missing options as `{}`, so that validation names the option.
    const given = Object(options) as ResourcePoolOptions<R>;
    const { create, close, isUsable, max, closeTimeout = 5_000, name = 'resources', clock = systemClock } = given;
    checkFunction('new ResourcePool: create', create);
    if (close !== undefined) checkFunction('new ResourcePool: close', close);
    if (isUsable !== undefined) checkFunction('new ResourcePool: isUsable', isUsable);
    checkCount('new ResourcePool: max', max, 1, Number.POSITIVE_INFINITY);
    this.name = name;
    this.#permits = new Semaphore(Math.min(max, Number.MAX_SAFE_INTEGER));
    this.#leakTracker = new TaskTracker({ name, leakDetection: options.leakDetection });
    this.#parts = new TaskTracker({ name });
    this.#isUsable = isUsable;
    this.#closer = new ResourceCloser(close, closeTimeout, clock, this.#parts, (error) =>
      this.#reportError('a resource could not be closed', error),
    );
    this.#creator = new ResourceCreator(create, {
      parts: this.#parts,
      closer: this.#closer,
      putIdle: (resource) => this.#putIdle(resource),
      closedError: () => this.#closedError(),
    });
  }

  /** How many resources are leased. */
  get inFlightCount(): number {
    return this.#leased.size;
  }

  /** How many resources are idle. */
  get idleCount(): number {
    return this.#idle.length;
  }

  /** Whether the pool has stopped lending. */
  get isClosed(): boolean {
    return this.#permits.isClosed;
  }

  /**
   * Waits for a resource. Await the result, or use it as a branch of `select`.
   *
   * **Timing.** When awaited, it joins the queue at the call; as a branch, at the `select`. The time limit starts at the
   * call.
   *
   * **Cancel safety.** A branch that loses takes no lease. A resource that is being made for it goes to the next `acquire`.
   *
   * @param options `signal`, `timeout` (ms)
   * @returns a lease; release it
   * @throws (rejects) ClosedError when the pool is closed; TimeoutError after `timeout`; the reason of `signal`, verbatim;
   *   the error of `create`; TypeError and RangeError for bad options
   * @example
   * ```ts
   * const pool = new ResourcePool({ create: () => 'the only one', max: 1 });
   * using held = await pool.acquire();
   * const { branch } = await select({ lease: pool.acquire(), tick: sleep(1) });
   * console.log(branch, pool.inFlightCount); // => tick 1
   * ```
   */
  acquire(options: AcquireOptions = {}): SourcePromise<Lease<R>> {
    // A loop that computes with each resource lets the event loop run.
    void consumeSlice();
    try {
      const limit = this.#limitOf(options);
      return sourcePromise(new AcquireSource(limit, (token, onLease) => this.#acquire(token, onLease)));
    } catch (error) {
      return sourcePromise(new AcquireSource<R>(CancellationToken.never, () => Promise.reject(error)));
    }
  }

  /** Returns the token that gives up an `acquire`. */
  #limitOf(options: AcquireOptions): CancellationToken {
    checkOptions('acquire', options, ['signal', 'timeout']);
    const { timeout } = options;
    const signal =
      options.signal === undefined
        ? CancellationToken.never
        : CancellationToken.from(options.signal, 'acquire: signal');
    return timeout === undefined ? signal : signal.withTimeout(timeout, { clock: this.#closer.clock });
  }

  async #acquire(token: CancellationToken, onLease: (lease: Lease<R>) => void): Promise<void> {
    const permit = await this.#acquirePermit(token);
    const idle = this.#takeUsable();
    // Checked here, because `stop` or the signal may have come since the permit was granted, or within `isUsable`.
    if (this.isClosed || token.isCancelled) {
      if (idle !== undefined) this.#putIdle(idle.resource);
      permit.release();
      throw this.isClosed ? this.#closedError() : token.reason;
    }
    if (idle === undefined) {
      await this.#creator.make(permit, token, (made, part) => onLease(this.#lend(permit, made, part)));
    } else onLease(this.#lend(permit, idle.resource, this.#parts.guard()));
  }

  async #acquirePermit(token: CancellationToken): Promise<SemaphorePermit> {
    try {
      return await this.#permits.acquire({ signal: token });
    } catch (error) {
      throw isClosedError(error) && error !== token.reason ? this.#closedError() : error;
    }
  }

  /**
   * Leases a resource while `work` runs. When `work` fails, the resource is returned as usable; call `destroy` on a lease of
   * `acquire` to discard a broken one.
   *
   * @returns the result of `work`
   * @throws (rejects) the errors of `acquire`, and the error of `work`
   */
  async use<T>(work: (resource: R) => T, options?: AcquireOptions): Promise<Awaited<T>> {
    checkFunction('use', work);
    const lease = await this.acquire(options);
    try {
      return await work(lease.resource);
    } finally {
      lease.release();
      const slice = consumeSlice();
      if (slice !== undefined) await slice;
    }
  }

  /**
   * Lends nothing more: rejects every waiting `acquire`, closes the idle resources, and closes each resource that is released.
   *
   * **Timing.** Synchronous, idempotent. Each idle resource has been passed to the `close` option when it returns.
   */
  stop(): void {
    this.#permits.close();
    this.#parts.close();
    while (this.#idle.length > 0) this.#closer.close(this.#idle.pop() as R);
  }

  /**
   * Waits until every lease is released and every resource is closed. Closes the pool first.
   *
   * When `signal` is cancelled, the pool closes the leased resources, as `abort` does. It waits for the closing, and for each
   * `create` that was cancelled, at most `closeTimeout`.
   *
   * @param signal the deadline: a token or an `AbortSignal`
   * @throws (rejects) the signal's reason, when it was cancelled before the pool was drained; TypeError for a value that is
   *   neither a token nor an `AbortSignal`
   */
  async drain(signal: CancellationToken | AbortSignal): Promise<void> {
    const token = CancellationToken.from(signal, 'drain');
    this.stop();
    const deadline = token.onCancelled(() => this.abort());
    try {
      await this.#parts.drain(token);
    } catch (reason) {
      this.abort();
      await this.#creator.allSettled();
      await this.#closer.allClosed();
      throw reason;
    } finally {
      deadline.dispose();
    }
  }

  /**
   * Closes the leased resources, and cancels the `create` of resources that are being made. Closes the pool first. `drain`
   * continues, and fulfils when every resource is closed.
   *
   * It takes no reason: an `acquire` that waits for a resource rejects with a `ClosedError`.
   *
   * **Timing.** Synchronous, idempotent. Each leased resource has been passed to the `close` option when it returns.
   */
  abort(): void {
    this.stop();
    this.#creator.cancelAll();
    for (const record of [...this.#leased]) {
      if (record.isOver) continue;
      this.#cutOffCount++;
      this.#takeBack(record, false);
    }
  }

  /**
   * Ends the pool: `drain` with a time limit, and a report.
   *
   * @param options `timeout`: how many milliseconds, 0 to `Infinity`, to wait for leases
   * @throws (rejects) TypeError or RangeError for a wrong time; the pool is unchanged then
   */
  async shutdown(options: { readonly timeout: number }): Promise<ResourcePoolReport> {
    checkOptions('shutdown', options, ['timeout']);
    const { timeout } = Object(options) as typeof options;
    checkTime('shutdown: timeout', timeout);
    const deadline = CancellationToken.timeout(timeout, { clock: this.#closer.clock });
    this.#closer.reportingCalls++;
    try {
      await this.drain(deadline);
    } catch {
      // The deadline; the report shows what it cut off.
    } finally {
      this.#closer.reportingCalls--;
      deadline.dispose();
    }
    return this.report();
  }

  /** Returns how the resources of the pool have ended so far. */
  report(): ResourcePoolReport {
    const { closedCount, timedOutCount, errors } = this.#closer;
    const { failedCount: createFailedCount, lastError: lastCreateError, pendingCount: creatingCount } = this.#creator;
    const counts = { closedCount, timedOutCount, cutOffCount: this.#cutOffCount, createFailedCount, creatingCount };
    return { ...counts, failed: [...errors], ...(createFailedCount > 0 && { lastCreateError }) };
  }

  #lend(permit: SemaphorePermit, resource: R, part: TrackerGuard): Lease<R> {
    const record: LeaseRecord<R> = { resource, permit, part, isOver: false };
    this.#leased.add(record);
    const takeBack = (ended: LeaseRecord<R>, isUsable: boolean): void => this.#takeBack(ended, isUsable);
    return new Lease<R>(this.name, record, takeBack, this.#leakTracker.guard());
  }

  /** Ends a lease; only the first call counts. */
  #takeBack(record: LeaseRecord<R>, isUsable: boolean): void {
    if (record.isOver) return;
    record.isOver = true;
    this.#leased.delete(record);
    if (isUsable) this.#putIdle(record.resource);
    else this.#closer.close(record.resource);
    // Last, because the next `acquire` takes the resource that was just put among the idle ones.
    record.permit.release();
    record.part.dispose();
  }

  /** Removes the newest usable resource from the idle ones. Closes each unusable one on the way. */
  #takeUsable(): { readonly resource: R } | undefined {
    while (this.#idle.length > 0) {
      const resource = this.#idle.pop() as R;
      if (this.#checkUsable(resource)) return { resource };
      this.#closer.close(resource);
    }
    return undefined;
  }

  #checkUsable(resource: R): boolean {
    try {
      return this.#isUsable?.(resource) ?? true;
    } catch (error) {
      this.#reportError('isUsable has failed', error);
      return false;
    }
  }

  #putIdle(resource: R): void {
    if (this.isClosed) this.#closer.close(resource);
    else this.#idle.push(resource);
  }

  /** Not fatal: a broken connection must not end a program that continues with another one. */
  #reportError(what: string, error: unknown): void {
    reportUncaught(new Error(`pool ${JSON.stringify(this.name)}: ${what}`, { cause: error }), { fatal: false });
  }

  #closedError(): ClosedError {
    return new ClosedError(`acquire: pool ${JSON.stringify(this.name)} is closed`);
  }
}
