import { CancellationToken, type Clock, systemClock } from '@quiesce/cancellation-token';
import { checkKind, checkOptions, checkTime } from '@quiesce/internal';
import { runTask } from '../web/run-task.ts';
import type { ThreadCall } from '../web/thread-task.ts';

/** The part of a piscina that `runInPool` uses. */
export interface PiscinaLike {
  /** Runs one task in a thread. */
  run(
    task: unknown,
    options: { readonly transferList?: readonly never[]; readonly signal?: AbortSignal; readonly name?: string },
  ): Promise<unknown>;
}

/** Options for `runInPool`. */
export interface RunInPoolOptions {
  /** Cancels the work. */
  readonly signal?: CancellationToken | AbortSignal | undefined;
  /** How many milliseconds, 0 to `Infinity`, cancelled work may take to stop. Default: 1,000. */
  readonly cleanupTimeout?: number | undefined;
  /** Name of the export of the pool's file to run. Default: the default export. */
  readonly name?: string | undefined;
  /** Objects of the input that are transferred to the thread instead of copied. */
  readonly transferList?: readonly object[] | undefined;
  /** The clock for time limits. Default: the platform's. */
  readonly clock?: Clock | undefined;
}

/**
 * Runs a `threadTask` in a thread of a piscina. A cancellation of `signal` also cancels the token in the thread.
 *
 * **Timing.** When `signal` is cancelled, work that waits for a thread never starts. Running work sees the cancellation at its
 * next `token.isCancelled`, and is awaited. When it has not stopped after `cleanupTimeout`, the pool terminates its thread,
 * and replaces it.
 *
 * **Cancel safety.** A value that the work still returns after its cancellation is the result.
 *
 * @param pool a `Piscina` whose file exports the result of `threadTask`. With `concurrentTasksPerWorker` above 1, the end of
 *   a thread also ends its other tasks
 * @param input the input of the work; it is cloned, or transferred
 * @param options `signal`, `cleanupTimeout` (ms), `name`, `transferList`, `clock`
 * @returns the result of the work, cloned
 * @throws (rejects) the error of the work; the reason when the work was cancelled and stopped; WorkerEndedError when it
 *   did not stop; TypeError or RangeError for a wrong time
 * @see piscina's `signal`, which terminates the thread at once
 * @example
 * ```ts
 * import { runInPool, threadTask } from '@quiesce/worker-pool/node';
 *
 * const task = threadTask((n: number) => 2 * n);
 * // Instead of a Piscina whose file exports the task:
 * const pool = { run: (call: unknown) => task(call as Parameters<typeof task>[0]) };
 * console.log(await runInPool(pool, 21)); // => 42
 * ```
 */
export async function runInPool<O = unknown>(
  pool: PiscinaLike,
  input: unknown,
  options: RunInPoolOptions = {},
): Promise<O> {
  checkOptions('runInPool', options, ['signal', 'cleanupTimeout', 'name', 'transferList', 'clock']);
  const { cleanupTimeout = 1_000, clock = systemClock, name, transferList = [] } = options;
  checkTime('runInPool: cleanupTimeout', cleanupTimeout);
  checkKind(typeof pool?.run === 'function', 'runInPool', 'a piscina', pool);
  checkKind(Array.isArray(transferList), 'runInPool: transferList', 'a list', transferList);
  const token =
    options.signal === undefined
      ? CancellationToken.never
      : CancellationToken.from(options.signal, 'runInPool: signal');
  const outcome = await runTask({
    what: 'Work in a thread',
    token,
    cleanupTimeout,
    clock,
    sharedMemory: true,
    send: (shared, signal) => {
      const call: ThreadCall<unknown> = { input, token: shared };
      const transfer = [...transferList, shared.port] as never[];
      return pool.run(call, { transferList: transfer, signal, ...(name === undefined ? {} : { name }) });
    },
  });
  return outcome as O;
}
