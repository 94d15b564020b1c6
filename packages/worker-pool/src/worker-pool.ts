/**
 * Runs jobs, so many at a time.
 *
 *     execute ──► WAITING (the queue is full) ──room──► QUEUED ──a worker is free──► RUNNING ──► ended
 *                    │ close: refused                     │ cancel: dropped             │ cancel: told, and awaited
 *
 * Invariants
 *  1. A job that is queued or running holds one guard of the tracker: closed, it is empty when all accepted jobs have ended.
 *  2. While a worker is free and the pool is not paused, the queue is empty; while the queue has room, nobody waits.
 *  3. A job that has started keeps its worker until it has ended, whatever was cancelled meanwhile.
 *
 * Not guaranteed: that a job which ignores its token ends.
 */

import {
  CancellationToken,
  type Clock,
  ClosedError,
  consumeSlice,
  isCancellationOf,
  source,
  systemClock,
  waiter,
} from '@quiesce/cancellation-token';
import { checkChoice, checkCount, checkFunction, checkOptions, checkTime, defineHandle, show } from '@quiesce/internal';
import { type Drainable, TaskTracker } from '@quiesce/scope';
import { QueueFullError } from './errors.ts';
import { Job, type JobOptions } from './job.ts';
import { PriorityLine } from './line.ts';
import type { PoolTally, WorkerPoolReport } from './pool-report.ts';

/** What can be said of a new pool. */
export interface WorkerPoolOptions {
  /** How many jobs run at the same time: an integer from 1, or `Infinity`. */
  readonly concurrency: number;
  /** How many jobs the queue takes besides those that run: an integer from 0, or `Infinity`, the default. */
  readonly capacity?: number | undefined;
  /** When the queue is full `execute` waits for room (`wait`, the default), or fails with `QueueFullError` (`refuse`). */
  readonly whenFull?: 'wait' | 'refuse' | undefined;
  /** How many milliseconds, 0 to `Infinity`, the default, a job may take from its start before its token is cancelled. */
  readonly timeout?: number | undefined;
  /** How many milliseconds, 0 to `Infinity`, `drain` and `shutdown` wait for jobs that they have cancelled. Default: 1,000. */
  readonly cancelTimeout?: number | undefined;
  /** How reports and errors call it; default: `workers`. */
  readonly name?: string | undefined;
  /** Where time comes from; default: the platform's. */
  readonly clock?: Clock | undefined;
}

const poolOptions = ['concurrency', 'capacity', 'whenFull', 'timeout', 'cancelTimeout', 'name', 'clock'];

/** How `shutdown` ends a pool. */
export interface ShutdownOptions {
  /** How many milliseconds, 0 to `Infinity`, accepted jobs may take to end by themselves. */
  readonly timeout: number;
  /** How many milliseconds those that are cancelled then are waited for; default: the pool's. */
  readonly cancelTimeout?: number | undefined;
}

/**
 * A pool of async workers: jobs are run so many at a time, in order of priority, each with a token.
 *
 * **Timing.** A job is started inside `execute` when a worker is free, else in a microtask after one has become free, in
 * the asynchronous context of whoever called `execute`.
 *
 * **Cancel safety.** A job that is cancelled before it has started never starts; one that runs is told, and awaited.
 *
 * **Fairness.** Higher priorities first, so that lower ones may wait for ever; first come, first served among equals.
 *
 * @example
 * ```ts
 * const pool = new WorkerPool({ concurrency: 2, name: 'mails' });
 * console.log(await pool.execute(async () => 'sent')); // => sent
 *
 * const slow = pool.execute((token) => token.cancelled(), { name: 'newsletter' });
 * const { finished, cancelled } = await pool.shutdown({ timeout: 5 });
 * console.log(finished, cancelled); // => 1 []
 * await slow;
 * ```
 */
export class WorkerPool implements Drainable {
  /** @internal See `defineHandle`. */
  static readonly completed: object = /* @__PURE__ */ defineHandle(WorkerPool, {
    name: 'pool',
    owns: (value) => #tracker in value,
    facts: ({ name, activeCount, queued, waiting, isPaused, isClosed }) => ({
      name,
      activeCount,
      queued,
      waiting,
      isPaused,
      isClosed,
    }),
  });
  /** How reports and errors call it. */
  readonly name: string;
  /** How many jobs run at the same time. */
  readonly concurrency: number;
  /** How many jobs the queue takes. */
  readonly capacity: number;
  readonly #refuses: boolean;
  readonly #timeout: number;
  readonly #cancelTimeout: number;
  readonly #clock: Clock;
  readonly #tracker: TaskTracker;
  readonly #waiting: PriorityLine<Job> = new PriorityLine();
  readonly #queue: PriorityLine<Job> = new PriorityLine();
  readonly #active: Set<Job> = new Set();
  #isPaused = false;
  /** What ends from `close` on. */
  readonly #tally: PoolTally = { finished: 0, failed: [], cancelled: [], dropped: [] };

