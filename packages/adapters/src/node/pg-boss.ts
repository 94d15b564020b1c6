import { CancellationToken, reportUncaught } from '@quiesce/cancellation-token';
import { checkCount, checkFunction, checkKind, checkTime } from '@quiesce/internal';
import { retry, select, sleep } from '@quiesce/select';
import { checkPeer } from './check-peer.ts';
import {
  checkJobOptions,
  type DrainableJobs,
  JobDrain,
  type JobDrainOptions,
  type RunningJob,
  startTimer,
} from './job-drain.ts';
import { LockLostError } from './lock-lost-error.ts';

export type { DrainableJobs, JobDrainOptions };
export { LockLostError };

/** Options for `drainableQueue`. */
export interface DrainableQueueOptions extends JobDrainOptions {
  /** How many jobs run at the same time: an integer from 1. Default: 1. */
  readonly concurrency?: number | undefined;
  /** How many milliseconds after an empty fetch the next one follows. Default: 2,000, as in pg-boss. */
  readonly pollingInterval?: number | undefined;
  /** How many milliseconds apart the adapter checks that a running job is still its own. Default: 10,000. */
  readonly lockCheckInterval?: number | undefined;
}

/** A job of pg-boss, with its metadata. */
export interface QueueJob<Data> {
  /** The id that `boss.send` returned. */
  readonly id: string;
  /** The name of its queue. */
  readonly name: string;
  /** The data that `boss.send` got. */
  readonly data: Data;
  /** Jobs with a higher priority are fetched first. */
  readonly priority: number;
  /** How often the job was retried. 0 in its first run. */
  readonly retryCount: number;
  /** How often the job is retried at most. */
  readonly retryLimit: number;
  /** When the job was sent. */
  readonly createdOn: Date;
  /** When the current run began. */
  readonly startedOn: Date;
  /** The key that allows one job at a time, or `null`. */
  readonly singletonKey: string | null;
  /** After how many seconds pg-boss takes a run for lost. */
  readonly expireInSeconds: number;
  /** Since pg-boss 12. */
  readonly heartbeatSeconds?: number | null;
}

/** The part of a `PgBoss` that `drainableQueue` uses. Its versions have different types. */
export interface QueueBoss {
  /** Fetches up to `batchSize` jobs, which are active from then on. */
  fetch<Data>(
    queue: string,
    options: { includeMetadata: true; batchSize: number },
  ): Promise<Omit<QueueJob<Data>, 'heartbeatSeconds'>[]>;
  /** Records that a job has completed. */
  complete(queue: string, id: string, data: object): Promise<unknown>;
  /** Records that a job has failed. It is retried while retries remain. */
  fail(queue: string, id: string, data: object): Promise<unknown>;
  /** Cancels a job. */
  cancel(queue: string, id: string): Promise<unknown>;
  /** Makes a cancelled job wait again. */
  resume(queue: string, id: string): Promise<unknown>;
  /** Returns a job, or `null` when it does not exist. */
  getJobById(queue: string, id: string): Promise<(Pick<QueueJob<unknown>, 'retryCount'> & { state: string }) | null>;
  /** Passes an error to the listeners of `error`. */
  emit(event: 'error', error: unknown): boolean;
}

/** An addition of pg-boss 12: an attempt in place of an id leaves later attempts alone. */
interface Boss12 {
  touch?(queue: string, attempt: QueueJob<unknown>): Promise<{ readonly affected: number }>;
}

const CALL = 'drainableQueue';

