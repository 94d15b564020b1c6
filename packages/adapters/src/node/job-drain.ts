/**
 * The jobs that one consumer of a queue runs, and their drain.
 *
 * Invariants
 *  1. A job counts as in flight from `start` until its `run` has settled.
 *  2. The token of a job is a child of the drain's token. Only `abort` cancels the drain's token, so a job that ends by its
 *     cancellation while the drain's token is not cancelled was cancelled for another reason.
 *  3. After `abort`, each job settles within `cleanupTimeout`, and the source then has `RECORD_TIMEOUT` to record the outcomes.
 *     So `drain` ends also when the work ignores its token, or when the server of the queue cannot be reached.
 */

import {
  CancellationToken,
  CleanupTimeoutError,
  isCancellationOf,
  reportUncaught,
  systemClock,
  type Unfinished,
} from '@quiesce/cancellation-token';
import { checkOptions, ignore, setTimer } from '@quiesce/internal';
import type { Drainable } from '@quiesce/scope';
import type { LockLostError } from './lock-lost-error.ts';

/** The options that all adapters of queues have. */
export interface JobDrainOptions {
  /** The name in reports. Default: the name of the queue. */
  readonly name?: string | undefined;
  /** How many milliseconds, 0 to `Infinity`, jobs that are cancelled may take to clean up. Default: 1,000. */
  readonly cleanupTimeout?: number | undefined;
}

/** A consumer of a queue that a shutdown can drain. */
export interface DrainableJobs extends Drainable {
  /** The names of the jobs in progress. */
  readonly inFlightNames: readonly string[];
  /** Whether jobs are still fetched: true until `stop`. */
  readonly isAccepting: boolean;
  /**
   * Cancels the tokens of the jobs in progress. A job that ends because of that goes back to the queue. So does a job that does
   * not end within `cleanupTimeout`, and `drain` then rejects with a `CleanupTimeoutError` that names it.
   *
   * **Timing.** Synchronous and idempotent.
   *
   * @param reason the reason of the cancellation
   */
  abort(reason: unknown): void;
}

/** How a job ended. */
export type JobOutcome<T> =
  | { readonly status: 'fulfilled'; readonly value: T }
  | { readonly status: 'rejected'; readonly reason: unknown }
  /** The job goes back to the queue, unless `running.isLost`. */
  | { readonly status: 'cancelled'; readonly reason: unknown };

/** The part of a drain that depends on the library. */
export interface JobSource {
  /** Stops fetching. Fulfils when the outcome of every job is recorded. */
  stop(): Promise<void>;
  /** Closes the connections of the adapter. `isForced`: the outcomes are not recorded yet, and are no longer awaited. */
  close?(isForced: boolean): Promise<void>;
}

/** @throws TypeError for an unknown option, and for one of the wrong kind; RangeError for a time out of range */
export function checkJobOptions(call: string, options: JobDrainOptions, more: readonly string[] = []): void {
  checkOptions(call, options, ['name', 'cleanupTimeout', ...more]);
}

/**
 * Calls a function after a time, up to `Infinity`. Node's `setTimeout` takes a time above 2^31-1 ms for 1 ms. The timer does not
 * keep the process alive.
 *
 * @returns a function that clears the timer
 */
export function startTimer(ms: number, call: () => void): () => void {
  const timer = systemClock.setTimer(ms, call, { ref: false });
  return () => systemClock.clearTimer(timer);
}

/** How many milliseconds after `cleanupTimeout` the outcomes must be recorded. One round trip to the server is enough. */
const RECORD_TIMEOUT = 1_000;

/** The drain of one consumer. */
export class JobDrain implements DrainableJobs {
  readonly name: string;
  readonly #source: JobSource;
  readonly #cleanupTimeout: number;
  readonly #token: CancellationToken;
  readonly #running: Set<RunningJob> = new Set();
  /** Set by `stop`: fulfils when the source has recorded all outcomes. */
  #recorded: Promise<void> | undefined;
  /** The work that did not end within `cleanupTimeout`. */
  readonly #unfinished: Unfinished[] = [];
  /** Cancelled when `drain` no longer waits for the source: all outcomes are recorded, or time has run out. */
  readonly #waitEnded: CancellationToken = new CancellationToken();
  /** Clears the timer of `abort`. */
  #clearTimer: () => void = ignore;