  /**
   * Makes one that is open and not paused.
   *
   * @throws RangeError for a bad number or time; TypeError for another `whenFull`
   */
  constructor(options: WorkerPoolOptions) {
    checkOptions('new WorkerPool', options, poolOptions);
    // Of nothing it is told what is missing.
    const given = Object(options) as WorkerPoolOptions;
    const { concurrency, capacity = Number.POSITIVE_INFINITY, whenFull = 'wait' } = given;
    const { timeout = Number.POSITIVE_INFINITY, cancelTimeout = 1_000 } = given;
    checkCount('new WorkerPool: concurrency', concurrency, 1, Number.POSITIVE_INFINITY);
    checkCount('new WorkerPool: capacity', capacity, 0, Number.POSITIVE_INFINITY);
    checkChoice('new WorkerPool: whenFull', whenFull, ['wait', 'refuse']);
    this.name = options.name ?? 'workers';
    this.concurrency = concurrency;
    this.capacity = capacity;
    this.#refuses = whenFull === 'refuse';
    this.#timeout = timeout;
    this.#cancelTimeout = cancelTimeout;
    this.#clock = options.clock ?? systemClock;
    this.#tracker = new TaskTracker({ name: this.name });
  }

  /** How many jobs run. */
  get activeCount(): number {
    return this.#active.size;
  }

  /** How many jobs stand in the queue, accepted and not started. */
  get queued(): number {
    return this.#queue.size;
  }

  /** How many jobs wait for room in the queue; `close` refuses them. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** How many jobs were accepted and have not ended: `activeCount` and `queued`. */
  get inFlight(): number {
    return this.#tracker.length;
  }

  /** Whether `close` was called. */
  get isClosed(): boolean {
    return this.#tracker.isClosed;
  }

  /** Whether no job is started for the time being. */
  get isPaused(): boolean {
    return this.#isPaused;
  }

