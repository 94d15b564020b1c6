import { nameError } from '@quiesce/internal';

/**
 * The reason of the token of a job that another worker may run now: its lock was taken or has expired, its time is over, or its
 * partition belongs to another consumer.
 *
 * The outcome of the job is no longer recorded. End the work, and leave its effects to the next run.
 *
 * @example
 * ```ts
 * import { LockLostError } from '@quiesce/adapters/bullmq';
 *
 * const token = CancellationToken.alreadyCancelled(new LockLostError('mail 7', 'its lock was taken'));
 * if (token.reason instanceof LockLostError) console.log(token.reason.job, token.reason.code); // => mail 7 ERR_LOCK_LOST
 * ```
 */
export class LockLostError extends Error {
  /** @internal See `nameError`. */
  static readonly completed: object = /* @__PURE__ */ nameError(LockLostError, 'LockLostError');
  /** Always `LockLostError`. */
  declare readonly name: 'LockLostError';
  /** Always `ERR_LOCK_LOST`. */
  readonly code = 'ERR_LOCK_LOST' as const;
  /** The name of the job, as in reports. */
  readonly job: string;

  /**
   * @param job the name of the job, as in reports
   * @param why how its lock was lost
   */
  constructor(job: string, why: string, options?: ErrorOptions) {
    super(`The lock of job ${JSON.stringify(job)} is lost: ${why}. Another worker may run it`, options);
    this.job = job;
  }
}
