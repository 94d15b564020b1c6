/**
 * Lends resources, so many at a time.
 *
 *     acquire ──► in line for a permit ──► (an idle one │ a new one is made) ──► LEASED ──release──► IDLE
 *                                                                                  └─destroy, or stopped──► closed
 *
 * Invariants
 *  1. Who has a permit of the semaphore has a lease, or makes a resource; there are no more resources than permits, but
 *     for those that are being closed.
 *  2. A lease, a resource in the making, and one that is being closed each hold one guard of `parts`; `parts`, closed by
 *     `stop`, is empty exactly when every resource is closed.
 *  3. A resource is idle, or leased to one, or being closed: in one of the three only, and closed once.
 */

import {
  CancellationToken,
  type Clock,
  ClosedError,
  consumeSlice,
  isCancellationOf,
  isClosedError,
  reportUncaught,
  type SourcePromise,
  sourcePromise,
  systemClock,
} from '@quiesce/cancellation-token';
import { Semaphore, type SemaphorePermit } from '@quiesce/channel';
import { checkCount, checkFunction, checkOptions, checkTime, defineHandle } from '@quiesce/internal';
import { type Drainable, TaskTracker, type TrackerGuard } from '@quiesce/scope';
import { Acquiring } from './acquiring.ts';
import { type Closer, type ClosingTally, closeOne } from './closing.ts';
import { type Holding, Lease } from './lease.ts';

/** What can be said of a new pool. */
export interface ResourcePoolOptions<R> {
  /** Makes a resource, when none is idle; the token is cancelled when nobody waits for it any more, and at the deadline. */
  readonly create: (token: CancellationToken) => R | PromiseLike<R>;
  /** Closes a resource; default: nothing is to be done. */
  readonly close?: ((resource: R) => unknown) | undefined;
  /** Asked before an idle resource is lent again: one that is not usable is closed, and another one is made. */
  readonly isUsable?: ((resource: R) => boolean) | undefined;
  /** How many resources there are at most: an integer from 1, or `Infinity`. */
  readonly max: number;
  /** How many milliseconds, 0 to `Infinity`, closing one resource may take. Default: 5,000. */
  readonly closeTimeout?: number | undefined;
  /** How reports and errors call it; default: `resources`. */
  readonly name?: string | undefined;
  /** Reports leases that are collected unreleased, as a `LeakError` to the uncaught handler. Default: false. */
  readonly leakDetection?: boolean | undefined;
  /** Where time comes from; default: the platform's. */
  readonly clock?: Clock | undefined;
}

const poolOptions = ['create', 'close', 'isUsable', 'max', 'closeTimeout', 'name', 'clock'];

/** How many errors of closers a pool keeps while it lends. */
const KEPT = 100;

/** How one waits for a lease. */
export interface AcquireOptions {
  /** Gives it up. */
  readonly signal?: CancellationToken | AbortSignal | undefined;
  /** Gives it up with a `TimeoutError` after so many milliseconds, 0 to `Infinity`, the making of a resource included. */
  readonly timeout?: number | undefined;
}

/** What came of the resources. */
export interface ResourcePoolReport {
  /** How many were closed. */
  readonly closed: number;
  /**
   * Why others could not be, in order; a `TimeoutError` for each that took too long. Of a pool that lends, the last 100. Unless `close`
   * is under way, each of these errors is also given to the uncaught handler, or printed on stderr.
   */
  readonly failed: readonly unknown[];
  /** How many took too long; they are no longer waited for. */
  readonly timedOut: number;
  /** How many were leased at the deadline, and closed under their holders. */
  readonly forced: number;
  /**
   * Errors of `create` after its `acquire` had been given up: how many there were, and the last one; `undefined`: none.
   * Only this report shows them. All other errors of `create` are thrown by `acquire`.
   */
  readonly createErrors?: { readonly count: number; readonly last: unknown } | undefined;
  /** How many are being made now: after the end those whose `create` ignores its token. Each is closed when it is there. */
  readonly making: number;
}

/**
 * A pool of connections, or of whatever is dear to make and must be closed.
 *
 * **Cancel safety.** Who gives `acquire` up has taken nothing; a resource that was made for it goes to the next one.
 *
 * **Fairness.** First come, first served; of the idle resources the one that was released last is lent first.
 *
 * @example
 * ```ts
 * const pool = new ResourcePool({ create: async () => ({ id: 1 }), close: ({ id }) => console.log('closed', id), max: 2 });
 * {
 *   using lease = await pool.acquire();
 *   console.log('got', lease.resource.id); // => got 1
 * }
 * const report = await pool.close({ timeout: 1_000 }); // => closed 1
 * console.log(report.closed, report.forced); // => 1 0
 * ```
 */
