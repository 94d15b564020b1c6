import { type CancellationToken, isCancelledError, reportUncaught } from '@quiesce/cancellation-token';
import { checkKind, checkOptions } from '@quiesce/internal';
import type { Scope, Task } from '@quiesce/scope';
import { Context, Effect, Scope as EffectScope, Exit } from 'effect';
import { errorFromCause, failuresOf, interruption } from './cause.ts';
import { runEffect } from './run-effect.ts';

/** How an Effect is acquired. */
export interface AcquireOptions {
  /** How `tree()` and error texts call the task and its cleanup; default: `acquireIn`. */
  readonly name?: string | undefined;
}

/** The same where the Effect needs services. */
export interface AcquireWithOptions<R> extends AcquireOptions {
  /** The services, such as `Effect.context()` gives; its own scope is not one of them. */
  readonly context: Context.Context<R>;
}

/**
 * Acquires in Effect and releases at the end of a Quiesce scope: in its place among the cleanups, untouched by
 * cancellation.
 *
 * **Timing.** Starts synchronously. The place among the cleanups is that of the arrival; the Effect's own finalizers run
 * there, in their order. They get the exit that the scope has: what failed first, an interruption with its reason, or a
 * success.
 *
 * **Cancel safety.** Cancelled or failed while it acquires, what it had acquired so far is released at once, and awaited by
 * the scope.
 *
 * @param s the scope that releases
 * @param effect what to acquire; it may need a `Scope`
 * @param options `name`; `context`, where the Effect needs other services
 * @returns a task with what was acquired, as `s.use`: its failure belongs to whoever awaits it, and is thrown at the scope's
 *   end if nobody did. What finalizers fail with are failures of the scope, each one of them
 * @throws ClosedError when the scope has ended
 * @see {@link openScope}, the other way round
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
  const work = async (signal: CancellationToken): Promise<A> => {
    const held = EffectScope.makeUnsafe();
    const acquiring = Effect.onExit(Effect.provideService(effect, EffectScope.Scope, held), (exit) =>
      Exit.isFailure(exit) ? EffectScope.close(held, exit) : Effect.void,
    );
    // In a box: a thenable is followed when its release is in its place, since it may reject, or never settle.
    const { value } = await runEffect(
      Effect.map(acquiring, (value) => ({ value })),
      { signal, context },
    );
    await keep(s, held, name);
    return value;
  };
  return s.spawn(work, { name, onFailure: 'isolate' }) as Task<Awaited<A>>;
}

/** Hands what was acquired to the scope; one that has given up on us has no place for it. */
async function keep(s: Scope, held: EffectScope.Closeable, name: string): Promise<void> {
  try {
    s.defer(() => release(s, held, name), { name });
  } catch (error) {
    const exit = await Effect.runPromiseExit(EffectScope.close(held, exitOf(s)));
    if (Exit.isFailure(exit)) reportUncaught(errorFromCause(exit.cause));
    throw error;
  }
}

/** Closes the Effect's scope in a cleanup of ours. Each failure is one of ours, in Effect's order. */
async function release(s: Scope, held: EffectScope.Closeable, name: string): Promise<void> {
  const exit = await Effect.runPromiseExit(EffectScope.close(held, exitOf(s)), { uninterruptible: true });
  if (Exit.isSuccess(exit)) return;
  const failures = failuresOf(exit.cause);
  if (failures.length === 0) return;
  const [first, ...others] = failures;
  try {
    // Cleanups that are registered now run next, the last one first.
    for (const error of others.reverse()) s.defer(() => Promise.reject(error), { name });
  } catch {
    // The scope has given up on us, and reports what we throw.
    throw errorFromCause(exit.cause);
  }
  throw first;
}

/** What the Effect's finalizers are told of how the scope has ended. */
function exitOf({ token }: Scope): Exit.Exit<void, unknown> {
  if (!token.isCancelled) return Exit.void;
  const { reason } = token;
  const failed = isCancelledError(reason) && reason.source === 'sibling' && 'cause' in reason;
  return failed ? Exit.fail(reason.cause) : Exit.failCause(interruption(reason));
}
