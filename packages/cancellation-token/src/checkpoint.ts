import { checkSlice, consumeBudget } from './budget.ts';
import { CancellationToken } from './token.ts';

/**
 * Lets the event loop run from CPU-bound code, and throws when the token is cancelled. Call it in each iteration of a computing
 * loop.
 *
 * **Timing.** Yields to the event loop when 10 ms or 1,024 completions have passed since the last yield, else only to a
 * microtask. A deadline is detected even though no timer could fire.
 *
 * @param token throws its reason when it is cancelled, before or after the yield; or an `AbortSignal`
 * @throws the reason, verbatim; TypeError when `token` is neither a token nor a signal
 * @see tokio::task::consume_budget (tokio 1.53), trio.lowlevel.checkpoint
 * @example
 * ```ts
 * const token = CancellationToken.timeout(20);
 * let sum = 0;
 * try {
 *   for (let i = 0; ; i++, await checkpoint(token)) sum += i;
 * } catch (error) {
 *   console.log((error as Error).name); // => TimeoutError
 * }
 * ```
 */
export async function checkpoint(token?: CancellationToken | AbortSignal): Promise<void> {
  const own = token === undefined ? undefined : CancellationToken.from(token, 'checkpoint');
  own?.throwIfCancelled();
  const yielding = consumeBudget() ?? checkSlice();
  if (yielding === undefined) return;
  await yielding;
  own?.throwIfCancelled();
}
