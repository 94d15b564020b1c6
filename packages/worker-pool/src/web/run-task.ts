/**
 * Runs one task in another thread, so that it can be cancelled.
 *
 *     queued ──a thread──► running ─────────────────────► ended: its outcome
 *        │ cancel             │ cancel: the flag is set
 *        ▼                    ▼
 *     withdrawn: reason    cancelled ──it settles──► its outcome │ reason
 *                             └─cleanupTimeout is over─► the thread is terminated: WorkerEndedError
 */

import type { CancellationToken, Clock } from '@quiesce/cancellation-token';
import { WorkerEndedError } from './errors.ts';
import { shareToken, type TokenLink } from './share-token.ts';
import { endedByReason, giveUp, isGivenUp, isShared, withdraw } from './task-flags.ts';

/** The arguments of `runTask`. */
export interface TaskRun {
  /** How errors name the task. */
  readonly what: string;
  readonly token: CancellationToken;
  readonly cleanupTimeout: number;
  readonly clock: Clock;
  /** Whether the threads may share memory. */
  readonly sharedMemory: boolean;
  /** Sends the task to its thread. `ended` aborts when the task was withdrawn, or given up: then the thread has to end. */
  send(shared: TokenLink['shared'], ended: AbortSignal): Promise<unknown>;
}

export async function runTask({ what, token, cleanupTimeout, clock, sharedMemory, send }: TaskRun): Promise<unknown> {
  token.throwIfCancelled();
  const { shared, dispose } = shareToken(token, { sharedMemory });
  const { flags } = shared;
  const ender = new AbortController();
  let timer: ReturnType<Clock['setTimer']> | undefined;
  const end = (): void => {
    // When the work is not running, its outcome is on its way.
    if (giveUp(flags)) ender.abort();
  };
  const registration = token.onCancelled(() => {
    if (withdraw(flags)) ender.abort();
    else timer = clock.setTimer(cleanupTimeout, end, { ref: true });
  });
  try {
    // A deadline may have passed since the check above.
    if (ender.signal.aborted) throw token.reason;
    return await send(shared, ender.signal);
  } catch (error) {
    if (!token.isCancelled) throw error;
    if (isGivenUp(flags)) {
      const advice = isShared(flags) ? undefined : 'call `await checkpoint(token)`, because it shares no memory';
      throw new WorkerEndedError(what, cleanupTimeout, token.reason, advice);
    }
    throw endedByReason(flags) ? token.reason : error;
  } finally {
    dispose();
    registration.dispose();
    if (timer !== undefined) clock.clearTimer(timer);
  }
}
