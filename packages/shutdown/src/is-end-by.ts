import { type CancellationToken, isCancellationOf } from '@quiesce/cancellation-token';

/**
 * Returns whether work has rejected with `error` because of the token. For an `AggregateError`, all its errors must be so. Never
 * throws.
 */
export function isEndBy(error: unknown, token: CancellationToken): boolean {
  try {
    if (error instanceof AggregateError && error.errors.length > 0) {
      return error.errors.every((one) => isCancellationOf(one, token));
    }
  } catch {}
  return isCancellationOf(error, token);
}
