import {
  CancellationToken,
  CancelledError,
  type Clock,
  consumeSlice,
  isCancellationOf,
  source,
  systemClock,
  waiter,
} from '@quiesce/cancellation-token';
import {
  checkChoice,
  checkCount,
  checkFunction,
  checkNumber,
  checkOptions,
  checkTime,
  defineHandle,
  ignore,
} from '@quiesce/internal';
import type { Drainable } from '@quiesce/scope';
import { Job, type JobOptions } from './job.ts';
import { JobScheduler } from './job-scheduler.ts';
import type { WorkerPoolReport } from './worker-pool-report.ts';

/** Options for a new worker pool. */
export interface WorkerPoolOptions {
  /** How many jobs run at the same time: an integer from 1, or `Infinity`. */
  readonly concurrency: number;
  /** How many jobs the queue holds besides the running ones: an integer from 0, or `Infinity`, the default. */
  readonly capacity?: number | undefined;
  /**
   * What `execute` does while the queue is full. `wait`, the default, waits for room; `refuse` rejects with
   * `QueueFullError`.
   */
  readonly whenFull?: 'wait' | 'refuse' | undefined;
  /** How many milliseconds, 0 to `Infinity`, a job may run before its token is cancelled. Default: `Infinity`. */
  readonly timeout?: number | undefined;
  /** How many milliseconds, 0 to `Infinity`, `drain` and `shutdown` wait for cancelled jobs. Default: 1,000. */
  readonly cleanupTimeout?: number | undefined;
  /** Name shown in reports and errors. Default: `workers`. */
  readonly name?: string | undefined;
  /** The clock for time limits. Default: the platform's. */
  readonly clock?: Clock | undefined;
}

const poolOptions = ['concurrency', 'capacity', 'whenFull', 'timeout', 'cleanupTimeout', 'name', 'clock'];

/** Options for `shutdown`. */
export interface PoolShutdownOptions {
  /** How many milliseconds, 0 to `Infinity`, accepted jobs may take to end before they are cancelled. */
  readonly timeout: number;
  /** How many milliseconds `shutdown` waits for jobs that it has cancelled. Default: the pool's. */
  readonly cleanupTimeout?: number | undefined;
}

/**
 * A pool of async workers. It runs jobs with a concurrency limit, in order of priority, each with a token.
 *
 * Use it for jobs that outlive the call that submits them, such as a service's background jobs. For the items of one list,
 * `s.map` of a scope is enough.
 *
 * **Timing.** When a worker is free, `execute` starts the job before it returns. Otherwise the job starts in a microtask
 * after a worker has become free, in the asynchronous context of the caller of `execute`.
 *
 * **Cancel safety.** A job that is cancelled before its start never starts. A running job has its token cancelled, and is
 * awaited.
 *
 * **Fairness.** Higher priorities run first, and may starve lower ones. Equal priorities run first in, first out.
 *
 * @example
 * ```ts
 * const pool = new WorkerPool({ concurrency: 2, name: 'mails' });
 * console.log(await pool.execute(async () => 'sent')); // => sent
 *
 * const slow = pool.execute((token) => token.cancelled(), { name: 'newsletter' });
 * const { completedCount, cancelled } = await pool.shutdown({ timeout: 5 });
 * console.log(completedCount, cancelled); // => 1 []
 * await slow;
 * ```
 */
export class WorkerPool implements Drainable {
  /** @internal See `defineHandle`. */
  static readonly completed: object = /* @__PURE__ */ defineHandle(WorkerPool, {
    name: 'pool',
    owns: (value) => #scheduler in value,
    facts: ({ name, activeCount, queuedCount, waitingCount, isPaused, isClosed }) => ({
      name,
      activeCount,
      queuedCount,
      waitingCount,
      isPaused,
      isClosed,
    }),
  });
  /** Name shown in reports and errors. */
  readonly name: string;
  /** How many jobs run at the same time. */
  readonly concurrency: number;
  /** How many jobs the queue can hold: the option `capacity`. */
  readonly maxCapacity: number;
  readonly #timeout: number;
  readonly #cleanupTimeout: number;
  readonly #clock: Clock;
  readonly #scheduler: JobScheduler;

