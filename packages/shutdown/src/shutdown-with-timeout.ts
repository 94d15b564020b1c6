import {
  CancellationToken,
  type Clock,
  isCancellationOf,
  reportUncaught,
  TimeoutError,
} from '@quiesce/cancellation-token';
import { checkFunction, checkOptions, checkTime } from '@quiesce/internal';
import { clockOf } from './options.ts';
import { raceDeadline } from './race-deadline.ts';

/** Options for `shutdownWithTimeout`. */
export interface ShutdownWithTimeoutOptions {
  /** How long the function may take, in ms, to end after its token was cancelled. Default: 1,000. */
  readonly cleanupTimeout?: number | undefined;
  /** The clock. Default: the clock of the platform. */
  readonly clock?: Clock | undefined;
}

/** The result of `shutdownWithTimeout`: ended in time, or cancelled at its limit. */
export type ShutdownOutcome<T> =
  | { readonly status: 'fulfilled'; readonly value: T }
  /** `hasEnded`: whether it ended within `cleanupTimeout`. Otherwise it still runs, and is no longer awaited. */
  | { readonly status: 'cancelled'; readonly reason: unknown; readonly hasEnded: boolean };

/**
 * Stops one thing gracefully within a time limit, or by force, and returns which.
 *
 * Use it for a single resource. For a whole process use `Shutdown` or `runMain`.
 *
 * **Timing.** `shutdown` is called synchronously. At `ms` its token is cancelled, and it has
 * `cleanupTimeout` to end.
 *
 * **Cancel safety.** The wait cannot be cancelled. It takes at most `ms` and `cleanupTimeout` together.
 *
 * @param shutdown stops the thing, such as a function that closes or flushes. It gets a token with a deadline
 * @param ms the limit in ms, 0 to `Infinity`
 * @param options `cleanupTimeout`; `clock`
 * @returns `{ status: 'fulfilled', value }`, or `{ status: 'cancelled', reason, hasEnded }` with the TimeoutError
 * @throws (rejects) the error of `shutdown`, unless it is the cancellation of its token. An error after it was given up
 *   goes to the uncaught handler. TypeError when an argument or option has the wrong type; RangeError for a time out of
 *   range
 * @example
 * ```ts
 * const stuck = await shutdownWithTimeout(() => new Promise(() => {}), 5, { cleanupTimeout: 5 });
 * console.log(stuck.status); // => cancelled
 * const quick = await shutdownWithTimeout(async () => 'flushed', 1_000);
 * console.log(quick); // => { status: 'fulfilled', value: 'flushed' }
 * ```
 */
export async function shutdownWithTimeout<T>(
  shutdown: (token: CancellationToken) => T,
  ms: number,
  options: ShutdownWithTimeoutOptions = {},
): Promise<ShutdownOutcome<Awaited<T>>> {
  checkFunction('shutdownWithTimeout', shutdown);
  checkTime('shutdownWithTimeout: the time', ms);
  checkOptions('shutdownWithTimeout', options, ['cleanupTimeout', 'clock']);
  const { cleanupTimeout = 1_000 } = options;
  const clock = clockOf(options);
  const root = new CancellationToken();
  const token = ms === Number.POSITIVE_INFINITY ? root : root.withTimeout(ms, { clock });
  let isGivenUp = false;
  let end: { readonly value: Awaited<T> } | { readonly error: unknown } | undefined;
  const run = async (): Promise<Awaited<T>> => await shutdown(token);
  const work = run().then(
    (value) => {
      end = { value };
    },
    (error) => {
      if (!isGivenUp) end = { error };
      else if (!isCancellationOf(error, token)) reportUncaught(error);
    },
  );
  const isGraceful = (await raceDeadline(work, ms, undefined, clock)) === 'done';
  // The deadline of the token may have no timer. Reading `isCancelled` detects it.
  if (!isGraceful && !token.isCancelled) token.cancel(new TimeoutError(ms));
  const hasEnded = isGraceful || (await raceDeadline(work, cleanupTimeout, undefined, clock)) === 'done';
  isGivenUp = !hasEnded;
  token.dispose();
  if (end !== undefined && 'error' in end) {
    if (!isCancellationOf(end.error, token)) throw end.error;
  } else if (isGraceful && end !== undefined) {
    return { status: 'fulfilled', value: end.value };
  }
  return { status: 'cancelled', reason: token.reason, hasEnded };
}
