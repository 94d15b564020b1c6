import { type CancellationToken, isCancelledError, reportUncaught } from '@quiesce/cancellation-token';
import { checkKind, checkOptions } from '@quiesce/internal';
import type { Scope, Task } from '@quiesce/scope';
import { Context, Effect, Scope as EffectScope, Exit } from 'effect';
import { errorFromCause, failuresOf, interruption } from './cause.ts';
import { runEffect } from './run-effect.ts';

/** Options for `acquireIn`. */
export interface AcquireOptions {
  /** Name of the task and its cleanup in `tree()` and error texts. Default: `acquireIn`. */
  readonly name?: string | undefined;
}

/** Options for `acquireIn` when the Effect needs services. */
export interface AcquireWithOptions<R> extends AcquireOptions {
  /** The services, such as `Effect.context()` returns, without the scope that `acquireIn` provides. */
  readonly context: Context.Context<R>;
}

/**
 * Acquires a resource with an Effect, and releases it at the end of a Quiesce scope. A cancellation does not interrupt the
 * release.
 *
 * Use it in promise code that needs a resource of an Effect. In an Effect that needs a Quiesce scope, use
 * {@link openScope}.
 *
 * **Timing.** Starts synchronously. The release is registered among the cleanups of the scope when the resource arrives. It
 * runs the finalizers of the Effect in their order. The finalizers receive the exit of the scope: its first failure, an
 * interruption with its reason, or a success.
 *
 * **Cancel safety.** When the acquisition is cancelled or fails, the resources acquired so far are released at once, and
 * the scope awaits that.
 *
 * @param s the scope that releases
 * @param effect acquires the resource; it may need a `Scope`
 * @param options `name`; `context`, when the Effect needs other services
 * @returns a task with the resource, as `s.use` returns. The task's failure goes to the code that awaits it; when none does,
 *   the scope throws it at its end. Each failure of a finalizer is a failure of the scope
 * @throws ClosedError when the scope has ended
 * @see {@link openScope} for the opposite direction
 * @example
 * ```ts
 * import { Effect } from 'effect';
 *
 * const db = Effect.acquireRelease(Effect.succeed('db'), () => Effect.sync(() => console.log('2. db closed')));
 * await scope(async (s) => {
 *   const name = await acquireIn(s, db);
 *   s.defer(() => console.log('1. flushed to', name));
 * });
 * // => 1. flushed to db
 * // => 2. db closed
 * ```
 */
export function acquireIn<A, E>(
  s: Scope,
  effect: Effect.Effect<A, E, EffectScope.Scope>,
  options?: AcquireOptions,
): Task<Awaited<A>>;
export function acquireIn<A, E, R>(
  s: Scope,
  effect: Effect.Effect<A, E, R>,
  options: AcquireWithOptions<Exclude<R, EffectScope.Scope>>,
): Task<Awaited<A>>;
export function acquireIn<A, E>(
  s: Scope,
  effect: Effect.Effect<A, E, EffectScope.Scope>,
  options: AcquireOptions & { readonly context?: Context.Context<never> } = {},
): Task<Awaited<A>> {
  checkKind(typeof s?.defer === 'function', 'acquireIn', 'a scope', s);
  checkKind(Effect.isEffect(effect), 'acquireIn', 'an Effect', effect);
  checkOptions('acquireIn', options, ['name', 'context']);
  const { context = Context.empty(), name = 'acquireIn' } = options;
  const work = async (token: CancellationToken): Promise<A> => {
    const held = EffectScope.makeUnsafe();
    const acquiring = Effect.onExit(Effect.provideService(effect, EffectScope.Scope, held), (exit) =>
      Exit.isFailure(exit) ? EffectScope.close(held, exit) : Effect.void,
    );
    // In an object: a thenable may reject or never settle, so it is followed only after its release is registered.
    const { value } = await runEffect(
      Effect.map(acquiring, (value) => ({ value })),
      { signal: token, context },
    );
    await registerRelease(s, held, name);
    return value;
  };
  return s.spawn(work, { name, onFailure: 'isolate' }) as Task<Awaited<A>>;
}

/** Registers the release with the scope. A scope that has given up on this task refuses it: then releases at once. */
async function registerRelease(s: Scope, held: EffectScope.Closeable, name: string): Promise<void> {
  try {
    s.defer(() => release(s, held, name), { name });
  } catch (error) {
    const exit = await Effect.runPromiseExit(EffectScope.close(held, exitOf(s)));
    if (Exit.isFailure(exit)) reportUncaught(errorFromCause(exit.cause));
    throw error;
  }
}

/** Closes the scope of the Effect in a cleanup. Each failure becomes a failure of the Quiesce scope, in order. */
async function release(s: Scope, held: EffectScope.Closeable, name: string): Promise<void> {
  const exit = await Effect.runPromiseExit(EffectScope.close(held, exitOf(s)), { uninterruptible: true });
  if (Exit.isSuccess(exit)) return;
  const failures = failuresOf(exit.cause);
  if (failures.length === 0) return;
  const [first, ...others] = failures;
  try {
    // Cleanups that are registered here run next, last in, first out.
    for (const error of others.reverse()) s.defer(() => Promise.reject(error), { name });
  } catch {
    // The scope has given up on this cleanup, and reports the error that it throws.
    throw errorFromCause(exit.cause);
  }
  throw first;
}

/** Returns the exit of the scope, for the finalizers of the Effect. */
function exitOf({ token }: Scope): Exit.Exit<void, unknown> {
  if (!token.isCancelled) return Exit.void;
  const { reason } = token;
  const failed = isCancelledError(reason) && reason.source === 'sibling' && 'cause' in reason;
  return failed ? Exit.fail(reason.cause) : Exit.failCause(interruption(reason));
}
