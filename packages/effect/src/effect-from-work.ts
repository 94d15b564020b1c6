import { CancellationToken, isCancellationOf } from '@quiesce/cancellation-token';
import { checkFunction, checkOptions } from '@quiesce/internal';
import { Cause, Effect, Exit } from 'effect';
import { cancellationOf, causeFromError, defectsFromError } from './cause.ts';

/** How failures of promise code become an Effect's. */
export interface CatchOptions<E> {
  /** Makes an error of the Effect's type of each failure; default: the failure itself, as `unknown`. */
  readonly catch?: ((error: unknown) => E) | undefined;
}

/** How work is made an Effect. */
export interface WorkOptions<A, E> extends CatchOptions<E> {
  /**
   * Gets the value of work that fulfilled although its fiber had been interrupted, which nobody else will see: closes the
   * connection that came too late. What it returns is awaited; what it throws is a defect.
   */
  readonly onLate?: ((value: A) => unknown) | undefined;
}

/**
 * An Effect that runs promise code and turns its own interruption into a token.
 *
 * **Timing.** `work` is called synchronously when the Effect runs, each time anew. Interrupted, the Effect cancels the
 * token, with the reason of the token behind the interruption if there is one, and ends when the work has settled.
 * Work that does not obey is waited for. In an uninterruptible region the token is never cancelled.
 *
 * **Cancel safety.** An interruption that comes after the work had settled and before the fiber goes on (a microtask)
 * finds a value that nobody gets: `onLate` does.
 *
 * @param work gets the token, as the branches of `select` do
 * @param options `catch` gives the failures a type; `onLate`
 * @returns fails with what the work rejects with; a `ScopeError` as a cause with all of its failures. Interrupted, the
 *   work's own errors while it cleans up are kept as defects, beside the interruption: typed ones are dropped by Effect
 *   where a handler is skipped
 * @throws TypeError when `work` is not a function
 * @see `Effect.tryPromise` (effect 4), which leaves the promise behind when interrupted
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
  // The work starts inside of what the finalizer guards: it may interrupt its own fiber at once.
  return Effect.suspend(() => {
    const token = new CancellationToken();
    /** Set when the work is called. */
    let result: Promise<Awaited<A>> | undefined;
    /** Whether the fiber has got the outcome. */
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

/** Waits for work whose token is cancelled; what came of it all the same is handed on. */
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

/** Makes causes of what was thrown; a `catch` that throws is a defect. */
export function failureWith<E>(
  call: string,
  { catch: map, onLate }: WorkOptions<never, E>,
): (error: unknown) => Cause.Cause<E> {
  if (onLate !== undefined) checkFunction(`${call}: onLate`, onLate);
  if (map === undefined) return causeFromError as (error: unknown) => Cause.Cause<E>;
  checkFunction(`${call}: catch`, map);
  return (error) => Cause.map(causeFromError(error), map);
}
