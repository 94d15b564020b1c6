import { CancelledError } from '@quiesce/cancellation-token';
import { isNamed } from '@quiesce/internal';
import { Cause, Context } from 'effect';
import { CauseError } from './errors.ts';

/** What a token's cancellation leaves on the interruption that it brings about. */
interface Why {
  readonly reason: unknown;
}

/** The key of the annotation; by name, so that a second copy of this package understands it. */
const Why: Context.Service<Why, Why> = /* @__PURE__ */ Context.Service<Why>('@quiesce/effect/Why');

/** An interruption's annotations that carry why: for `fiber.interruptUnsafe`. */
export function annotationsOf(reason: unknown): Context.Context<never> {
  return Context.make(Why, { reason }) as Context.Context<never>;
}

/** An interruption that carries why. */
export function interruption(reason: unknown): Cause.Cause<never> {
  return Cause.annotate(Cause.interrupt(), annotationsOf(reason));
}

/**
 * Why a token interrupted the fiber: the token's reason, verbatim.
 *
 * Interruptions that `runEffect`, `acquireIn` and `inFlight` bring about carry it; Effect does not pass it on to the
 * children of the interrupted fiber.
 *
 * **Timing.** Synchronous.
 *
 * @param cause what a fiber ended with, such as `exit.cause`
 * @returns the reason; `undefined`: the cause holds no interruption, or none that came from a token
 * @example
 * ```ts
 * import { Cause, Effect } from 'effect';
 *
 * const token = new CancellationToken();
 * const work = Effect.onError(Effect.never, (cause) => Effect.sync(() => console.log(reasonFromCause(cause))));
 * const running = runEffect(work, { signal: token });
 * token.cancel('deploy'); // => deploy
 * await running.catch((reason) => console.log('rejected:', reason)); // => rejected: deploy
 * console.log(reasonFromCause(Cause.interrupt())); // => undefined
 * ```
 */
export function reasonFromCause(cause: Cause.Cause<unknown>): unknown {
  return whyOf(cause)?.reason;
}

function whyOf(cause: Cause.Cause<unknown>): Why | undefined {
  for (const reason of cause.reasons) {
    if (!Cause.isInterruptReason(reason)) continue;
    const why = reason.annotations.get(Why.key) as Why | undefined;
    if (why !== undefined) return why;
  }
  return undefined;
}

/**
 * The reason of a token that is cancelled because a fiber was interrupted: that of the token behind it, verbatim, else a
 * `CancelledError` whose `cause` is Effect's.
 */
export function cancellationOf(cause: Cause.Cause<unknown>): unknown {
  const why = whyOf(cause);
  return why === undefined ? new CancelledError('The fiber was interrupted', { cause }) : why.reason;
}

/** The failures and defects of a cause, in its order. */
export function failuresOf(cause: Cause.Cause<unknown>): unknown[] {
  return cause.reasons.flatMap((reason) => {
    if (Cause.isInterruptReason(reason)) return [];
    return [Cause.isFailReason(reason) ? reason.error : reason.defect];
  });
}

/**
 * What a promise rejects with when an Effect ended with this cause.
 *
 * One failure or defect is itself, verbatim; several are a {@link CauseError}. An interruption counts only where nothing
 * failed: it is the reason of the token that brought it about, else a `CancelledError` with the cause as `cause`.
 *
 * **Timing.** Synchronous. No failure is dropped; which of several were defects is in the `cause`.
 *
 * @param cause what a fiber ended with
 * @returns the error
 * @example
 * ```ts
 * import { Cause } from 'effect';
 *
 * console.log(errorFromCause(Cause.fail('no such user'))); // => no such user
 * const both = Cause.combine(Cause.fail('read'), Cause.die('close'));
 * console.log((errorFromCause(both) as CauseError).errors); // => [ 'read', 'close' ]
 * ```
 */
export function errorFromCause(cause: Cause.Cause<unknown>): unknown {
  const errors = failuresOf(cause);
  if (errors.length === 1) return errors[0];
  if (errors.length > 1 || cause.reasons.length === 0) return new CauseError(errors, cause);
  return cancellationOf(cause);
}

/**
 * The cause with which an Effect ends when a promise rejected with this error.
 *
 * A `ScopeError` becomes a cause with all of its failures, in their order; a {@link CauseError} becomes the cause that it
 * was made of, defects and interruptions included; anything else one failure.
 *
 * **Timing.** Synchronous.
 *
 * @param error what was caught
 * @returns the cause
 * @example
 * ```ts
 * const error = await scope(async (s) => {
 *   s.defer(() => Promise.reject('flush'));
 *   throw 'work';
 * }).catch((error) => error);
 * console.log(causeFromError(error).reasons.length); // => 2
 * ```
 */
export function causeFromError(error: unknown): Cause.Cause<unknown> {
  const whole = wholeOf(error);
  return Cause.isCause(whole) ? whole : Cause.fromReasons(whole.map((one) => Cause.makeFailReason(one)));
}

/** The same where the error has no type to stand in, as in a finalizer: all of it are defects. */
export function defectsFromError(error: unknown): Cause.Cause<never> {
  const whole = wholeOf(error);
  if (!Cause.isCause(whole)) return Cause.fromReasons(whole.map((one) => Cause.makeDieReason(one)));
  return Cause.fromReasons(
    whole.reasons.map((reason) => (Cause.isFailReason(reason) ? Cause.makeDieReason(reason.error) : reason)),
  );
}

/** All that an error stands for: a cause, or errors. Reading what was thrown may throw; then it stands for itself. */
function wholeOf(error: unknown): Cause.Cause<unknown> | readonly unknown[] {
  try {
    const { cause, errors } = error as { cause?: unknown; errors?: unknown };
    if (isNamed(error, 'CauseError') && Cause.isCause(cause)) return cause;
    if (isNamed(error, 'ScopeError') && Array.isArray(errors) && errors.length > 0) return errors;
  } catch {
    // Not an object, or a hostile one.
  }
  return [error];
}
