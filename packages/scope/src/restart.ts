/**
 * Runs the work of one task again when it has failed, as a supervisor of Erlang does for one child.
 *
 * Invariants
 *  1. Two runs of the work never overlap.
 *  2. `recent` holds the ends of at most `limit` runs, all of them within the last `within` milliseconds. The last `KEPT_ERRORS`
 *     of them have their errors. With the limit `Infinity` it holds at most `KEPT_RUNS`, which only determine the delay.
 *  3. After the task's token is cancelled, the work is not started again.
 */

import { type CancellationToken, type Clock, RetryError } from '@quiesce/cancellation-token';
import {
  backoffOf,
  backoffOptions,
  checkChoice,
  checkCount,
  checkFunction,
  checkKind,
  checkOptions,
  checkTime,
  isThenable,
  setTimer,
} from '@quiesce/internal';
import { taskLabel } from './failures.ts';
import type { Restart, RestartOptions } from './options.ts';
import { endedByCancellation } from './stop-signal.ts';

const known: readonly (keyof RestartOptions)[] = [
  ...(['when', 'limit', 'within', 'restartIf', 'onRestart'] as const),
  ...backoffOptions,
];

/** How many errors are kept, as in `retry`. */
const KEPT_ERRORS = 100;
/** How many runs count for the delay when the number of restarts has no limit. By then, the delay has its full length. */
const KEPT_RUNS = 1_000;

/** A run that has ended. */
interface Run {
  readonly endedAt: number;
  /** The error, or none when the work returned or the error is too old. */
  errors: readonly unknown[];
}

/**
 * Returns work that runs the given work again and again.
 *
 * @throws TypeError and RangeError for wrong options
 */
export function restarting<T>(
  call: string,
  work: (token: CancellationToken) => T,
  options: RestartOptions,
  clock: Clock,
  name: string | undefined,
): (token: CancellationToken) => Promise<T> {
  checkOptions(call, options, known);
  const { when = 'failure', limit = 5, within = 60_000, restartIf = alwaysTrue } = options;
  const { onRestart = (restart) => warn(taskLabel(name), restart) } = options;
  checkChoice(`${call}: when`, when, ['failure', 'always']);
  checkCount(`${call}: limit`, limit, 0, Number.POSITIVE_INFINITY);
  checkTime(`${call}: within`, within);
  checkFunction(`${call}: restartIf`, restartIf);
  checkFunction(`${call}: onRestart`, onRestart);
  const delayAfter = backoffOf(call, options);
  return async (token) => {
    const recent: Run[] = [];
    for (let restartCount = 1; ; restartCount++) {
      const errors: unknown[] = [];
      try {
        const value = await work(token);
        if (when === 'failure' || token.isCancelled) return value;
      } catch (error) {
        if (token.isCancelled || endedByCancellation(error, token)) throw error;
        const isRestarted = restartIf(error);
        checkKind(
          !isThenable(isRestarted),
          `${call}: restartIf`,
          'true or false',
          isRestarted,
          '; it must not be async',
        );
        if (!isRestarted) throw error;
        errors.push(error);
      }
      const endedAt = clock.now();
      while (recent[0] !== undefined && recent[0].endedAt <= endedAt - within) recent.shift();
      if (recent.length >= limit) {
        const all = [...recent.flatMap((run) => run.errors), ...errors];
        throw new RetryError(`${taskLabel(name)} was restarted ${limit} times within ${within} ms`, all, restartCount);
      }
      recent.push({ endedAt, errors });
      const old = recent[recent.length - KEPT_ERRORS];
      if (old !== undefined) old.errors = [];
      if (limit === Number.POSITIVE_INFINITY && recent.length > KEPT_RUNS) recent.shift();
      const delayMs = delayAfter(recent.length);
      onRestart({ error: errors[0], restartCount, delayMs });
      await pause(delayMs, token, clock);
    }
  };
}

/** Waits for a time. @throws the reason when the token is cancelled */
async function pause(ms: number, token: CancellationToken, clock: Clock): Promise<void> {
  let clear = (): void => {};
  const elapsed = new Promise<void>((resolve) => {
    clear = setTimer(clock, ms, resolve);
  });
  try {
    const outcome = await token.runUntilCancelled(elapsed);
    if (outcome.status === 'cancelled') throw outcome.reason;
  } finally {
    clear();
  }
}

function warn(task: string, { error, restartCount, delayMs }: Restart): void {
  const { console } = globalThis as unknown as { console: { warn(...parts: unknown[]): void } };
  console.warn(`${task} ended and is restarted in ${Math.round(delayMs)} ms (restart ${restartCount}):`, error);
}

function alwaysTrue(): boolean {
  return true;
}