/**
 * Starts a consumer of a queue of pg-boss whose jobs have tokens, and returns its drain.
 *
 * Use it in place of `boss.work` in a process that deployments stop. It fetches with `boss.fetch`, runs up to
 * `concurrency` jobs, and records the outcome of each one. `boss.work` completes or fails all jobs of a batch together, also
 * when another worker runs them by then.
 *
 * - `stop`: fetches no more jobs. A fetch that had begun gives its jobs back.
 * - `drain`: waits until the running jobs have ended and their outcomes are in the database. Stop the `boss` after that.
 * - `abort`, and the deadline of `drain`: cancels the tokens of the running jobs.
 *
 * A job that ends because of the cancellation goes back to the queue. While it has retries left, `boss.fail` makes it a retry,
 * after its `retryDelay`. Otherwise `boss.cancel` and `boss.resume` make it available again. A shutdown may take a retry, but
 * it fails no job for good. A value that the job still returns is recorded, and so is an error of its own. A job that does not end
 * within `cleanupTimeout` goes back as well, and its later result is dropped.
 *
 * The token is also cancelled with a `LockLostError` when the time limit of the job (`expireInSeconds`) is over, or when
 * its state was changed. The outcome is then not recorded. With pg-boss 12, the heartbeats of the job are sent.
 *
 * **Timing.** The first fetch starts at once. After `abort`, `drain` takes at most `cleanupTimeout` and one second for the
 * database.
 *
 * **Cancel safety.** The outcome is recorded also after a restart of the database that takes some seconds. A job may run again when
 * the process ends, or the drain reaches its deadline, before that. A job without
 * retries stays cancelled when the process is killed between `boss.cancel` and `boss.resume`.
 *
 * @param boss a started `PgBoss`, with a listener for its event `error`
 * @param queue the name of a queue that exists
 * @param work receives the job and its token, and returns the output of the job
 * @param options `concurrency`; `pollingInterval`, `lockCheckInterval` and `cleanupTimeout` in ms; `name`
 * @returns the drain, for `shutdown.add`
 * @throws TypeError when `boss` is not a `PgBoss`, the installed pg-boss is not version 10, 11 or 12, or an option is
 *   unknown or of the wrong kind; RangeError for a number out of range. `drain` rejects with the reason of its signal,
 *   when that has cancelled jobs, and with a CleanupTimeoutError that names the jobs that did not end
 * @see `PgBoss.fetch`, `complete`, `fail` and `offWork` (pg-boss 10 to 12)
 * @example
 * <!-- not run: it needs a database; packages/adapters/test/queues-guide.slow.test.ts runs the program of the guide -->
 *
 * ```ts
 * const mails = drainableQueue<{ to: string }>(boss, 'mails', async (job, token) => {
 *   await fetch(`https://mail.example/${job.data.to}`, { method: 'POST', signal: token.signal });
 * });
 * shutdown.add(mails);
 * shutdown.hook('pg-boss', () => boss.stop({ graceful: false }));
 * ```
 */
