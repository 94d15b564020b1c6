/**
 * Runs work in a thread of a piscina, so that it can be cancelled.
 *
 *     in line ──thread──► running ──────────────────────► ended: its outcome
 *        │ cancel            │ cancel: the flag is raised
 *        ▼                   ▼
 *     withdrawn: reason   cancelled ──acknowledged──► its outcome │ reason
 *                            └──────grace is over────► the thread is ended: WorkerEndedError
 */

import { CancellationToken, type Clock, systemClock } from '@quiesce/cancellation-token';
import { checkKind, checkOptions, checkTime } from '@quiesce/internal';
import { WorkerEndedError } from './errors.ts';
import { giveUp, hasObeyed, isGivenUp } from './flags.ts';
import { shareToken } from './share-token.ts';
import type { ThreadCall } from './thread-task.ts';

/** What is used of a piscina. */
export interface PiscinaLike {
  /** Runs one task in a thread. */
  run(
    task: unknown,
    options: { readonly transferList?: readonly never[]; readonly signal?: AbortSignal; readonly name?: string },
  ): Promise<unknown>;
}

/** How work runs in a thread. */
export interface RunInPoolOptions {
  /** Cancels it. */
  readonly token?: CancellationToken | AbortSignal | undefined;
  /** How many milliseconds, 0 to `Infinity`, it may take to stop once it is cancelled. Default: 1,000. */
  readonly grace?: number | undefined;
  /** Which export of the pool's file is run; default: the default export. */
  readonly name?: string | undefined;
  /** What of the input is transferred to the thread, and not copied. */
  readonly transferList?: readonly object[] | undefined;
  /** Where time comes from; default: the platform's. */
  readonly clock?: Clock | undefined;
}

/**
 * Runs a `threadTask` in a thread of a piscina, with a token that reaches into it.
 *
 * **Timing.** When the token is cancelled, work that waits for a thread never starts; work that runs sees it at its next
 * `token.isCancelled`, and is awaited. What has not stopped after `grace` is ended together with its thread, which the
 * pool replaces.
 *
 * **Cancel safety.** What the work returns although it was cancelled is the result.
 *
 * @param pool a `Piscina`, whose file exports what `threadTask` has made; with `concurrentTasksPerWorker` above 1 the end
 *   of a thread ends its other tasks too
 * @param input what the work gets; it is cloned, or transferred
 * @param options `token`, `grace` (ms), `name`, `transferList`
 * @returns what the work returns, cloned
 * @throws (rejects) what the work fails with; the reason when it was cancelled and has obeyed; WorkerEndedError when it has
 *   not; RangeError for a bad time
 * @see piscina's `signal`, which ends the thread at once
 * @example
 * ```ts
 * import { runInPool, threadTask } from '@quiesce/worker-pool/node';
 *
 * const task = threadTask((n: number) => 2 * n);
 * // In place of a Piscina, whose file exports the task.
 * const pool = { run: (call: unknown) => task(call as Parameters<typeof task>[0]) };
 * console.log(await runInPool(pool, 21)); // => 42
 * ```
 */
export async function runInPool<O = unknown>(
  pool: PiscinaLike,
  input: unknown,
  options: RunInPoolOptions = {},
): Promise<O> {
  checkOptions('runInPool', options, ['token', 'grace', 'name', 'transferList', 'clock']);
  const { grace = 1_000, clock = systemClock, name, transferList = [] } = options;
  checkTime('runInPool: grace', grace);
  checkKind(typeof pool?.run === 'function', 'runInPool', 'a piscina', pool);
  checkKind(Array.isArray(transferList), 'runInPool: transferList', 'a list', transferList);
  const token =
    options.token === undefined ? CancellationToken.never : CancellationToken.from(options.token, 'runInPool: token');
  token.throwIfCancelled();
  const link = shareToken(token);
  const ender = new AbortController();
  let timer: ReturnType<Clock['setTimer']> | undefined;
  const { flags } = link.shared;
  const end = (): void => {
    // Else its outcome is on its way.
    if (giveUp(flags)) ender.abort();
  };
  const registration = token.onCancelled(() => {
    if (link.withdraw()) ender.abort();
    else timer = clock.setTimer(grace, end, { ref: true });
  });
  const call: ThreadCall<unknown> = { input, token: link.shared };
  const transfer = [...transferList, link.shared.port] as never[];
  try {
    return (await pool.run(call, {
      transferList: transfer,
      signal: ender.signal,
      ...(name === undefined ? {} : { name }),
    })) as O;
  } catch (error) {
    if (!token.isCancelled) throw error;
    if (isGivenUp(flags)) throw new WorkerEndedError('Work in a thread', grace, token.reason);
    throw hasObeyed(flags) ? token.reason : error;
  } finally {
    link.dispose();
    registration.unregister();
    if (timer !== undefined) clock.clearTimer(timer);
  }
}
