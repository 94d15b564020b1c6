import { checkFunction } from '@quiesce/internal';
import { checkScopeOptions, type ScopeOptions } from './options.ts';
import { runIn } from './run-in.ts';
import { Scope } from './scope-handle.ts';

/**
 * Runs `body`, and settles when the body, every task that it spawned and every cleanup that it deferred have ended.
 *
 * A failure of the body or of a task cancels the rest, waits for all of them and their cleanups, and is then thrown, also
 * if the body has caught it. What it settles with, the first that applies: failures (one verbatim, several distinct ones
 * as {@link ScopeError}); the reason, verbatim, if it was cancelled before the body fulfilled; the body's value.
 *
 * **Timing.** The body is called synchronously. That an asynchronous body has fulfilled is known one microtask later; a
 * cancellation in between still counts. Cleanups run when the last child has ended, one at a time.
 *
 * **Cancel safety.** Cancelling the scope cancels what it runs; it settles when all of that has ended, not before, unless
 * a `cleanupTimeout` is given: what has not ended by then is named in a `CleanupTimeoutError`, which is a failure.
 *
 * @param body gets the {@link Scope}
 * @param options `signal` cancels the scope, and one that is cancelled already keeps the body from starting; `timeout` (ms)
 *   and `deadline` cancel it with a `TimeoutError`; `cleanupTimeout` (ms); `name`; `clock`; `spawnSites`
 * @returns what the body returns
 * @throws what failed, the reason, CleanupTimeoutError, TypeError when `body` is not a function or `signal` is no signal,
 *   RangeError for a time that is negative or no number
 * @see trio.open_nursery (trio 0.31), asyncio.TaskGroup (Python 3.11)
 * @example
 * ```ts
 * const sum = await scope(async (s) => {
 *   s.defer(() => console.log('cleaned up'));
 *   const a = s.spawn(async () => 1);
 *   const b = s.spawn(async () => 2);
 *   return (await a) + (await b);
 * }); // => cleaned up
 * console.log(sum); // => 3
 * ```
 */
export async function scope<T>(body: (scope: Scope) => T, options?: ScopeOptions): Promise<Awaited<T>> {
  checkFunction('scope', body, '; write scope(body, options)');
  checkScopeOptions('scope', options);
  const s = new Scope(options?.leakDetection === true ? { ...options, leakDetection: false } : options);
  return runIn(s.life, () => body(s));
}
