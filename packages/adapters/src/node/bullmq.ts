import type { CancellationToken } from '@quiesce/cancellation-token';
import { checkFunction, checkKind } from '@quiesce/internal';
import type { Job, Processor, Worker } from 'bullmq';
import { checkPeer } from './check-peer.ts';
import { checkJobOptions, type DrainableJobs, JobDrain, type JobDrainOptions, type RunningJob } from './job-drain.ts';
import { LockLostError } from './lock-lost-error.ts';

export type { DrainableJobs };
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
  /** Fires when the lock has expired. `undefined` when the worker does not renew its locks. */
  readonly expiry: NodeJS.Timeout | undefined;
}

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
  const worker = create(process);
  checkKind(isWorker(worker), CALL, 'a function that returns a Worker of bullmq', worker);
  const drain = new JobDrain(options.name ?? worker.name, options.cleanupTimeout, {
    stop: () => worker.pause(),
    close: (isForced) => worker.close(isForced),
  });
  worker.on('locksRenewed', ({ jobIds }) => {
    for (const id of jobIds) locked.get(id)?.expiry?.refresh();
  });
  worker.on('lockRenewalFailed', (ids) => {
    for (const id of ids) lose(id, 'its lock was taken');
  });
  return Object.assign(drain, { worker });

  async function process(job: Job, lockToken?: string, signal?: AbortSignal): Promise<Result> {
    // A fetch that had begun before the worker was paused.
    if (!drain.isAccepting) return await giveBack(job, lockToken);
    const id = job.id as string;
    const running = drain.start(`${job.name} ${id}`);
    const lock = { running, expiry: watchExpiry(job, id) };
    locked.set(id, lock);
    // `worker.cancelJob` aborts the signal.
    const cancel = (): void => void running.token.cancel(signal?.reason);
    signal?.addEventListener('abort', cancel);
    const outcome = await running.run((token) => work(job as Job<Data, Result, Name>, token));
    signal?.removeEventListener('abort', cancel);
    clearTimeout(lock.expiry);
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

  /** Loses the job when its lock has expired: a worker that cannot reach Redis is not told so. */
  function watchExpiry(job: Job, id: string): NodeJS.Timeout | undefined {
    const { lockDuration = 30_000, skipLockRenewal } = worker.opts;
    if (skipLockRenewal) return undefined;
    const heldMs = Date.now() - (job.processedOn ?? Date.now());
    return setTimeout(() => lose(id, `its lock of ${lockDuration} ms was not renewed`), lockDuration - heldMs).unref();
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
