import type { CancellationToken } from '@quiesce/cancellation-token';
import { checkFunction, checkOptions } from '@quiesce/internal';
import { Life } from './life.ts';
import type { ScopeOptions } from './options.ts';
import { runIn } from './run-in.ts';

/** How `shield` runs. */
export interface ShieldOptions extends Pick<ScopeOptions, 'name' | 'timeout' | 'cleanupTimeout' | 'clock'> {}

/**
 * Runs cleanup untouched by every cancellation around it, with a deadline of its own.
 *
 * **Timing.** `work` is called synchronously, also with a timeout of 0: its token is cancelled then. At its deadline it is
 * cancelled, and then awaited.
 *
 * **Cancel safety.** Nothing but its own `timeout` cancels it.
 *
 * @param work gets a token that is below no other
 * @param options `timeout` and `cleanupTimeout` (ms, 0 to `Infinity`, the default), `name`, `clock`
 * @returns what the work returns
 * @throws (rejects) what the work fails with; a `TimeoutError` when it had not fulfilled by its deadline;
 *   CleanupTimeoutError when it did not stop either; TypeError when `work` is not a function; RangeError for a bad time
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
  const life = new Life({ ...options, signal: undefined });
  return runIn(life, () => work(life.token), true);
}
