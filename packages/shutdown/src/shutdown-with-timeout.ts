import {
  CancellationToken,
  type Clock,
  isCancellationOf,
  reportUncaught,
  TimeoutError,
} from '@quiesce/cancellation-token';
import { checkFunction, checkOptions, checkTime } from '@quiesce/internal';
import { clockOf } from './options.ts';
import { within } from './within.ts';

/** How something is shut down within a time. */
export interface ShutdownWithTimeoutOptions {
  /** How long it has, in ms, to end once it was forced. Default: 1,000. */
  readonly forceTimeout?: number | undefined;
  /** Where time comes from; default: the platform's. */
  readonly clock?: Clock | undefined;
}

/** How it ended: by itself, or because its time was over. */
export type ShutdownOutcome<T> =
  | { readonly outcome: 'graceful'; readonly value: T }
  /** `hasEnded`: it obeyed; otherwise it is still running, and nobody waits for it. */
  | { readonly outcome: 'forced'; readonly hasEnded: boolean };

/**
 * Shuts one thing down, gracefully, then forced, and tells the two apart.
 *
 * **Timing.** `shutdown` is called synchronously. At `ms` its token is cancelled, and it has `forceTimeout` to obey.
 *
 * @param shutdown closes, flushes, ends; gets a token with a deadline
 * @param ms how long it may take, 0 to `Infinity`
 * @param options `forceTimeout`; `clock`
 * @returns `{ outcome: 'graceful', value }`, or `{ outcome: 'forced', hasEnded }`
 * @throws (rejects) what it fails with, unless that only says that it obeyed; a failure after it was given up goes to the
 *   uncaught handler. TypeError when it is no function; RangeError for what is no time
 * @example
 * ```ts
 * const stuck = await shutdownWithTimeout(() => new Promise(() => {}), 5, { forceTimeout: 5 });
 * console.log(stuck); // => { outcome: 'forced', hasEnded: false }
 * const quick = await shutdownWithTimeout(async () => 'flushed', 1_000);
 * console.log(quick); // => { outcome: 'graceful', value: 'flushed' }
 * ```
 */
export async function shutdownWithTimeout<T>(
  shutdown: (token: CancellationToken) => T,
  ms: number,
  options: ShutdownWithTimeoutOptions = {},
): Promise<ShutdownOutcome<Awaited<T>>> {
  checkFunction('shutdownWithTimeout', shutdown);
  checkTime('shutdownWithTimeout: the time', ms);
  checkOptions('shutdownWithTimeout', options, ['forceTimeout', 'clock']);
  const { forceTimeout = 1_000 } = options;
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
  const isGraceful = (await within(work, ms, undefined, clock)) === 'done';
  // Its deadline may have no timer: it is noticed by asking.
  if (!isGraceful && !token.isCancelled) token.cancel(new TimeoutError(ms));
  const hasEnded = isGraceful || (await within(work, forceTimeout, undefined, clock)) === 'done';
  isGivenUp = !hasEnded;
  token.dispose();
  if (end !== undefined && 'error' in end) {
    if (!isCancellationOf(end.error, token)) throw end.error;
  } else if (isGraceful && end !== undefined) {
    return { outcome: 'graceful', value: end.value };
  }
  return { outcome: 'forced', hasEnded };
}
