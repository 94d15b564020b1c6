/**
 * Decides when the jobs of a pool start.
 *
 *     enter ──► WAITING (the queue is full) ──room──► QUEUED ──a worker is free──► RUNNING ──end──► ended
 *                  │ close: rejected                     │ cancel: dropped            │ cancel: cancelled, and awaited
 *
 * Invariants
 *  1. Each queued or running job holds one guard of the tracker. A closed tracker is empty when all accepted jobs have
 *     ended.
 *  2. While a worker is free and the scheduler is not paused, the queue is empty. While the queue has room, no job waits.
 *  3. A job that has started keeps its worker until it has ended, also when it is cancelled.
 *
 * Not guaranteed: that a job which ignores its token ends.
 */

import { CancellationToken, type Clock, ClosedError } from '@quiesce/cancellation-token';
import { ignore } from '@quiesce/internal';
import { TaskTracker } from '@quiesce/scope';
import { QueueFullError } from './errors.ts';
import type { Job } from './job.ts';
import { PriorityQueue } from './priority-queue.ts';
import type { JobTally, WorkerPoolReport } from './worker-pool-report.ts';

export class JobScheduler {
  readonly #name: string;
  readonly #concurrency: number;
  readonly #capacity: number;
  readonly #refuses: boolean;
  readonly #clock: Clock;
  /** Counts accepted jobs that have not ended. */
  readonly tracker: TaskTracker;
  /** Jobs that wait for room in the queue. */
  readonly waiting: PriorityQueue<Job> = new PriorityQueue();
  readonly queue: PriorityQueue<Job> = new PriorityQueue();
  readonly running: Set<Job> = new Set();
  /** Set by the pool's `pause`, and cleared by `resume`. */
  isPaused = false;
  /** Counts jobs that end from `close` on. */
  readonly tally: JobTally = { completedCount: 0, failed: [], cancelled: [], dropped: [] };

  constructor(name: string, concurrency: number, capacity: number, refuses: boolean, clock: Clock) {
    this.#name = name;
    this.#concurrency = concurrency;
    this.#capacity = capacity;
    this.#refuses = refuses;
    this.#clock = clock;
    this.tracker = new TaskTracker({ name });
  }

  get isClosed(): boolean {
    return this.tracker.isClosed;
  }

  /**
   * Gives a job a worker, or a place in a queue.
   *
   * @returns whether the job has a worker; call `waitForWorker` otherwise
   * @throws ClosedError when the pool is closed; QueueFullError
   */
  enter(job: Job): boolean {
    if (this.isClosed) throw this.#closedError();
    // No job is ahead of this one then (invariant 2).
    if (this.#hasFreeWorker) {
      this.#accept(job);
      this.#employ(job);
      return true;
    }
    const hasRoom = this.queue.size < this.#capacity;
    if (hasRoom) this.#accept(job);
    else if (this.#refuses) throw new QueueFullError(this.#name, this.#capacity);
    (hasRoom ? this.queue : this.waiting).add(job);
    return false;
  }

  /** Waits until a job that is in a queue has a worker. Rejects when the job is dropped. */
  async waitForWorker(job: Job): Promise<void> {
    const registration = job.signal?.onCancelled((reason) => {
      if (job.level !== undefined) this.#dropQueuedJob(job, reason);
    });
    try {
      await job.waitForWorker();
    } finally {
      registration?.dispose();
    }
  }

  /** Ends a job, and gives its worker to the next one. */
  end(job: Job): void {
    this.running.delete(job);
    job.guard?.dispose();
    this.#assignWorkers();
  }

  resume(): void {
    this.isPaused = false;
    this.#assignWorkers();
  }

  /** Accepts no more jobs, and rejects those that wait for room. */
  close(): void {
    this.tracker.close();
    for (let job = this.waiting.shift(); job !== undefined; job = this.waiting.shift()) {
      job.reject(this.#closedError());
    }
  }

  /** Waits until all accepted jobs have ended. Cancels them when `signal` is cancelled, and waits `cleanupTimeout` more. */
  async drain(signal: CancellationToken, cleanupTimeout: number): Promise<void> {
    this.close();
    this.resume();
    const deadline = signal.onCancelled((reason) => this.abort(reason));
    try {
      await this.tracker.drain(signal);
    } catch (reason) {
      await this.tracker.drain(CancellationToken.timeout(cleanupTimeout, { clock: this.#clock })).catch(ignore);
      throw reason;
    } finally {
      deadline.dispose();
    }
  }

  /** Drops the queued jobs, and cancels the running ones. */
  abort(reason: unknown): void {
    this.close();
    const running = [...this.running];
    for (let job = this.queue.shift(); job !== undefined; job = this.queue.shift()) {
      this.tally.dropped.push(job.name);
      job.reject(reason);
      job.guard?.dispose();
    }
    for (const job of running) job.cancel(reason);
  }

  report(): WorkerPoolReport {
    const { completedCount, failed, cancelled, dropped } = this.tally;
    const now = this.#clock.now();
    const unfinished = [...this.running].map(({ name, startedAt }) => ({ name, ageMs: now - startedAt }));
    return { completedCount, failed: [...failed], cancelled: [...cancelled], dropped: [...dropped], unfinished };
  }

  get #hasFreeWorker(): boolean {
    return !this.isPaused && this.running.size < this.#concurrency;
  }

  /** Invariant 1. */
  #accept(job: Job): void {
    job.guard = this.tracker.guard();
  }

  /** Assigns a worker. A job that was in a queue starts one microtask later. */
  #employ(job: Job): void {
    job.startedAt = this.#clock.now();
    this.running.add(job);
  }

  /** Removes a job from the queue that holds it. It never starts. */
  #dropQueuedJob(job: Job, reason: unknown): void {
    (job.guard === undefined ? this.waiting : this.queue).delete(job);
    // `close` rejects all jobs that wait for room: a job that is dropped later was accepted.
    if (this.isClosed) this.tally.dropped.push(job.name);
    job.reject(reason);
    job.guard?.dispose();
    this.#assignWorkers();
  }

  /** Invariant 2. */
  #assignWorkers(): void {
    for (;;) {
      while (this.queue.size < this.#capacity && this.waiting.size > 0) {
        const job = this.waiting.shift() as Job;
        this.#accept(job);
        this.queue.add(job);
      }
      if (!this.#hasFreeWorker) return;
      const next = this.queue.shift() ?? this.waiting.shift();
      if (next === undefined) return;
      if (next.guard === undefined) this.#accept(next);
      this.#employ(next);
      next.assignWorker();
    }
  }

  #closedError(): ClosedError {
    return new ClosedError(`execute: pool ${JSON.stringify(this.#name)} is closed`);
  }
}
