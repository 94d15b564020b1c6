import { type CancellationToken, isCancellation, isCancellationOf } from '@quiesce/cancellation-token';

/** The stop signals of scopes, by the token of the scope. */
const stopSignals: WeakMap<CancellationToken, CancellationToken> = new WeakMap();
/** The stop signals of open scopes, with the number of scopes that have each. */
const activeSignals: Map<CancellationToken, number> = new Map();
/** Set by the first stop signal: programs without stop signals do not search for them. */
let isUsed = false;
/** How many errors may wrap an abort. A chain of causes can be circular. */
const MAX_DEPTH = 8;

/**
 * Makes a rejection because of `stopSignal` a normal end of work. In the scopes below, that includes each wait that the signal
 * ends. In all other scopes, it includes only the signal's reason.
 */
export function setStopSignal(token: CancellationToken, stopSignal: CancellationToken): void {
  stopSignals.set(token, stopSignal);
  activeSignals.set(stopSignal, (activeSignals.get(stopSignal) ?? 0) + 1);
  isUsed = true;
}

/** The scope of `token` has closed. Its stop signal still counts for tasks that the scope has given up on. */
export function removeStopSignal(token: CancellationToken): void {
  const stopSignal = activeSignals.size === 0 ? undefined : stopSignals.get(token);
  if (stopSignal === undefined) return;
  const remaining = (activeSignals.get(stopSignal) ?? 0) - 1;
  if (remaining > 0) activeSignals.set(stopSignal, remaining);
  else activeSignals.delete(stopSignal);
}

/** Whether work with `token` threw `error` because of a cancellation of the token, or because of a stop signal. */
export function endedByCancellation(error: unknown, token: CancellationToken): boolean {
  return isCancellationBy(error, token) || endedByStopSignal(error, token);
}

/** Whether the error is a cancellation of the token, or each error of a failed `Promise.any` is one. */
function isCancellationBy(error: unknown, token: CancellationToken): boolean {
  return partsOf(error).every((one) => isCancellationOf(one, token));
}

/** The errors of an `AggregateError`, or the error. Never throws, for any thrown value. */
function partsOf(error: unknown): readonly unknown[] {
  try {
    if (error instanceof AggregateError && error.errors.length > 0) return [...error.errors];
  } catch {}
  return [error];
}

/**
 * Whether the error comes from a stop signal. Called for failures only, so it may walk up the tokens.
 *
 * In the scopes below the one that has the stop signal, each abort by that signal counts. In other scopes, such as a scope
 * that a library creates without a signal, only the signal's reason counts, or the platform's abort with that cause.
 */
export function endedByStopSignal(error: unknown, token: CancellationToken): boolean {
  if (!isUsed) return false;
  for (let at: CancellationToken | undefined = token; at !== undefined; at = at.parent) {
    const stopSignal = stopSignals.get(at);
    if (stopSignal !== undefined && isCancellationBy(error, stopSignal)) return true;
  }
  const reasons = [...activeSignals.keys()].filter((stopSignal) => stopSignal.isCancelled).map(({ reason }) => reason);
  return reasons.length > 0 && partsOf(error).every((one) => isAbortBy(one, reasons));
}

/** Whether the error is one of the reasons, or an abort with one of them in its chain of causes. */
function isAbortBy(error: unknown, reasons: readonly unknown[]): boolean {
  for (let at = error, depth = 0; depth < MAX_DEPTH; depth++) {
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