export class ResourcePool<R> implements Drainable {
  /** @internal See `defineHandle`. */
  static readonly completed: object = /* @__PURE__ */ defineHandle(ResourcePool, {
    name: 'pool',
    owns: (value) => #parts in value,
    facts: ({ name, inFlight, idle, isClosed }) => ({ name, inFlight, idle, isClosed }),
  });
  /** How reports and errors call it. */
  readonly name: string;
  readonly #create: (token: CancellationToken) => R | PromiseLike<R>;
  readonly #isUsable: ((resource: R) => boolean) | undefined;
  readonly #closer: Closer<R>;
  readonly #permits: Semaphore;
  /** Reports leases that are forgotten, if that is asked for. */
  readonly #watched: TaskTracker;
  readonly #parts: TaskTracker;
  readonly #closings: TaskTracker = new TaskTracker();
  readonly #makings: TaskTracker = new TaskTracker();
  /** The tokens of those who wait for a resource to be made. */
  readonly #awaited: Set<CancellationToken> = new Set();
  /** The newest is lent first. */
  readonly #idle: R[] = [];
  readonly #leased: Set<Holding<R>> = new Set();
  readonly #tally: ClosingTally & { forced: number } = { closed: 0, timedOut: 0, forced: 0 };
  readonly #failed: unknown[] = [];
  /** How many calls of `close` give a report, which has the errors. */
  #closeCalls = 0;
  #createErrors: ResourcePoolReport['createErrors'] = undefined;
  /** Set at the deadline: what is made then is closed at once. */
  #isCut = false;

  /**
   * Makes one that is empty: resources are made when asked for.
   *
   * @throws RangeError for a bad number or time; TypeError for what should be a function
   */
  constructor(options: ResourcePoolOptions<R>) {
    checkOptions('new ResourcePool', options, poolOptions, ['leakDetection']);
    // Of nothing it is told what is missing.
    const given = Object(options) as ResourcePoolOptions<R>;
    const { create, close, isUsable, max, closeTimeout = 5_000, name = 'resources', clock = systemClock } = given;
    checkFunction('new ResourcePool: create', create);
    if (close !== undefined) checkFunction('new ResourcePool: close', close);
    if (isUsable !== undefined) checkFunction('new ResourcePool: isUsable', isUsable);
    checkCount('new ResourcePool: max', max, 1, Number.POSITIVE_INFINITY);
    this.name = name;
    this.#create = create;
    this.#isUsable = isUsable;
    this.#closer = { close, closeTimeout, clock };
    this.#permits = new Semaphore(Math.min(max, Number.MAX_SAFE_INTEGER));
    this.#watched = new TaskTracker({ name, leakDetection: options.leakDetection });
    this.#parts = new TaskTracker({ name });
  }

  /** How many leases are out. */
  get inFlight(): number {
    return this.#leased.size;
  }

  /** How many resources are idle. */
  get idle(): number {
    return this.#idle.length;
  }

  /** Whether it lends nothing any more. */
  get isClosed(): boolean {
    return this.#permits.isClosed;
  }