export function drainableQueue<Data = unknown>(
  boss: QueueBoss,
  queue: string,
  work: (job: QueueJob<Data>, token: CancellationToken) => unknown,
  options: DrainableQueueOptions = {},
): DrainableJobs {
  checkPeer(`${CALL}()`, 'pg-boss', [10, 11, 12]);
  checkKind(isBoss(boss), CALL, 'a PgBoss', boss);
  checkKind(typeof queue === 'string' && queue !== '', CALL, 'the name of a queue', queue);
  checkFunction(CALL, work);
  checkJobOptions(CALL, options, ['concurrency', 'pollingInterval', 'lockCheckInterval']);
  const { concurrency = 1, pollingInterval = 2_000, lockCheckInterval = 10_000 } = options;
  checkCount(`${CALL}: concurrency`, concurrency, 1);
  checkTime(`${CALL}: pollingInterval`, pollingInterval);
  checkTime(`${CALL}: lockCheckInterval`, lockCheckInterval);
  const stopping = new CancellationToken();
  /** Cancelled when `drain` ends: outcomes that are not recorded yet are given up. */
  const closed = new CancellationToken();
  /** The jobs whose outcome is not recorded yet. */
  const jobs = new Set<Promise<void>>();
  /** Wakes the loop when a job has ended. */
  let onSlot = (): void => {};
  const { touch } = boss as Boss12;
  const drain = new JobDrain(options.name ?? queue, options.cleanupTimeout, {
    stop: () => {
      stopping.cancel();
      return loop;
    },
    close: async () => {
      closed.cancel(
        new Error(`${CALL}: "${queue}" was drained before the outcome of a job was recorded. The job expires`),
      );
    },
  });
  const loop = fetchJobs();
  return drain;

  async function fetchJobs(): Promise<void> {
    while (!stopping.isCancelled) {
      const batchSize = concurrency - jobs.size;
      const fetched = await boss.fetch<Data>(queue, { includeMetadata: true, batchSize }).catch(emitError);
      for (const job of fetched ?? []) {
        const recorded = processJob(job as QueueJob<Data>).catch(emitError);
        jobs.add(recorded);
        void recorded.then(() => {
          jobs.delete(recorded);
          onSlot();
        });
      }
      if (jobs.size === concurrency) {
        await select({
          stopping,
          slot: new Promise<void>((resolve) => {
            onSlot = resolve;
          }),
        });
      } else if (fetched?.length !== batchSize) {
        await select({ stopping, tick: sleep(pollingInterval) });
      }
    }
    await Promise.all(jobs);
  }

  async function processJob(job: QueueJob<Data>): Promise<void> {
    // A fetch that had begun before the queue was stopped.
    if (!drain.isAccepting) return await giveBack(job, 'fetched while stopping');
    const running = drain.start(`${queue} ${job.id}`);
    const unwatch = watchLock(job, running);
    const outcome = await running.run((token) => work(job, token));
    unwatch();
    if (running.isLost) return;
    const attempt = attemptOf(job);
    if (outcome.status === 'cancelled') await giveBack(job, outcome.reason);
    else if (outcome.status === 'rejected')
      await record(job, () => boss.fail(queue, attempt, outcome.reason as object));
    else await record(job, () => boss.complete(queue, attempt, outcome.value as object));
  }

  /**
   * Makes the job available again. `fail` takes one retry, as the next fetch would, and one statement. Without a retry left, it
   * would fail the job for good.
   */
  async function giveBack(job: QueueJob<Data>, reason: unknown): Promise<void> {
    const attempt = attemptOf(job);
    if (job.retryCount < job.retryLimit) {
      await record(job, () => boss.fail(queue, attempt, { message: `Cancelled, and given back: ${reason}` }));
      return;
    }
    await record(job, () => boss.cancel(queue, attempt));
    // It changes only a cancelled job, so a second execution changes nothing.
    await repeat(() => boss.resume(queue, job.id));
  }

  /** Records the end of a run. The statement may have been executed although it failed: then another worker may run the job. */
  async function record(job: QueueJob<Data>, statement: () => Promise<unknown>): Promise<void> {
    let hasFailed = false;
    await repeat(async () => {
      if (hasFailed && !(await isHeld(job))) return;
      hasFailed = true;
      await statement();
    });
  }

  /** Retries, because the connection may have broken, or the server restarts. A TypeError means that JSON cannot express the output. */
  async function repeat(statement: () => Promise<unknown>): Promise<void> {
    const retryIf = (error: unknown): boolean => !(error instanceof TypeError);
    await retry(statement, { attempts: 10, delay: 100, maxDelay: 4_000, signal: closed, retryIf });
  }

  /** Identifies the job in a statement. Before pg-boss 12, a later attempt of the same job has the same identity. */
  function attemptOf(job: QueueJob<Data>): string {
    return touch === undefined ? job.id : (job as unknown as string);
  }

  /** Loses the job when its time limit is over, or when another worker, or a person, has changed its state. */
  function watchLock(job: QueueJob<Data>, running: RunningJob): () => void {
    const lose = (why: string): void => running.lose(new LockLostError(running.name, why));
    const expireMs = Number(job.expireInSeconds) * 1_000;
    const heartbeatMs = (job.heartbeatSeconds ?? Number.POSITIVE_INFINITY) * 1_000;
    let heldAt = performance.now();
    const check = async (): Promise<void> => {
      // A query may also hang.
      if (performance.now() - heldAt >= heartbeatMs) lose(`there was no heartbeat for ${heartbeatMs} ms`);
      const begin = performance.now();
      if (await isHeld(job)) heldAt = begin;
      else lose('its state was changed');
    };
    const unwatch = startTimer(expireMs, () => lose(`its time limit of ${expireMs} ms is over`));
    // Node treats a longer delay as 1 ms.
    const checks = setInterval(
      () => void check().catch(emitError),
      Math.min(lockCheckInterval, heartbeatMs / 2, 2 ** 31 - 1),
    ).unref();
    return () => {
      unwatch();
      clearInterval(checks);
    };
  }

  async function isHeld(job: QueueJob<Data>): Promise<boolean> {
    if (touch !== undefined && job.heartbeatSeconds) return (await touch.call(boss, queue, job)).affected > 0;
    const stored = await boss.getJobById(queue, job.id);
    return stored?.state === 'active' && stored.retryCount === job.retryCount;
  }

  /** Reports an error as pg-boss reports those of its workers. */
  function emitError(error: unknown): void {
    try {
      boss.emit('error', error);
    } catch (unhandled) {
      // There is no listener.
      reportUncaught(unhandled);
    }
  }
}

function isBoss(value: unknown): value is QueueBoss {
  const { fetch, complete, fail } = Object(value) as Partial<QueueBoss>;
  return [fetch, complete, fail].every((method) => typeof method === 'function');
}
