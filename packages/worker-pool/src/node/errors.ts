import { nameError } from '@quiesce/internal';

/**
 * Work in a thread or a process went on after it was cancelled, and was ended with the thread or process.
 *
 * Its cleanup has not run, and what it held is lost; `cause` is why it was cancelled.
 * @example
 * ```ts
 * import { spawn } from 'node:child_process';
 * import { guardChild, WorkerEndedError } from '@quiesce/worker-pool/node';
 *
 * const deaf = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1_000)'], { stdio: 'ignore' });
 * const stop = CancellationToken.alreadyCancelled('deploy');
 * await guardChild(deaf, { token: stop, grace: 0 }).catch((error) => {
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
  /** How long was waited after the cancellation, in milliseconds. */
  readonly grace: number;

  /** @internal */
  constructor(what: string, grace: number, reason: unknown) {
    super(
      `${what} did not stop within ${grace} ms after it was cancelled, and was ended; ask token.isCancelled more often, or raise grace`,
      { cause: reason },
    );
    this.grace = grace;
  }
}
