import { checkSlice, consumeBudget } from './budget.ts';
import { CancellationToken } from './token.ts';

/**
 * A place in a loop that computes where others get their turn, and where it stops when it is cancelled.
 *
 * **Timing.** Waits for a real turn of the event loop when 10 ms or 1,024 completions have gone by without one, else for a
 * microtask. A deadline is seen although no timer could fire.
 *
 * @param token throws its reason when it is cancelled, before or after the turn; or an `AbortSignal`
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
  const turn = consumeBudget() ?? checkSlice();
  if (turn === undefined) return;
  await turn;
  own?.throwIfCancelled();
}
