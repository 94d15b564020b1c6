import { type CancellationToken, isCancellationOf } from '@quiesce/cancellation-token';

/** Whether work has ended with `error` because of the token; a `Promise.any`, whether all of it has. Never throws. */
export function isEndBy(error: unknown, token: CancellationToken): boolean {
  try {
    if (error instanceof AggregateError && error.errors.length > 0) {
      return error.errors.every((one) => isCancellationOf(one, token));
    }
  } catch {}
  return isCancellationOf(error, token);
}
