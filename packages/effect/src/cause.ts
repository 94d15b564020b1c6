import { CancelledError } from '@quiesce/cancellation-token';
import { isNamed } from '@quiesce/internal';
import { Cause, Context } from 'effect';
import { CauseError } from './errors.ts';

/** The annotation on an interruption that a token's cancellation caused. */
interface CancelReason {
  readonly reason: unknown;
}

/** The key of the annotation. It is found by name, so that a second copy of this package understands it. */
const CancelReason: Context.Service<CancelReason, CancelReason> =
  /* @__PURE__ */ Context.Service<CancelReason>('@quiesce/effect/Why');

/** Makes the annotations that carry a reason, for `fiber.interruptUnsafe`. */
export function annotationsOf(reason: unknown): Context.Context<never> {
  return Context.make(CancelReason, { reason }) as Context.Context<never>;
}

/** Makes an interruption that carries a reason. */
export function interruption(reason: unknown): Cause.Cause<never> {
  return Cause.annotate(Cause.interrupt(), annotationsOf(reason));
}

/**
 * Returns the reason with which a token interrupted a fiber, verbatim.
 *
 * Interruptions by `runEffect`, `acquireIn` and `inFlight` carry the reason. Effect does not pass it on to the children of
 * the interrupted fiber.
 *
 * **Timing.** Synchronous.
 *
 * @param cause the cause with which a fiber ended, such as `exit.cause`
 * @returns the reason, or `undefined` when the cause holds no interruption that came from a token
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
  return cancelReasonOf(cause)?.reason;
}

function cancelReasonOf(cause: Cause.Cause<unknown>): CancelReason | undefined {
  for (const reason of cause.reasons) {
    if (!Cause.isInterruptReason(reason)) continue;
    const origin = reason.annotations.get(CancelReason.key) as CancelReason | undefined;
    if (origin !== undefined) return origin;
  }
  return undefined;
}

/**
 * Returns the reason for a token that is cancelled because a fiber was interrupted: the reason of the token that interrupted
 * the fiber, verbatim, or a `CancelledError` whose `cause` is the cause of the Effect.
 */
export function cancellationOf(cause: Cause.Cause<unknown>): unknown {
  const origin = cancelReasonOf(cause);
  return origin === undefined ? new CancelledError('The fiber was interrupted', { cause }) : origin.reason;
}

/** Returns the failures and defects of a cause, in order. */
export function failuresOf(cause: Cause.Cause<unknown>): unknown[] {
  return cause.reasons.flatMap((reason) => {
    if (Cause.isInterruptReason(reason)) return [];
    return [Cause.isFailReason(reason) ? reason.error : reason.defect];
  });
}

/**
 * Returns the error with which a promise rejects for an Effect that ended with this cause.
 *
 * A single failure or defect is returned verbatim, several as a {@link CauseError}. An interruption counts only when nothing
 * failed. It becomes the reason of the token that interrupted the fiber, or a `CancelledError` with the cause as `cause`.
 *
 * **Timing.** Synchronous. No failure is dropped. `cause` of a `CauseError` shows which errors were defects.
 *
 * @param cause the cause with which a fiber ended
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
 * Returns the cause with which an Effect ends for a promise that rejected with this error.
 *
 * A `ScopeError` becomes a cause with all its failures, in order. A {@link CauseError} becomes its original cause, defects
 * and interruptions included. Any other error becomes one failure.
 *
 * **Timing.** Synchronous.
 *
 * @param error the error that was caught
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
  const contents = contentsOf(error);
  return Cause.isCause(contents) ? contents : Cause.fromReasons(contents.map((one) => Cause.makeFailReason(one)));
}

/** As `causeFromError`, for places without a typed failure, such as a finalizer: every failure becomes a defect. */
export function defectsFromError(error: unknown): Cause.Cause<never> {
  const contents = contentsOf(error);
  if (!Cause.isCause(contents)) return Cause.fromReasons(contents.map((one) => Cause.makeDieReason(one)));
  return Cause.fromReasons(
    contents.reasons.map((reason) => (Cause.isFailReason(reason) ? Cause.makeDieReason(reason.error) : reason)),
  );
}

/** Returns the cause or the errors that an error contains. An error whose properties cannot be read is its only member. */
function contentsOf(error: unknown): Cause.Cause<unknown> | readonly unknown[] {
  try {
    const { cause, errors } = error as { cause?: unknown; errors?: unknown };
    if (isNamed(error, 'CauseError') && Cause.isCause(cause)) return cause;
    if (isNamed(error, 'ScopeError') && Array.isArray(errors) && errors.length > 0) return errors;
  } catch {
    // Not an object, or one whose getters throw.
  }
  return [error];
}
