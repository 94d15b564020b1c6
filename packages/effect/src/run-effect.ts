import { CancellationToken, PENDING, source, waiter } from '@quiesce/cancellation-token';
import { checkKind, checkOptions } from '@quiesce/internal';
import { Cause, Context, Effect, Exit, type Fiber } from 'effect';
import { annotationsOf, errorFromCause } from './cause.ts';

/** Options for `runEffect`. */
export interface RunOptions {
  /** A token or an `AbortSignal` whose cancellation interrupts the Effect. */
  readonly signal?: CancellationToken | AbortSignal | undefined;
}

/** Options for `runEffect` when the Effect needs services. */
export interface RunWithOptions<R> extends RunOptions {
  /** The services, such as `Effect.context()` returns. */
  readonly context: Context.Context<R>;
}

/**
 * Runs an Effect with a token. A cancellation of the token interrupts the fiber, and the finalizers are awaited.
 *
 * Use it where promise code calls an Effect. `Effect.runPromise` is enough when nothing cancels the Effect.
 *
 * **Timing.** Starts synchronously, as `Effect.runFork`. When `signal` is already cancelled, the Effect does not start. A
 * cancellation interrupts synchronously. The promise settles when every finalizer has run.
 *
 * **Cancel safety.** As the Effect. A value with which the Effect ends after its interruption wins, as in
 * `runUntilCancelled`. An uninterruptible region is awaited and interrupted at its end: Effect drops its value.
 *
 * @param effect the Effect to run
 * @param options `signal`; `context`, when the Effect needs services
 * @returns the success of the Effect; the promise follows a thenable
 * @throws (rejects) one failure or defect, verbatim; several, including those of finalizers, as {@link CauseError}; the
 *   reason of `signal`, verbatim, when the Effect was only interrupted; a `CancelledError` with the cause of the Effect when
 *   something else interrupted it; TypeError when `signal` is not a signal
 * @see `Effect.runPromise` (effect 4), which rejects with its own error on interruption, and drops all failures but one
 * @example
 * ```ts
 * import { Effect } from 'effect';
 *
 * const token = new CancellationToken();
 * const work = Effect.ensuring(Effect.never, Effect.sync(() => console.log('cleaned up')));
 * const running = runEffect(work, { signal: token });
 * token.cancel('deploy'); // => cleaned up
 * await running.catch((reason) => console.log(reason)); // => deploy
 * ```
 */
export function runEffect<A, E>(effect: Effect.Effect<A, E>, options?: RunOptions): Promise<A>;
export function runEffect<A, E, R>(effect: Effect.Effect<A, E, R>, options: RunWithOptions<R>): Promise<A>;
export function runEffect<A, E, R>(
  effect: Effect.Effect<A, E, R>,
  options: RunOptions & { readonly context?: Context.Context<R> } = {},
): Promise<A> {
  return new Promise((resolve, reject) => {
    checkKind(Effect.isEffect(effect), 'runEffect', 'an Effect', effect);
    checkOptions('runEffect', options, ['signal', 'context']);
    const { signal, context = Context.empty() as Context.Context<R> } = options;
    checkKind(Context.isContext(context), 'runEffect: context', 'a Context', context);
    const token = signal === undefined ? undefined : CancellationToken.from(signal, 'runEffect: signal');
    token?.throwIfCancelled();
    const fiber = Effect.runForkWith(context)(effect);
    const unlisten = token === undefined ? undefined : interruptWith(fiber, token);
    fiber.addObserver((exit) => {
      unlisten?.();
      if (Exit.isSuccess(exit)) resolve(exit.value);
      // An interruption that Effect passed on through other fibers does not carry the reason.
      else if (token?.isCancelled && Cause.hasInterruptsOnly(exit.cause)) reject(token.reason);
      else reject(errorFromCause(exit.cause));
    });
  });
}

/**
 * Interrupts a fiber when a token is cancelled. A waiter is used instead of a callback: it holds the process until a
 * deadline, and moves to the parent when the token is disposed.
 *
 * @returns a function that unparks the waiter
 */
export function interruptWith(fiber: Fiber.Fiber<unknown, unknown>, token: CancellationToken): () => void {
  const protocol = token[source];
  const wake = (): void => {
    if (fiber.pollUnsafe() !== undefined) return;
    const reason = protocol.poll();
    if (reason === PENDING) protocol.park(parked);
    else fiber.interruptUnsafe(undefined, annotationsOf(reason));
  };
  const parked = waiter(wake);
  wake();
  // Parking may run any code, a cancellation too.
  if (parked.owner !== undefined && token.isCancelled) {
    protocol.unpark(parked);
    wake();
  }
  return () => protocol.unpark(parked);
}