  /**
   * Makes a pool that is open and not paused.
   *
   * @throws TypeError when an option has the wrong type, or for another `whenFull`; RangeError for a number out of range
   */
  constructor(options: WorkerPoolOptions) {
    checkOptions('new WorkerPool', options, poolOptions);
    // Treats missing options as `{}`, so that validation names the option.
    const given = Object(options) as WorkerPoolOptions;
    const { concurrency, capacity = Number.POSITIVE_INFINITY, whenFull = 'wait' } = given;
    const { timeout = Number.POSITIVE_INFINITY, cleanupTimeout = 1_000 } = given;
    checkCount('new WorkerPool: concurrency', concurrency, 1, Number.POSITIVE_INFINITY);
    checkCount('new WorkerPool: capacity', capacity, 0, Number.POSITIVE_INFINITY);
    checkChoice('new WorkerPool: whenFull', whenFull, ['wait', 'refuse']);
    this.name = options.name ?? 'workers';
    this.concurrency = concurrency;
    this.maxCapacity = capacity;
    this.#timeout = timeout;
    this.#cleanupTimeout = cleanupTimeout;
    this.#clock = options.clock ?? systemClock;
    this.#scheduler = new JobScheduler(this.name, concurrency, capacity, whenFull === 'refuse', this.#clock);
  }

  /** How many jobs run. */
  get activeCount(): number {
    return this.#scheduler.running.size;
  }

  /** How many jobs are queued: accepted and not started. */
  get queuedCount(): number {
    return this.#scheduler.queue.size;
  }

  /** How many jobs wait for room in the queue. `close` rejects them. */
  get waitingCount(): number {
    return this.#scheduler.waiting.size;
  }

  /** How many jobs were accepted and have not ended: the sum of `activeCount` and `queuedCount`. */
  get inFlightCount(): number {
    return this.#scheduler.tracker.length;
  }

  /** Whether the pool accepts no more jobs. */
  get isClosed(): boolean {
    return this.#scheduler.isClosed;
  }

  /** Whether the pool is paused, and starts no jobs until `resume`. */
  get isPaused(): boolean {
    return this.#scheduler.isPaused;
  }

