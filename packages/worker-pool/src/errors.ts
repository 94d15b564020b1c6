import { nameError } from '@quiesce/internal';

/**
 * A pool with `whenFull: 'refuse'` refused a job because its queue was full. The job never starts.
 *
 * @example
 * ```ts
 * const pool = new WorkerPool({ concurrency: 1, capacity: 0, whenFull: 'refuse' });
 * const first = pool.execute(() => 'done');
 * await pool.execute(() => {}).catch((error) => console.log(error.code)); // => ERR_QUEUE_FULL
 * console.log(await first); // => done
 * ```
 */
export class QueueFullError extends Error {
  /** @internal See `nameError`. */
  static readonly completed: object = /* @__PURE__ */ nameError(QueueFullError, 'QueueFullError');
  /** Always `QueueFullError`. */
  declare readonly name: 'QueueFullError';
  /** Always `ERR_QUEUE_FULL`. */
  readonly code = 'ERR_QUEUE_FULL' as const;
  /** How many jobs the queue holds. */
  readonly maxCapacity: number;

  /** @internal */
  constructor(pool: string, maxCapacity: number) {
    super(
      `execute: the queue of pool ${JSON.stringify(pool)} is full (${maxCapacity}); try again later, or raise capacity`,
    );
    this.maxCapacity = maxCapacity;
  }
}