  /**
   * Runs a job when a worker is free.
   *
   * @param job gets a token, which its signal, its time limit, and the end of the pool cancel
   * @param options `priority`, `timeout` (ms), `signal`, `name`
   * @returns what the job returns; also after its token was cancelled, if it fulfils all the same
   * @throws (rejects) what the job fails with; the reason when it was cancelled; TimeoutError at its time limit;
   *   ClosedError when the pool is closed before it was accepted; QueueFullError; TypeError when it is no function;
   *   RangeError for a bad time or priority
   */
  async execute<T>(job: (token: CancellationToken) => T, options: JobOptions = {}): Promise<Awaited<T>> {
    checkFunction('execute', job);
    checkOptions('execute', options, ['priority', 'timeout', 'signal', 'name']);
    const { priority = 0, timeout = this.#timeout } = options;
    if (!Number.isFinite(priority))
      throw new RangeError(`execute: priority must be a finite number, got ${show(priority)}`);
    const signal = options.signal === undefined ? undefined : CancellationToken.from(options.signal, 'execute: signal');
    signal?.throwIfCancelled();
    const entry = new Job(options.name ?? (job.name || 'job'), priority, signal);
    // Awaiting brings back the caller's asynchronous context, whoever sets off the start.
    if (!this.#enter(entry)) await this.#turnOf(entry);
    try {
      return await this.#run(entry, job, timeout);
    } finally {
      this.#leave(entry);
      const turn = consumeSlice();
      if (turn !== undefined) await turn;
    }
  }

  /**
   * Starts no more jobs, until `resume`. Those that have a worker go on, also one that has it since this turn and starts in
   * a microtask. Synchronous, idempotent.
   */
  pause(): void {
    this.#isPaused = true;
  }

  /** Starts jobs again. Synchronous, idempotent. */
  resume(): void {
    this.#isPaused = false;
    this.#pump();
  }

  /** Accepts no more jobs; refuses those that wait for room, runs those in the queue. Synchronous, idempotent. */
  close(): void {
    this.#tracker.close();
    for (let job = this.#waiting.shift(); job !== undefined; job = this.#waiting.shift()) job.fail(this.#closed());
  }

  /** The same as `close`. */
  stop(): void {
    this.close();
  }

  /**
   * Waits until all accepted jobs have ended; closes the pool first, and resumes it, if nobody has.
   *
   * When `token` is cancelled, the queue is dropped, and what runs is cancelled and waited for, at most `cancelTimeout`.
   *
   * @param token the deadline: a token or an `AbortSignal`
   * @throws (rejects) the token's reason, when it was cancelled before; TypeError when it is neither
   */
  async drain(token: CancellationToken | AbortSignal): Promise<void> {
    await this.#drain(CancellationToken.from(token, 'drain'), this.#cancelTimeout);
  }

  /**
   * Ends the pool in two phases: accepted jobs may end by themselves; what is left at `timeout` is cancelled and awaited.
   *
   * @param options `timeout`, `cancelTimeout` (ms)
   * @returns what came of whom; `unfinished` names those that ignored it
   * @throws (rejects) RangeError for a bad time, and then nothing has happened
   */
  async shutdown(options: ShutdownOptions): Promise<WorkerPoolReport> {
    checkOptions('shutdown', options, ['timeout', 'cancelTimeout']);
    const { timeout, cancelTimeout = this.#cancelTimeout } = Object(options) as ShutdownOptions;
    checkTime('shutdown: timeout', timeout);
    const deadline = CancellationToken.timeout(timeout, { clock: this.#clock });
    try {
      await this.#drain(deadline, cancelTimeout);
    } catch {
      // The deadline; the report says what it has cut off.
    } finally {
      deadline.dispose();
    }
    return this.report();
  }

  /** What has come of the jobs since the pool was closed. */
  report(): WorkerPoolReport {
    const { finished, failed, cancelled, dropped } = this.#tally;
    const now = this.#clock.now();
    const unfinished = [...this.#active].map(({ name, startedAt }) => ({ name, ageMs: now - startedAt }));
    return { finished, failed: [...failed], cancelled: [...cancelled], dropped: [...dropped], unfinished };
  }

  /** Finds a place for a job: says whether it is a worker. */
  #enter(job: Job): boolean {
    if (this.isClosed) throw this.#closed();
    // Then nobody stands before it (invariant 2).
    if (this.#isFree) {
      this.#accept(job);
      this.#employ(job);
      return true;
    }
    if (this.#queue.size < this.capacity) {
      this.#accept(job);
      this.#queue.add(job);
      return false;
    }
    if (this.#refuses) throw new QueueFullError(this.name, this.capacity);
    this.#waiting.add(job);
    return false;
  }

  get #isFree(): boolean {
    return !this.#isPaused && this.#active.size < this.concurrency;
  }

  /** Invariant 1. */
  #accept(job: Job): void {
    job.guard = this.#tracker.guard();
  }

  /** A job has a worker; one that stood in a line starts a microtask later. */
  #employ(job: Job): void {
    job.startedAt = this.#clock.now();
    this.#active.add(job);
  }

  /** Waits until a job that stands in a line has a worker. */
  async #turnOf(job: Job): Promise<void> {
    const registration = job.signal?.onCancelled((reason) => {
      if (job.level !== undefined) this.#drop(job, reason);
    });
    try {
      await job.turn();
    } finally {
      registration?.unregister();
    }
  }

  /** A job leaves the line that it stands in, and never starts. */
  #drop(job: Job, reason: unknown): void {
    (job.guard === undefined ? this.#waiting : this.#queue).delete(job);
    // Once closed, nobody waits for room any more: it was accepted.
    if (this.isClosed) this.#tally.dropped.push(job.name);
    job.fail(reason);
    job.guard?.dispose();
    this.#pump();
  }

  async #run<T>(entry: Job, job: (token: CancellationToken) => T, timeout: number): Promise<Awaited<T>> {
    const token = entry.start(this.#clock, timeout);
    // Who waits for a deadline holds its timer, also when the job never looks at its token.
    const holds = waiter(() => {});
    if (timeout < Number.POSITIVE_INFINITY) token[source].park(holds);
    let hasStarted = false;
    try {
      token.throwIfCancelled();
      hasStarted = true;
      const value = await job(token);
      if (this.isClosed) this.#tally.finished++;
      return value;
    } catch (error) {
      const isObeying = isCancellationOf(error, token);
      if (this.isClosed && isObeying) this.#tally[hasStarted ? 'cancelled' : 'dropped'].push(entry.name);
      else if (this.isClosed) this.#tally.failed.push({ name: entry.name, error });
      throw isObeying ? token.reason : error;
    } finally {
      token[source].unpark(holds);
      token.dispose();
    }
  }

  #leave(job: Job): void {
    this.#active.delete(job);
    job.guard?.dispose();
    this.#pump();
  }

  /** Invariant 2. */
  #pump(): void {
    for (;;) {
      while (this.#queue.size < this.capacity && this.#waiting.size > 0) {
        const job = this.#waiting.shift() as Job;
        this.#accept(job);
        this.#queue.add(job);
      }
      if (!this.#isFree) return;
      const next = this.#queue.shift() ?? this.#waiting.shift();
      if (next === undefined) return;
      if (next.guard === undefined) this.#accept(next);
      this.#employ(next);
      next.go();
    }
  }

  async #drain(token: CancellationToken, cancelTimeout: number): Promise<void> {
    this.close();
    this.resume();
    const deadline = token.onCancelled((reason) => this.#cancelAll(reason));
    try {
      await this.#tracker.drain(token);
    } catch (reason) {
      await this.#tracker.drain(CancellationToken.timeout(cancelTimeout, { clock: this.#clock })).catch(() => {});
      throw reason;
    } finally {
      deadline.unregister();
    }
  }

  #cancelAll(reason: unknown): void {
    const running = [...this.#active];
    for (let job = this.#queue.shift(); job !== undefined; job = this.#queue.shift()) {
      this.#tally.dropped.push(job.name);
      job.fail(reason);
      job.guard?.dispose();
    }
    for (const job of running) job.cancel(reason);
  }

  #closed(): ClosedError {
    return new ClosedError(`execute: pool ${JSON.stringify(this.name)} is closed; the job was not accepted`);
  }
}
