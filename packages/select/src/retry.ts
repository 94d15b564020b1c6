import {
  CancellationToken,
  type Clock,
  isCancellation,
  isCancellationOf,
  PENDING,
  RetryError,
  source,
  systemClock,
} from '@quiesce/cancellation-token';
import {
  type BackoffOptions,
  backoffOf,
  backoffOptions,
  checkCount,
  checkFunction,
  checkKind,
  checkOptions,
  isThenable,
} from '@quiesce/internal';
import { select } from './select.ts';
import { sleep } from './sleep.ts';
import { timeout } from './timeout.ts';

/** Options for `retry`. */
export interface RetryOptions extends BackoffOptions {
  /** How often the work is started: an integer from 1, or `Infinity`. Default: 3. */
  readonly attempts?: number | undefined;
  /** How long one attempt may take, in milliseconds from 0. Its token is then cancelled, and it is awaited. Default: no limit. */
  readonly timeout?: number | undefined;
  /** How long all attempts and delays may take together, in milliseconds from 0. Default: no limit. */
  readonly totalTimeout?: number | undefined;
  /**
   * Returns whether the work is tried again after this error. It must not be async. Default: after every error that is not a
   * cancellation.
   */
  readonly retryIf?: ((error: unknown, attempt: number) => boolean) | undefined;
  /** Called before each delay. */
  readonly onRetry?: ((retry: Retry) => void) | undefined;
  /** Ends the attempt that runs, or the delay. The work is not tried again. */
  readonly signal?: CancellationToken | AbortSignal | undefined;
  /** Source of time. Default: the platform's clock. */
  readonly clock?: Clock | undefined;
}

/** A failed attempt that is followed by another one. */
export interface Retry {
  /** The number of the failed attempt, from 1. */
  readonly attempt: number;
  /** Its error. */
  readonly error: unknown;
  /** The delay before the next attempt, in milliseconds. */
  readonly delayMs: number;
}

const OPTIONS: readonly (keyof RetryOptions)[] = [
  ...(['attempts', 'timeout', 'totalTimeout', 'retryIf', 'onRetry', 'signal', 'clock'] as const),
  ...backoffOptions,
];

/** How many errors are kept, so that a retry without an end does not fill the memory. */
const KEPT = 100;

/**
 * Runs work until it fulfils, with a growing delay between the attempts.
 *
 * Use it for work that may be repeated and whose failures pass, such as a request to another service. Do not use it around work
 * that is not idempotent, or inside work that is retried already: the attempts multiply.
 *
 * **Timing.** The first attempt starts synchronously. Each attempt is awaited, also after its `timeout` and after a
 * cancellation, so two attempts never overlap. When the next delay would end after `totalTimeout`, no time is spent on it. The
 * delay keeps the process alive.
 *
 * **Cancel safety.** After `signal` is cancelled no attempt starts. A value that the running attempt still returns is the result.
 *
 * @param work receives a token of its own, and the number of the attempt, from 1
 * @param options `attempts`, `delay`, `factor`, `maxDelay`, `jitter`, `random`, `timeout`, `totalTimeout`, `retryIf`, `onRetry`,
 *   `signal`, `clock`
 * @returns the value of the first attempt that fulfils
 * @throws (rejects) {@link RetryError} with the last 100 errors when the attempts or `totalTimeout` are used up; an error that
 *   `retryIf` refuses, verbatim; an error that `retryIf` or `onRetry` throws; the reason of `signal`; TypeError or RangeError for a wrong argument
 * @see p-retry 7, cockatiel 3; Effect.retry with a Schedule (effect 4), which composes more kinds of schedules
 * @example
 * ```ts
 * let calls = 0;
 * const flaky = async () => {
 *   calls += 1;
 *   if (calls < 3) throw new Error('503');
 *   return 'page';
 * };
 * console.log(await retry(flaky, { attempts: 5, delay: 1 }), calls); // => page 3
 *
 * const isTemporary = (error: unknown) => String(error).includes('503');
 * const denied = () => Promise.reject(new Error('401'));
 * await retry(denied, { retryIf: isTemporary }).catch((error) => console.log(error.message)); // => 401
 * ```
 */
export async function retry<T>(
  work: (token: CancellationToken, attempt: number) => T,
  options: RetryOptions = {},
): Promise<Awaited<T>> {
  checkFunction('retry', work);
  checkOptions('retry', options, OPTIONS);
  const { attempts = 3, timeout: attemptTimeout = Number.POSITIVE_INFINITY, clock = systemClock } = options;
  const { totalTimeout = Number.POSITIVE_INFINITY, retryIf = isRetryable, onRetry } = options;
  checkCount('retry: attempts', attempts, 1, Number.POSITIVE_INFINITY);
  checkFunction('retry: retryIf', retryIf);
  if (onRetry !== undefined) checkFunction('retry: onRetry', onRetry);
  const delayAfter = backoffOf('retry', options);
  const outer =
    options.signal === undefined ? CancellationToken.never : CancellationToken.from(options.signal, 'retry: signal');
  const end = clock.now() + totalTimeout;
  const token =
    totalTimeout === Number.POSITIVE_INFINITY ? outer.childToken() : outer.withTimeout(totalTimeout, { clock });
  const errors: unknown[] = [];
  let startedCount = 0;
  const start = (own: CancellationToken): T => work(own, ++startedCount);
  try {
    for (let attempt = 1; ; attempt++) {
      try {
        return (await timeout(attemptTimeout, start, { signal: token, clock })) as Awaited<T>;
      } catch (error) {
        // The token's protocol and not its state: a disposed token shares the state of its parent.
        const reason = outer[source].poll();
        if (reason !== PENDING) throw isCancellationOf(error, token) ? reason : error;
        // The time was over before it could start.
        if (startedCount < attempt) throw gaveUp(`after ${totalTimeout} ms`, errors, startedCount);
        if (errors.length === KEPT) errors.shift();
        errors.push(error);
        if (token.isCancelled) throw gaveUp(`after ${totalTimeout} ms`, errors, attempt);
        const isRetried = retryIf(error, attempt);
        checkKind(!isThenable(isRetried), 'retry: retryIf', 'true or false', isRetried, '; it must not be async');
        if (!isRetried) throw error;
        if (attempt === attempts) throw gaveUp('', errors, attempt);
        const delayMs = delayAfter(attempt);
        if (clock.now() + delayMs >= end)
          throw gaveUp(`since the next would start after ${totalTimeout} ms`, errors, attempt);
        onRetry?.({ attempt, error, delayMs });
        const { branch, value } = await select.biased({ stopped: outer, slept: sleep(delayMs, { clock }) });
        if (branch === 'stopped') throw value;
      }
    }
  } finally {
    token.dispose();
  }
}

function isRetryable(error: unknown): boolean {
  return !isCancellation(error);
}

function gaveUp(why: string, errors: readonly unknown[], attemptCount: number): RetryError {
  const what = `retry: ${attemptCount} ${attemptCount === 1 ? 'attempt' : 'attempts'} failed${why && `, and it gave up ${why}`}`;
  return new RetryError(what, errors, attemptCount);
}
