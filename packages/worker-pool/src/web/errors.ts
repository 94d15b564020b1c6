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
  constructor(what: string, cleanupTimeout: number, reason: unknown, advice = 'read token.isCancelled more often') {
    super(
      `${what} did not stop within ${cleanupTimeout} ms after it was cancelled, and was ended; ${advice}, or raise cleanupTimeout`,
      { cause: reason },
    );
    this.cleanupTimeout = cleanupTimeout;
  }
}

/**
 * A worker died, so its work did not end: its file could not be loaded, an error in it was not caught, it closed itself, or
 * it was terminated because other work in it did not stop.
 *
 * `cause` is the error, where the platform passes it on.
 * @example
 * ```ts
 * import { TaskWorker, WorkerFailedError } from '@quiesce/worker-pool/web';
 *
 * const { port1, port2 } = new MessageChannel();
 * const worker = new TaskWorker(port1, { name: 'search' });
 * const result = worker.run('cats').catch((error) => {
 *   console.log(error instanceof WorkerFailedError, error.message);
 *   // => true Worker "search" failed: it was closed
 * });
 * port2.close(); // The worker ends without a result.
 * await result;
 * ```
 */
export class WorkerFailedError extends Error {
  /** @internal See `nameError`. */
  static readonly completed: object = /* @__PURE__ */ nameError(WorkerFailedError, 'WorkerFailedError');
  /** Always `WorkerFailedError`. */
  declare readonly name: 'WorkerFailedError';
  /** Always `ERR_WORKER_FAILED`. */
  readonly code = 'ERR_WORKER_FAILED' as const;

  /** @internal */
  constructor(worker: string, why: string, options?: ErrorOptions) {
    super(`Worker ${JSON.stringify(worker)} failed: ${why}`, options);
  }
}
