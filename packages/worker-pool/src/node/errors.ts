import { nameError } from '@quiesce/internal';

/**
 * Work in a thread or a process did not stop after its cancellation, and was ended together with the thread or process.
 *
 * Its cleanup did not run, and its state is lost. `cause` is the reason of the cancellation.
 * @example
 * ```ts
 * import { spawn } from 'node:child_process';
 * import { guardChild, WorkerEndedError } from '@quiesce/worker-pool/node';
 *
 * const stuck = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1_000)'], { stdio: 'ignore' });
 * const stop = CancellationToken.alreadyCancelled('deploy');
 * await guardChild(stuck, { signal: stop, cleanupTimeout: 0 }).catch((error) => {
 *   console.log(error instanceof WorkerEndedError, error.cause); // => true deploy
 * });
 * ```
 */
export class WorkerEndedError extends Error {
  /** @internal See `nameError`. */
  static readonly completed: object = /* @__PURE__ */ nameError(WorkerEndedError, 'WorkerEndedError');
  /** Always `WorkerEndedError`. */
  declare readonly name: 'WorkerEndedError';
  /** Always `ERR_WORKER_ENDED`. */
  readonly code = 'ERR_WORKER_ENDED' as const;
  /** How long the work had to stop after its cancellation, in milliseconds. */
  readonly cleanupTimeout: number;

  /** @internal */
  constructor(what: string, cleanupTimeout: number, reason: unknown) {
    super(
      `${what} did not stop within ${cleanupTimeout} ms after it was cancelled, and was ended; read token.isCancelled more often, or raise cleanupTimeout`,
      { cause: reason },
    );
    this.cleanupTimeout = cleanupTimeout;
  }
}