  /**
   * Waits for a resource: await it, or make it a branch of `select`.
   *
   * **Timing.** It stands in line from the call on, as a branch from the `select` on. The time runs from the call.
   *
   * **Cancel safety.** As a branch it takes no lease unless it wins. A resource that is being made for it goes to the next
   * one.
   *
   * @param options `signal`, `timeout` (ms)
   * @returns a lease, to be released
   * @throws (rejects) ClosedError when the pool is closed; TimeoutError; the reason of `signal`, verbatim; what `create`
   *   fails with; TypeError and RangeError for options that are none
   * @example
   * ```ts
   * const pool = new ResourcePool({ create: () => 'the only one', max: 1 });
   * using held = await pool.acquire();
   * const { branch } = await select({ lease: pool.acquire(), tick: sleep(1) });
   * console.log(branch, pool.inFlight); // => tick 1
   * ```
   */
  acquire(options: AcquireOptions = {}): SourcePromise<Lease<R>> {
    // For a loop that computes with each resource.
    void consumeSlice();
    try {
      const until = this.#until(options);
      return sourcePromise(new Acquiring(until, (token, lent) => this.#acquire(token, lent)));
    } catch (error) {
      return sourcePromise(new Acquiring<R>(CancellationToken.never, () => Promise.reject(error)));
    }
  }

  /** What gives an `acquire` up. */
  #until(options: AcquireOptions): CancellationToken {
    checkOptions('acquire', options, ['signal', 'timeout']);
    const { timeout } = options;
    const signal =
      options.signal === undefined
        ? CancellationToken.never
        : CancellationToken.from(options.signal, 'acquire: signal');
    return timeout === undefined ? signal : signal.withTimeout(timeout, { clock: this.#closer.clock });
  }

  async #acquire(token: CancellationToken, lent: (lease: Lease<R>) => void): Promise<void> {
    const permit = await this.#permit(token);
    const idle = this.#nextIdle();
    // Checked here, because `stop` and the signal may have come since the permit was granted, or inside of `isUsable`.
    if (this.isClosed || token.isCancelled) {
      if (idle !== undefined) this.#putDown(idle.resource);
      permit.release();
      throw this.isClosed ? this.#closed() : token.reason;
    }
    if (idle === undefined) await this.#make(permit, token, lent);
    else lent(this.#lend(permit, idle.resource));
  }

  /**
   * Leases a resource for as long as `work` takes; a failure of `work` gives it back as usable.
   *
   * @returns what the work returns
   * @throws (rejects) what `acquire` throws, and what the work fails with
   */
  async use<T>(work: (resource: R) => T, options?: AcquireOptions): Promise<Awaited<T>> {
    checkFunction('use', work);
    const lease = await this.acquire(options);
    try {
      return await work(lease.resource);
    } finally {
      lease.release();
      const turn = consumeSlice();
      if (turn !== undefined) await turn;
    }
  }

  /**
   * Lends nothing more: refuses those that wait, and closes what is idle, and each lease that is given back.
   *
   * **Timing.** Synchronous, idempotent; the closers of idle resources have been called when it returns.
   */
  stop(): void {
    this.#permits.close();
    this.#parts.close();
    while (this.#idle.length > 0) this.#close(this.#idle.pop() as R);
  }

  /**
   * Waits until every lease has been given back, and every resource is closed; stops first if nobody has.
   *
   * When `token` is cancelled, what is leased is closed under its holders, what is being made is cancelled, and both are
   * waited for as long as `closeTimeout`.
   *
   * @param token the deadline: a token or an `AbortSignal`
   * @throws (rejects) the token's reason, when it was cancelled before; TypeError when it is neither
   */
  async drain(token: CancellationToken | AbortSignal): Promise<void> {
    const own = CancellationToken.from(token, 'drain');
    this.stop();
    const deadline = own.onCancelled(() => this.#cut());
    try {
      await this.#parts.drain(own);
    } catch (reason) {
      this.#cut();
      await this.#makingEnds();
      await this.#closings.wait();
      throw reason;
    } finally {
      deadline.unregister();
    }
  }

  /**
   * Ends the pool: `drain` with a deadline, and a report.
   *
   * @param options `timeout`: how many milliseconds, 0 to `Infinity`, leases are waited for
   * @throws (rejects) RangeError for a bad time, and then nothing has happened
   */
  async close(options: { readonly timeout: number }): Promise<ResourcePoolReport> {
    checkOptions('close', options, ['timeout']);
    const { timeout } = Object(options) as typeof options;
    checkTime('close: timeout', timeout);
    const deadline = CancellationToken.timeout(timeout, { clock: this.#closer.clock });
    this.#closeCalls++;
    try {
      await this.drain(deadline);
    } catch {
      // The deadline; the report says what it has cut off.
    } finally {
      this.#closeCalls--;
      deadline.dispose();
    }
    return this.report();
  }

  /** What has come of the resources. */
  report(): ResourcePoolReport {
    const createErrors = this.#createErrors;
    const report = { ...this.#tally, failed: [...this.#failed], making: this.#makings.length };
    return createErrors === undefined ? report : { ...report, createErrors };
  }

  /** The end of a lease; only the first counts. */
  #takeBack(holding: Holding<R>, isUsable: boolean): void {
    if (holding.isOver) return;
    holding.isOver = true;
    this.#leased.delete(holding);
    if (isUsable) this.#putDown(holding.resource);
    else this.#close(holding.resource);
    // Last, since whoever comes next looks for what was just put down.
    holding.permit.release();
    holding.part.dispose();
  }

  /** Keeps a resource for the next acquire; a pool that is closed closes it. */
  #putDown(resource: R): void {
    if (this.isClosed) this.#close(resource);
    else this.#idle.push(resource);
  }

  async #permit(token: CancellationToken): Promise<SemaphorePermit> {
    try {
      return await this.#permits.acquire({ signal: token });
    } catch (error) {
      throw isClosedError(error) && error !== token.reason ? this.#closed() : error;
    }
  }

  /** An idle resource that is usable, out of the idle ones. */
  #nextIdle(): { readonly resource: R } | undefined {
    while (this.#idle.length > 0) {
      const resource = this.#idle.pop() as R;
      if (this.#asksUsable(resource)) return { resource };
      this.#close(resource);
    }
    return undefined;
  }

  #asksUsable(resource: R): boolean {
    try {
      return this.#isUsable?.(resource) ?? true;
    } catch (error) {
      this.#report('isUsable has failed', error);
      return false;
    }
  }

  /** Not fatal: a broken connection must not end a program that goes on with another one. */
  #report(what: string, error: unknown): void {
    reportUncaught(new Error(`pool ${JSON.stringify(this.name)}: ${what}`, { cause: error }), { isFatal: false });
  }

  #closeFailed(error: unknown): void {
    this.#failed.push(error);
    if (!this.isClosed && this.#failed.length > KEPT) this.#failed.shift();
    if (this.#closeCalls === 0) this.#report('a resource could not be closed', error);
  }

  #lend(permit: SemaphorePermit, resource: R, part: TrackerGuard = this.#parts.guard()): Lease<R> {
    const holding: Holding<R> = { resource, permit, part, isOver: false };
    this.#leased.add(holding);
    const takeBack = (over: Holding<R>, isUsable: boolean): void => this.#takeBack(over, isUsable);
    return new Lease<R>(this.name, holding, takeBack, this.#watched.guard());
  }

  async #make(permit: SemaphorePermit, token: CancellationToken, lent: (lease: Lease<R>) => void): Promise<void> {
    const guards = [this.#parts.guard(), this.#makings.guard()] as const;
    this.#awaited.add(token);
    const making = (async () => this.#create(token))();
    const end = (): void => {
      permit.release();
      for (const guard of guards) guard.dispose();
    };
    try {
      const outcome = await token.runUntilCancelled(making).catch((error) => {
        end();
        throw isCancellationOf(error, token) ? token.reason : error;
      });
      if (!outcome.cancelled && !this.#isCut) {
        guards[1].dispose();
        lent(this.#lend(permit, outcome.value as R, guards[0]));
        return;
      }
      void this.#adopt(making, token, end);
      throw outcome.cancelled ? outcome.reason : this.#closed();
    } finally {
      this.#awaited.delete(token);
    }
  }

  /** Nobody waits for it any more: the next one may have it. */
  async #adopt(making: Promise<R>, token: CancellationToken, end: () => void): Promise<void> {
    try {
      this.#putDown(await making);
    } catch (error) {
      // The acquire has its own error already, and a database that is down must not end the process.
      if (!isCancellationOf(error, token))
        this.#createErrors = { count: (this.#createErrors?.count ?? 0) + 1, last: error };
    } finally {
      end();
    }
  }

  /** What was told to end being made may take as long as closing one. */
  async #makingEnds(): Promise<void> {
    this.#makings.close();
    const limit = CancellationToken.timeout(this.#closer.closeTimeout, { clock: this.#closer.clock });
    try {
      await this.#makings.drain(limit);
    } catch {
      // The report says how many.
    } finally {
      limit.dispose();
    }
  }

  /** Invariant 3: who calls this has taken the resource out of wherever it was. */
  #close(resource: R): void {
    const guards = [this.#closings.guard(), this.#parts.guard()];
    void closeOne(this.#closer, resource, this.#tally, (error) => this.#closeFailed(error)).then(() => {
      for (const guard of guards) guard.dispose();
    });
  }

  /** The deadline has passed: holders lose what they hold, and nobody waits for what is being made. */
  #cut(): void {
    this.#isCut = true;
    this.#closings.close();
    for (const token of [...this.#awaited]) token.cancel(this.#closed());
    for (const holding of [...this.#leased]) {
      this.#tally.forced++;
      this.#takeBack(holding, false);
    }
  }

  #closed(): ClosedError {
    return new ClosedError(`acquire: pool ${JSON.stringify(this.name)} is closed; it lends nothing any more`);
  }
}