  constructor(name: string, cleanupTimeout: number | undefined, source: JobSource) {
    this.name = name;
    this.#source = source;
    this.#cleanupTimeout = cleanupTimeout ?? 1_000;
    this.#token = new CancellationToken({ name });
  }

  get inFlightCount(): number {
    return this.#running.size;
  }

  get inFlightNames(): readonly string[] {
    return Array.from(this.#running, ({ name }) => name);
  }

  get isAccepting(): boolean {
    return this.#recorded === undefined;
  }

  stop(): void {
    // The source does not wait for the jobs of a consumer that the program has paused.
    this.#recorded ??= Promise.all([this.#source.stop(), ...Array.from(this.#running, ({ ended }) => ended)]).then(
      () => {},
      (error) => {
        // Outcomes that wait for a connection fail when it is closed by force.
        if (!this.#waitEnded.isCancelled) reportUncaught(error);
      },
    );
  }

  async drain(signal: CancellationToken | AbortSignal): Promise<void> {
    const deadline = CancellationToken.from(signal, 'drain');
    this.stop();
    const following = deadline.onCancelled((reason) => this.abort(reason));
    await Promise.race([this.#recorded, this.#waitEnded.cancelled()]);
    const isLate = deadline.isCancelled;
    following.dispose();
    this.#clearTimer();
    const isForced = !this.#waitEnded.cancel();
    await this.#source.close?.(isForced);
    if (isLate) throw deadline.reason;
    if (this.#unfinished.length > 0) {
      throw new CleanupTimeoutError(this.#cleanupTimeout, this.#unfinished, { owner: JSON.stringify(this.name) });
    }
  }

  abort(reason: unknown): void {
    this.stop();
    if (this.#waitEnded.isCancelled || !this.#token.cancel(reason)) return;
    this.#clearTimer = setTimer(systemClock, this.#cleanupTimeout, () => {
      for (const job of this.#running) this.#unfinished.push(job.abandon());
      this.#clearTimer = setTimer(systemClock, RECORD_TIMEOUT, () => this.#waitEnded.cancel());
    });
  }

  /** Starts a job. Its `run` must be called. */
  start(name: string): RunningJob {
    const job = new RunningJob(name, this.#token);
    this.#running.add(job);
    void job.ended.then(() => this.#running.delete(job));
    return job;
  }
}

/** A job that runs. */
export class RunningJob {
  readonly name: string;
  readonly token: CancellationToken;
  /** Whether another worker may run the job: its outcome must not be recorded. */
  isLost = false;
  readonly #drainToken: CancellationToken;
  /** Fulfils when `run` settles. */
  readonly ended: Promise<void>;
  #end: () => void = () => {};
  readonly #startedAt: number = performance.now();
  readonly #abandoned: Promise<undefined>;
  #abandon: () => void = () => {};

  constructor(name: string, drainToken: CancellationToken) {
    this.name = name;
    this.token = drainToken.childToken({ name });
    this.#drainToken = drainToken;
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
    this.#abandoned = new Promise((resolve) => {
      this.#abandon = () => resolve(undefined);
    });
  }

  /** Cancels the job, because another worker may run it. */
  lose(reason: LockLostError): void {
    this.isLost = true;
    this.token.cancel(reason);
  }

  /** Makes `run` settle, although the work has not. */
  abandon(): Unfinished {
    this.#abandon();
    return { name: this.name, ageMs: performance.now() - this.#startedAt };
  }

  /** Runs the work. Never rejects. */
  async run<T>(work: (token: CancellationToken) => T): Promise<JobOutcome<Awaited<T>>> {
    const settled = this.#runWork(work);
    const outcome = await Promise.race([settled, this.#abandoned]);
    this.#end();
    const { token } = this;
    if (outcome === undefined) {
      void settled.then((late) => late.status === 'rejected' && !this.isLost && reportUncaught(late.reason));
      return { status: 'cancelled', reason: token.reason };
    }
    if (this.isLost) return { status: 'cancelled', reason: token.reason };
    token.dispose();
    return outcome;
  }

  async #runWork<T>(work: (token: CancellationToken) => T): Promise<JobOutcome<Awaited<T>>> {
    const { token } = this;
    try {
      return { status: 'fulfilled', value: await work(token) };
    } catch (reason) {
      const isObeying = this.#drainToken.isCancelled && isCancellationOf(reason, token);
      return { status: isObeying ? 'cancelled' : 'rejected', reason };
    }
  }
}
