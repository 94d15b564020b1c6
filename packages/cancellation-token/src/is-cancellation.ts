import { isAbort, isCausedBy } from './errors.ts';
import { CancellationToken } from './token.ts';

/**
 * Returns whether an error means "cancelled" rather than "failed".
 *
 * True for a {@link CancelledError} (of any copy of this package), for the platform's `AbortError` (of any realm), and for
 * axios' `CanceledError`, each by its `name`. With `token` also true for that token's reason, of any type: a deadline's
 * `TimeoutError`, a string.
 *
 * **Timing.** Synchronous. Never throws because of the value of `error`.
 *
 * @param error anything that was caught
 * @param token the token (or signal) whose reason counts as well
 * @throws TypeError when `token` is neither a token nor an `AbortSignal`
 * @example
 * ```ts
 * const token = new CancellationToken();
 * token.cancel('enough');
 * console.log(isCancellation('enough'), isCancellation('enough', token)); // => false true
 * ```
 */
export function isCancellation(error: unknown, token?: CancellationToken | AbortSignal): boolean {
  if (isAbort(error)) return true;
  if (token === undefined) return false;
  const own = CancellationToken.from(token, 'isCancellation');
  return own.isCancelled && Object.is(own.reason, error);
}

/**
 * Returns whether a rejection of work that was given `token` means that the work obeyed the token, rather than failed.
 *
 * True only if the token is cancelled, and the error is its reason or satisfies {@link isCancellation}. An `AbortError` of work
 * whose token was not cancelled is a failure. An error of your own is a failure, even with the reason as its `cause`: a cleanup
 * that fails after a cancellation must not be lost.
 *
 * **Timing.** Synchronous.
 *
 * @param error the reason of the rejection
 * @param token the token (or signal) that the work was given
 * @throws TypeError when `token` is neither a token nor an `AbortSignal`
 * @example
 * ```ts
 * const token = new CancellationToken();
 * const foreign = new DOMException('not ours', 'AbortError');
 * console.log(isCancellationOf(foreign, token)); // => false
 * token.cancel();
 * console.log(isCancellationOf(token.reason, token)); // => true
 * console.log(isCancellationOf(new Error('rollback failed', { cause: token.reason }), token)); // => false
 * ```
 */
export function isCancellationOf(error: unknown, token: CancellationToken | AbortSignal): boolean {
  const own = CancellationToken.from(token, 'isCancellationOf');
  return own.isCancelled && isCausedBy(error, own.reason);
}
