import { checkFunction, checkOptions } from '@quiesce/internal';
import { Scope, type ScopeOptions, scope } from '@quiesce/scope';
import { Effect, type Scope as EffectScope, Exit } from 'effect';
import { cancellationOf, defectsFromError } from './cause.ts';
import { effectFromWork, failureWith, type WorkOptions } from './effect-from-work.ts';

/** The options that `openScope` and `effectFromScope` share. */
const sharedOptions = ['stopSignal', 'name', 'timeout', 'deadline', 'cleanupTimeout', 'clock'];

/**
 * Opens a Quiesce scope that ends together with the scope of an Effect.
 *
 * Use it in an Effect that needs tasks or cleanups of promise code. In promise code that needs a resource of an Effect, use
 * {@link acquireIn}.
 *
 * **Timing.** Opens synchronously, and registers a finalizer. The finalizer cancels the tasks that still run, awaits them,
 * and runs the cleanups. To wait for the tasks first, use `effectFromWork(() => s.join())`.
 *
 * **Cancel safety.** The finalizer cannot be interrupted.
 *
 * @param options as for `new Scope`
 * @returns the scope. Each failure in it is a defect of the finalizer
 * @throws TypeError and RangeError, as defects, for options that `new Scope` rejects
 * @see {@link acquireIn} for the opposite direction
 * @example
 * ```ts
 * import { Effect } from 'effect';
 *
 * const program = Effect.gen(function* () {
 *   const s = yield* openScope();
 *   s.defer(() => console.log('cleaned up'));
 *   const task = s.spawn(async () => 'done');
 *   console.log(yield* effectFromSource(task)); // => done
 * });
 * await runEffect(Effect.scoped(program)); // => cleaned up
 * ```
 */
export function openScope(options?: ScopeOptions): Effect.Effect<Scope, never, EffectScope.Scope> {
  checkOptions('openScope', options, ['signal', ...sharedOptions], ['spawnSites', 'leakDetection']);
  return Effect.acquireRelease(
    Effect.sync(() => new Scope(options)),
    (s, exit) => closeScope(s, exit),
  );
}

function closeScope(s: Scope, exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> {
  return Effect.callback((resume) => {
    if (Exit.isFailure(exit) && Exit.hasInterrupts(exit)) s.cancel(cancellationOf(exit.cause));
    s.close().then(
      () => resume(Effect.void),
      (error: unknown) => resume(Effect.failCause(defectsFromError(error))),
    );
  });
}

/** Options for `effectFromScope`. */
export interface EffectScopeOptions<A, E> extends Omit<ScopeOptions, 'signal' | 'leakDetection'>, WorkOptions<A, E> {}

/**
 * Makes an Effect that runs `scope(body)`. An interruption cancels the scope, and awaits its tasks and cleanups.
 *
 * **Timing.** As {@link effectFromWork}.
 *
 * **Cancel safety.** As {@link effectFromWork}.
 *
 * @param body receives the scope
 * @param options as for `scope`; `catch` gives each failure a type; `onLate`
 * @returns the result of the body; fails with a cause that holds all failures of the scope, in order
 * @throws TypeError when `body` is not a function
 * @see `Effect.scoped` (effect 4)
 * @example
 * ```ts
 * import { Cause, Effect } from 'effect';
 *
 * const both = effectFromScope((s) => {
 *   s.defer(() => Promise.reject('flush'));
 *   throw 'work';
 * });
 * const cause = await runEffect(Effect.flip(Effect.sandbox(both)));
 * console.log(cause.reasons.map((reason) => Cause.isFailReason(reason) && reason.error)); // => [ 'work', 'flush' ]
 * ```
 */
export function effectFromScope<A, E = unknown>(
  body: (s: Scope) => A,
  options: EffectScopeOptions<Awaited<A>, E> = {},
): Effect.Effect<Awaited<A>, E> {
  checkFunction('effectFromScope', body);
  checkOptions('effectFromScope', options, ['catch', 'onLate', ...sharedOptions], ['spawnSites']);
  failureWith('effectFromScope', options);
  const { catch: map, onLate, ...others } = options;
  return effectFromWork<Promise<Awaited<A>>, E>((signal) => scope(body, { ...others, signal }), {
    ...(map !== undefined && { catch: map }),
    ...(onLate !== undefined && { onLate }),
  });
}