  /**
   * Runs a job when a worker is free.
   *
   * @param job receives a token, which the job's signal, its time limit and the deadline of the pool cancel
   * @param options `priority`, `timeout` (ms), `signal`, `name`
   * @returns the result of the job, also when the job fulfils after its token was cancelled
   * @throws (rejects) the error of the job; the reason when the job was cancelled; TimeoutError at its time limit;
   *   ClosedError when the pool is closed before it accepts the job; QueueFullError; TypeError when `job` is not a
   *   function, or an option has the wrong type; RangeError for a number out of range
   */
  async execute<T>(job: (token: CancellationToken) => T, options: JobOptions = {}): Promise<Awaited<T>> {
    checkFunction('execute', job);
    checkOptions('execute', options, ['priority', 'timeout', 'signal', 'name']);
    const { priority = 0, timeout = this.#timeout } = options;
    checkNumber(Number.isFinite(priority), 'execute: priority', 'a finite number', priority);
    const signal = options.signal === undefined ? undefined : CancellationToken.from(options.signal, 'execute: signal');
    signal?.throwIfCancelled();
    const entry = new Job(options.name ?? (job.name || 'job'), priority, signal);
    // The await restores the caller's asynchronous context, whichever call assigns the worker.
    if (!this.#scheduler.enter(entry)) await this.#scheduler.waitForWorker(entry);
    try {
      return await this.#run(entry, job, timeout);
    } finally {
      this.#scheduler.end(entry);
      const slice = consumeSlice();
      if (slice !== undefined) await slice;
    }
  }

  /**
   * Starts no more jobs until `resume`. Jobs that have a worker continue, including one that got its worker in this step and
   * starts in a microtask. Synchronous, idempotent.
   */
  pause(): void {
    this.#scheduler.isPaused = true;
  }

  /** Starts jobs again. Synchronous, idempotent. */
  resume(): void {
    this.#scheduler.resume();
  }

  /** Accepts no more jobs. Rejects jobs that wait for room, and still runs queued ones. Synchronous, idempotent. */
  stop(): void {
    this.#scheduler.close();
  }

  /**
   * Waits until all accepted jobs have ended. Closes the pool first, and resumes a paused one.
   *
   * When `signal` is cancelled, the pool cancels its jobs, as `abort` does, and waits for them at most `cleanupTimeout`.
   *
   * @param signal the deadline: a token or an `AbortSignal`
   * @throws (rejects) the signal's reason, when it was cancelled before the pool was drained; TypeError for a value that is
   *   neither a token nor an `AbortSignal`
   */
  async drain(signal: CancellationToken | AbortSignal): Promise<void> {
    await this.#scheduler.drain(CancellationToken.from(signal, 'drain'), this.#cleanupTimeout);
  }

  /**
   * Drops the queued jobs, and cancels the running ones. Closes the pool first. `drain` continues, and fulfils when the
   * running jobs have ended.
   *
   * **Timing.** Synchronous, idempotent. The tokens of the jobs are cancelled when it returns.
   *
   * @param reason the reason of those tokens; `execute` rejects with it. Default: a `CancelledError` that names the pool
   */
  abort(reason?: unknown): void {
    this.#scheduler.abort(reason ?? new CancelledError(`Pool ${JSON.stringify(this.name)} was aborted`));
  }

  /**
   * Ends the pool in two phases: accepted jobs may end within `timeout`; then the rest is cancelled and awaited.
   *
   * @param options `timeout`, `cleanupTimeout` (ms)
   * @returns how the jobs ended; `unfinished` names jobs that ignored their token
   * @throws (rejects) TypeError or RangeError for a wrong time; the pool is unchanged then
   */
  async shutdown(options: PoolShutdownOptions): Promise<WorkerPoolReport> {
    checkOptions('shutdown', options, ['timeout', 'cleanupTimeout']);
    const { timeout, cleanupTimeout = this.#cleanupTimeout } = Object(options) as PoolShutdownOptions;
    checkTime('shutdown: timeout', timeout);
    const deadline = CancellationToken.timeout(timeout, { clock: this.#clock });
    try {
      await this.#scheduler.drain(deadline, cleanupTimeout);
    } catch {
      // The deadline; the report shows what it cut off.
    } finally {
      deadline.dispose();
    }
    return this.report();
  }

  /** Returns how jobs have ended since the pool was closed. */
  report(): WorkerPoolReport {
    return this.#scheduler.report();
  }

  async #run<T>(entry: Job, job: (token: CancellationToken) => T, timeout: number): Promise<Awaited<T>> {
    const { tally } = this.#scheduler;
    const token = entry.start(this.#clock, timeout);
    // A waiter on a deadline keeps its timer armed, also when the job never reads its token.
    const holds = waiter(ignore);
    if (timeout < Number.POSITIVE_INFINITY) token[source].park(holds);
    let hasStarted = false;
    try {
      token.throwIfCancelled();
      hasStarted = true;
      const value = await job(token);
      if (this.isClosed) tally.completedCount++;
      return value;
    } catch (error) {
      const isObeying = isCancellationOf(error, token);
      if (this.isClosed && isObeying) tally[hasStarted ? 'cancelled' : 'dropped'].push(entry.name);
      else if (this.isClosed) tally.failed.push({ name: entry.name, error });
      throw isObeying ? token.reason : error;
    } finally {
      token[source].unpark(holds);
      token.dispose();
    }
  }
}
