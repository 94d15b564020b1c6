import { checkFunction, checkOptions } from '@quiesce/internal';
import { Scope, type ScopeOptions, scope } from '@quiesce/scope';
import { Effect, type Scope as EffectScope, Exit } from 'effect';
import { cancellationOf, defectsFromError } from './cause.ts';
import { effectFromWork, failureWith, type WorkOptions } from './effect-from-work.ts';

/** The options that a scope and an Effect of one have in common. */
const known = ['stopSignal', 'name', 'timeout', 'deadline', 'cleanupTimeout', 'clock'];

/**
 * Opens a Quiesce scope that ends with an Effect's: acquire in ours, release in theirs.
 *
 * **Timing.** Opens synchronously. As a finalizer, in its place among the others, it cancels the tasks that still run,
 * awaits them, and runs the cleanups; `effectFromWork(() => s.join())` waits for the tasks before.
 *
 * **Cancel safety.** The finalizer cannot be interrupted.
 *
 * @param options as for `new Scope`
 * @returns the scope. What failed in it is a defect of the finalizer, each failure one
 * @throws TypeError and RangeError, as defects, for options that `new Scope` refuses
 * @see {@link acquireIn}, the other way round
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
  checkOptions('openScope', options, ['signal', ...known], ['spawnSites', 'leakDetection']);
  return Effect.acquireRelease(
    Effect.sync(() => new Scope(options)),
    (s, exit) => closing(s, exit),
  );
}

function closing(s: Scope, exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> {
  return Effect.callback((resume) => {
    if (Exit.isFailure(exit) && Exit.hasInterrupts(exit)) s.cancel(cancellationOf(exit.cause));
    s.close().then(
      () => resume(Effect.void),
      (error: unknown) => resume(Effect.failCause(defectsFromError(error))),
    );
  });
}

/** How a scope is run as an Effect. */
export interface EffectScopeOptions<A, E> extends Omit<ScopeOptions, 'signal' | 'leakDetection'>, WorkOptions<A, E> {}

/**
 * An Effect that runs `scope(body)`: interruption cancels the scope, and everything that was started in it is awaited.
 *
 * **Timing.** As {@link effectFromWork}.
 *
 * **Cancel safety.** As {@link effectFromWork}.
 *
 * @param body gets the scope
 * @param options as for `scope`; `catch` gives each failure a type; `onLate`
 * @returns what the body returns; fails with a cause that holds all failures of the scope, in their order
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
  checkOptions('effectFromScope', options, ['catch', 'onLate', ...known], ['spawnSites']);
  failureWith('effectFromScope', options);
  const { catch: map, onLate, ...others } = options;
  return effectFromWork<Promise<Awaited<A>>, E>((signal) => scope(body, { ...others, signal }), {
    ...(map !== undefined && { catch: map }),
    ...(onLate !== undefined && { onLate }),
  });
}
