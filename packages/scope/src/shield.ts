import type { CancellationToken } from '@quiesce/cancellation-token';
import { checkFunction, checkOptions } from '@quiesce/internal';
import type { ScopeOptions } from './options.ts';
import { runInScope, ScopeState } from './scope-state.ts';

/** Options for `shield`. */
export interface ShieldOptions extends Pick<ScopeOptions, 'name' | 'timeout' | 'cleanupTimeout' | 'clock'> {}

/**
 * Runs cleanup work that no outer cancellation reaches, with a timeout of its own.
 *
 * **Timing.** `work` is called synchronously, even with a timeout of 0: then its token is already cancelled. After the timeout
 * the work is cancelled and awaited.
 *
 * **Cancel safety.** Only its own `timeout` cancels it.
 *
 * @param work receives a token that has no parent
 * @param options `timeout` and `cleanupTimeout` (ms, 0 to `Infinity`, the default), `name`, `clock`
 * @returns the value of the work
 * @throws (rejects) the error of the work; TimeoutError when it had not fulfilled before the timeout; CleanupTimeoutError
 *   when it did not stop after that; TypeError when `work` is not a function, or an option has the wrong type; RangeError
 *   for a time out of range
 * @see trio.CancelScope(shield=True) (trio 0.31)
 * @example
 * ```ts
 * const token = CancellationToken.alreadyCancelled();
 * await shield(async (own) => console.log(token.isCancelled, own.isCancelled)); // => true false
 * ```
 */
export async function shield<T>(
  work: (token: CancellationToken) => T,
  options: ShieldOptions = {},
): Promise<Awaited<T>> {
  checkFunction('shield', work);
  checkOptions('shield', options, ['name', 'timeout', 'cleanupTimeout', 'clock']);
  const scope = new ScopeState({ ...options, signal: undefined });
  return runInScope(scope, () => work(scope.token), true);
}
