import { checkFunction } from '@quiesce/internal';
import { checkScopeOptions, type ScopeOptions } from './options.ts';
import { Scope } from './scope-handle.ts';
import { runInScope } from './scope-state.ts';

/**
 * Runs `body` in a scope. Settles when the body, all tasks that it spawned and all cleanups that it deferred have ended.
 *
 * A failure of the body or of a task cancels the others. The scope awaits all of them and their cleanups, and then throws the
 * failure, even if the body has caught it. The result is the first of these that applies: the failures (one verbatim, several
 * distinct ones as {@link ScopeError}); the reason, verbatim, if the scope was cancelled before the body fulfilled; the body's
 * value.
 *
 * **When to use it.** For tasks that succeed or fail together. If a failure is an ordinary result, use a `JoinSet`. If
 * you only count work in progress, use a `TaskTracker`.
 *
 * **Timing.** The body is called synchronously. The scope sees one microtask later that an asynchronous body has fulfilled; a
 * cancellation in between still counts. Cleanups run when the last task has ended, one at a time.
 *
 * **Cancel safety.** Cancelling the scope cancels its tasks. It settles only when all of them have ended, unless a
 * `cleanupTimeout` is given. Work that does not end by then is named in a `CleanupTimeoutError`, which is a failure.
 *
 * @param body receives the {@link Scope}
 * @param options `signal` cancels the scope, and keeps the body from starting if it is already cancelled; `timeout` (ms) and
 *   `deadline` cancel it with a `TimeoutError`; `cleanupTimeout` (ms); `stopSignal`; `name`; `clock`; `spawnSites`
 * @returns the value of the body
 * @throws the failures, or the reason; CleanupTimeoutError; TypeError when `body` is not a function, or an option has the
 *   wrong type; RangeError for a time out of range
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
  return runInScope(s.scopeState, () => body(s));
}
