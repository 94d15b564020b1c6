import { type CancellationToken, isCancellationOf } from '@quiesce/cancellation-token';

/** The stop signals of scopes, by the token of the scope. */
const stopSignals: WeakMap<CancellationToken, CancellationToken> = new WeakMap();
/** Whether there has ever been one: programs without stop signals do not look for them. */
let isUsed = false;

/** Makes the end of work because of `stopSignal` a normal end, in this scope and in all scopes below it. */
export function setStopSignal(token: CancellationToken, stopSignal: CancellationToken): void {
  stopSignals.set(token, stopSignal);
  isUsed = true;
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

/** Whether the error comes from a stop signal of a scope that owns the token. Called for failures only, so that it may walk. */
export function isStopped(error: unknown, token: CancellationToken): boolean {
  if (!isUsed) return false;
  for (let at: CancellationToken | undefined = token; at !== undefined; at = at.parent) {
    const stopSignal = stopSignals.get(at);
    if (stopSignal !== undefined && isObedience(error, stopSignal)) return true;
  }
  return false;
}
