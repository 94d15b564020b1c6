import { CancellationToken, isCancellationOf } from '@quiesce/cancellation-token';
import { checkFunction, checkOptions } from '@quiesce/internal';
import { Cause, Effect, Exit } from 'effect';
import { cancellationOf, causeFromError, defectsFromError } from './cause.ts';

/** How failures of promise code become failures of an Effect. */
export interface CatchOptions<E> {
  /** Converts each failure to the error type of the Effect. Default: the failure itself, as `unknown`. */
  readonly catch?: ((error: unknown) => E) | undefined;
}

/** Options for `effectFromWork`. */
export interface WorkOptions<A, E> extends CatchOptions<E> {
  /**
   * Receives the value of work that fulfilled after its fiber was interrupted. No other code sees that value: close the
   * connection that came too late here. The result of `onLate` is awaited, and its error is a defect.
   */
  readonly onLate?: ((value: A) => unknown) | undefined;
}

/**
 * Makes an Effect that runs promise code. An interruption cancels the token of the work.
 *
 * **Timing.** Each run of the Effect calls `work` synchronously. On interruption, the Effect cancels the token, and ends when
 * the work has settled, even when the work ignores its token. The reason is that of the token that interrupted the fiber, if
 * there is one. In an uninterruptible region the token is never cancelled.
 *
 * **Cancel safety.** An interruption may come in the microtask between the end of the work and the fiber's next step. The
 * value then goes to `onLate`.
 *
 * @param work receives the token, as the branches of `select` do
 * @param options `catch` gives the failures a type; `onLate`
 * @returns the value of the work; fails with its rejection, where a `ScopeError` becomes a cause with all its failures. Errors
 *   of the work after an interruption become defects beside the interruption, because Effect drops typed failures where it
 *   skips a handler
 * @throws TypeError when `work` is not a function
 * @see `Effect.tryPromise` (effect 4), which abandons the promise on interruption
 * @example
 * ```ts
 * import { Effect, Fiber } from 'effect';
 *
 * const work = effectFromWork(async (token) => {
 *   await token.cancelled();
 *   console.log('promise code has stopped');
 * });
 * const fiber = Effect.runFork(work);
 * await Effect.runPromise(Fiber.interrupt(fiber)); // => promise code has stopped
 * ```
 */
export function effectFromWork<A, E = unknown>(
  work: (token: CancellationToken) => A,
  options: WorkOptions<Awaited<A>, E> = {},
): Effect.Effect<Awaited<A>, E> {
  checkFunction('effectFromWork', work);
  checkOptions('effectFromWork', options, ['catch', 'onLate']);
  const failure = failureWith('effectFromWork', options);
  // The work starts within the region of the finalizer, because it may interrupt its own fiber at once.
  return Effect.suspend(() => {
    const token = new CancellationToken();
    /** The promise of the work, or `undefined` before the work is called. */
    let result: Promise<Awaited<A>> | undefined;
    /** Whether the fiber has received the outcome. */
    let isSettled = false;
    const running = Effect.callback<Awaited<A>, E>((resume) => {
      const settle = (outcome: Effect.Effect<Awaited<A>, E>): void => {
        isSettled = true;
        resume(outcome);
      };
      result = new Promise((resolve) => resolve(work(token) as Awaited<A>));
      result.then(
        (value) => settle(Effect.succeed(value)),
        (error: unknown) => settle(Effect.suspend(() => Effect.failCause(failure(error)))),
      );
    });
    return Effect.onExit(running, (exit) => {
      if (!isSettled && result !== undefined && Exit.isFailure(exit)) {
        token.cancel(cancellationOf(exit.cause));
        return afterStop(result, token, options.onLate);
      }
      token.dispose();
      return Effect.void;
    });
  });
}

/** Waits for work whose token is cancelled. Passes a late value to `onLate`, and keeps errors as defects. */
function afterStop<A>(
  result: Promise<A>,
  token: CancellationToken,
  onLate: ((value: A) => unknown) | undefined,
): Effect.Effect<void> {
  return Effect.callback((resume) => {
    const failed = (error: unknown): void => resume(Effect.failCause(defectsFromError(error)));
    const late = async (value: A): Promise<void> => {
      try {
        await onLate?.(value);
        resume(Effect.void);
      } catch (error) {
        failed(error);
      }
    };
    result.then(late, (error: unknown) => {
      if (isCancellationOf(error, token)) resume(Effect.void);
      else failed(error);
    });
  });
}

/** Returns a function that converts errors to causes. An error of `catch` is a defect. */
export function failureWith<E>(
  call: string,
  { catch: map, onLate }: WorkOptions<never, E>,
): (error: unknown) => Cause.Cause<E> {
  if (onLate !== undefined) checkFunction(`${call}: onLate`, onLate);
  if (map === undefined) return causeFromError as (error: unknown) => Cause.Cause<E>;
  checkFunction(`${call}: catch`, map);
  return (error) => Cause.map(causeFromError(error), map);
}
