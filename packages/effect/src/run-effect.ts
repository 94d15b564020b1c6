import { CancellationToken, PENDING, source, waiter } from '@quiesce/cancellation-token';
import { checkKind, checkOptions } from '@quiesce/internal';
import { Cause, Context, Effect, Exit, type Fiber } from 'effect';
import { annotationsOf, errorFromCause } from './cause.ts';

/** How an Effect is run. */
export interface RunOptions {
  /** A token or an `AbortSignal`; its cancellation interrupts the Effect. */
  readonly signal?: CancellationToken | AbortSignal | undefined;
}

/** The same where the Effect needs services. */
export interface RunWithOptions<R> extends RunOptions {
  /** The services, such as `Effect.context()` gives. */
  readonly context: Context.Context<R>;
}

/**
 * Runs an Effect under a token: its cancellation interrupts the fiber, the finalizers are awaited, and the promise says
 * how it ended.
 *
 * **Timing.** Starts synchronously, as `Effect.runFork`; not at all when the token is cancelled already. A cancellation
 * interrupts synchronously. The promise settles when every finalizer has run.
 *
 * **Cancel safety.** As much as the Effect. An Effect that ends with a value although it was interrupted has won, as with
 * `runUntilCancelled`. An uninterruptible region is awaited, and interrupted at its end: Effect drops its value.
 *
 * @param effect what to run
 * @param options `signal`; `context`, where the Effect needs services
 * @returns what the Effect succeeds with; a thenable is followed, as everywhere in promises
 * @throws (rejects) the failure or the defect, verbatim; several, a finalizer's included, as {@link CauseError}; only
 *   interrupted, the token's reason, verbatim, or a `CancelledError` with Effect's cause where no token did it; TypeError
 *   when `signal` is no signal
 * @see `Effect.runPromise` (effect 4), which rejects with an error of its own when interrupted, and drops all but one failure
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
    const leave = token === undefined ? undefined : interruptWith(fiber, token);
    fiber.addObserver((exit) => {
      leave?.();
      if (Exit.isSuccess(exit)) resolve(exit.value);
      // An interruption that Effect has passed on by way of other fibers does not carry why.
      else if (token?.isCancelled && Cause.hasInterruptsOnly(exit.cause)) reject(token.reason);
      else reject(errorFromCause(exit.cause));
    });
  });
}

/**
 * Interrupts a fiber when a token is cancelled. With a waiter, since somebody waits: it holds the process until a
 * deadline, and goes to the parent when the token is disposed.
 *
 * @returns leaves the token
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
  // Parking may run anything, a cancellation too.
  if (parked.owner !== undefined && token.isCancelled) {
    protocol.unpark(parked);
    wake();
  }
  return () => protocol.unpark(parked);
}
