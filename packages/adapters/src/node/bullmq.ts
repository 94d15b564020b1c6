import type { CancellationToken } from '@quiesce/cancellation-token';
import { checkFunction, checkKind, ignore } from '@quiesce/internal';
import type { Job, Processor, Worker } from 'bullmq';
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

/** Options for `drainableWorker`. */
export type DrainableWorkerOptions = JobDrainOptions;

/** A worker of BullMQ that a shutdown can drain. */
export interface DrainableWorker<W> extends DrainableJobs {
  /** The worker. */
  readonly worker: W;
}

const CALL = 'drainableWorker';

/** A job whose lock this worker holds. */
interface LockedJob {
  readonly running: RunningJob;
  /** Clears the timer of its expiry. */
  unwatch: () => void;
}

/**
 * Starts a worker of BullMQ whose jobs have tokens, and returns its drain.
 *
 * Use it in place of `new Worker` with a function, in a process that deployments stop. A processor in a file of its own (a
 * sandbox) is not supported.
 *
 * - `stop`: the worker fetches no more jobs. A fetch that had begun gives its job back.
 * - `drain`: waits until the running jobs have ended and their outcomes are in Redis, and then closes the worker.
 * - `abort`, and the deadline of `drain`: cancels the tokens of the running jobs.
 *
 * A job that ends because of the cancellation goes back to the front of the waiting jobs. It counts as no attempt, and no event
 * `failed` is emitted. A value that it still returns is recorded, and so is an error of its own. A job that does not end
 * within `cleanupTimeout` goes back as well, and its later result is dropped.
 *
 * The token is also cancelled with a `LockLostError` when the lock of the job was taken, or could not be renewed for
 * `lockDuration`. BullMQ then records no outcome, and another worker runs the job. `worker.cancelJob` cancels the token with
 * its reason, and the job fails.
 *
 * **Timing.** The worker starts at once, unless its option `autorun` is false. After `abort`, `drain` takes at most
 * `cleanupTimeout` and one second for Redis.
 *
 * **Cancel safety.** No job is lost. A job may run again when the process or its connection ends before the outcome is
 * recorded.
 *
 * @param create makes the worker with the processor that it receives
 * @param work receives the job and its token, and returns the result of the job
 * @param options `name`, `cleanupTimeout` in ms
 * @returns the drain, for `shutdown.add`; its `worker` is the worker
 * @throws TypeError when `create` returns no worker, the installed BullMQ is not version 6, or an option is unknown or of
 *   the wrong kind; RangeError when `cleanupTimeout` is negative or NaN. `drain` rejects with the reason of its signal,
 *   when that has cancelled jobs, and with a CleanupTimeoutError that names the jobs that did not end
 * @see `Worker.close` and `WaitingError` (bullmq 6)
 * @example
 * <!-- not run: it needs a Redis; packages/adapters/test/queues-guide.slow.test.ts runs the program of the guide -->
 *
 * ```ts
 * const mails = drainableWorker(
 *   (processor) => new Worker<{ to: string }>('mails', processor, { connection }),
 *   async (job, token) => {
 *     await fetch(`https://mail.example/${job.data.to}`, { method: 'POST', signal: token.signal });
 *   },
 * );
 * shutdown.add(mails);
 * ```
 */
export function drainableWorker<Data, Result, Name extends string>(
  create: (processor: Processor) => Worker<Data, Result, Name>,
  work: (job: Job<Data, Result, Name>, token: CancellationToken) => Result | PromiseLike<Result>,
  options: DrainableWorkerOptions = {},
): DrainableWorker<Worker<Data, Result, Name>> {
  checkPeer(`${CALL}()`, 'bullmq', [6]);
  checkFunction(CALL, create, '; pass (processor) => new Worker(name, processor, options)');
  checkFunction(CALL, work);
  checkJobOptions(CALL, options);
  const locked = new Map<string, LockedJob>();
  const worker = create(processJob);
  checkKind(isWorker(worker), CALL, 'a function that returns a Worker of bullmq', worker);
  const drain = new JobDrain(options.name ?? worker.name, options.cleanupTimeout, {
    stop: () => worker.pause(),
    close: (isForced) => worker.close(isForced),
  });
  worker.on('locksRenewed', ({ jobIds }) => {
    for (const id of jobIds) {
      const lock = locked.get(id);
      lock?.unwatch();
      if (lock !== undefined) lock.unwatch = watchExpiry(id, 0);
    }
  });
  worker.on('lockRenewalFailed', (ids) => {
    for (const id of ids) lose(id, 'its lock was taken');
  });
  // The program may have paused it, and resumes it later.
  worker.on('resumed', () => {
    if (!drain.isAccepting) void worker.pause(true);
  });
  return Object.assign(drain, { worker });

  async function processJob(job: Job, lockToken?: string, signal?: AbortSignal): Promise<Result> {
    // A fetch that had begun before the worker was paused.
    if (!drain.isAccepting) return await giveBack(job, lockToken);
    const id = job.id as string;
    const running = drain.start(`${job.name} ${id}`);
    const heldMs = Date.now() - (job.processedOn ?? Date.now());
    const lock: LockedJob = { running, unwatch: watchExpiry(id, heldMs) };
    locked.set(id, lock);
    // `worker.cancelJob` aborts the signal.
    const cancel = (): void => void running.token.cancel(signal?.reason);
    signal?.addEventListener('abort', cancel);
    const outcome = await running.run((token) => work(job as Job<Data, Result, Name>, token));
    signal?.removeEventListener('abort', cancel);
    lock.unwatch();
    // After a lost lock, this worker may already run the job again.
    if (locked.get(id) === lock) locked.delete(id);
    if (running.isLost) throw new WaitingError();
    if (outcome.status === 'cancelled') return await giveBack(job, lockToken);
    if (outcome.status === 'rejected') throw outcome.reason;
    return outcome.value;
  }

  /** Moves a job to the front of the waiting jobs, without an attempt. When that fails, its lock expires. */
  async function giveBack(job: Job, lockToken: string | undefined): Promise<never> {
    try {
      await job.moveToWait(lockToken);
    } catch (error) {
      worker.emit('error', error as Error);
    }
    throw new WaitingError();
  }

  /** Loses the job when its lock has expired: BullMQ emits no event when it cannot reach Redis. */
  function watchExpiry(id: string, heldMs: number): () => void {
    const { lockDuration = 30_000, skipLockRenewal } = worker.opts;
    if (skipLockRenewal) return ignore;
    return startTimer(Math.max(0, lockDuration - heldMs), () =>
      lose(id, `its lock of ${lockDuration} ms was not renewed`),
    );
  }

  function lose(id: string, why: string): void {
    const running = locked.get(id)?.running;
    running?.lose(new LockLostError(running.name, why));
  }
}

/** Tells BullMQ, which knows it by its name, that the job was moved already. */
class WaitingError extends Error {
  override readonly name = 'WaitingError';
}

function isWorker(value: unknown): value is Worker {
  const { pause, close, on } = Object(value) as Partial<Worker>;
  return [pause, close, on].every((method) => typeof method === 'function');
}
