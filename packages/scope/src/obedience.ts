import { type CancellationToken, isCancellation, isCancellationOf } from '@quiesce/cancellation-token';

/** The stop signals of scopes, by the token of the scope. */
const stopSignals: WeakMap<CancellationToken, CancellationToken> = new WeakMap();
/** The stop signals of the scopes that have not ended, and how many scopes have each. */
const living: Map<CancellationToken, number> = new Map();
/** Whether there has ever been one: programs without stop signals do not look for them. */
let isUsed = false;
/** How many errors an abort may be wrapped in. A chain of causes can be a circle. */
const DEPTH = 8;

/** Makes the end of work because of `stopSignal` a normal end: for any wait in the scopes below, and everywhere for its reason. */
export function setStopSignal(token: CancellationToken, stopSignal: CancellationToken): void {
  stopSignals.set(token, stopSignal);
  living.set(stopSignal, (living.get(stopSignal) ?? 0) + 1);
  isUsed = true;
}

/** The scope of `token` has ended. Its stop signal still counts for tasks that it has given up on. */
export function dropStopSignal(token: CancellationToken): void {
  const stopSignal = living.size === 0 ? undefined : stopSignals.get(token);
  if (stopSignal === undefined) return;
  const left = (living.get(stopSignal) ?? 0) - 1;
  if (left > 0) living.set(stopSignal, left);
  else living.delete(stopSignal);
}

/** Whether work that was given `token` has failed with `error` because it was asked to stop. */
export function hasObeyed(error: unknown, token: CancellationToken): boolean {
  return isObedience(error, token) || isStopped(error, token);
}

/** Whether the error, or each error of a `Promise.any` in which all have obeyed, is a cancellation of the token. */
function isObedience(error: unknown, token: CancellationToken): boolean {
  return partsOf(error).every((one) => isCancellationOf(one, token));
}

/** The errors of an `AggregateError`; never throws, whatever was thrown. */
function partsOf(error: unknown): readonly unknown[] {
  try {
    if (error instanceof AggregateError && error.errors.length > 0) return [...error.errors];
  } catch {}
  return [error];
}

/**
 * Whether the error comes from a stop signal. Called for failures only, so that it may walk.
 *
 * In the scopes below the one that has the stop signal, each abort does. Elsewhere, as in a scope that a library makes without
 * a signal, only the very reason of a stop signal does, or the platform's abort around it.
 */
export function isStopped(error: unknown, token: CancellationToken): boolean {
  if (!isUsed) return false;
  for (let at: CancellationToken | undefined = token; at !== undefined; at = at.parent) {
    const stopSignal = stopSignals.get(at);
    if (stopSignal !== undefined && isObedience(error, stopSignal)) return true;
  }
  const reasons = [...living.keys()].filter((stopSignal) => stopSignal.isCancelled).map(({ reason }) => reason);
  return reasons.length > 0 && partsOf(error).every((one) => isAbortBy(one, reasons));
}

/** Whether the error is one of the reasons, or an abort with one of them as its cause. */
function isAbortBy(error: unknown, reasons: readonly unknown[]): boolean {
  for (let at = error, depth = 0; depth < DEPTH; depth++) {
    if (reasons.some((reason) => Object.is(reason, at))) return true;
    try {
      if (!isCancellation(at)) return false;
      at = (at as { readonly cause?: unknown }).cause;
    } catch {
      return false;
    }
  }
  return false;
}
