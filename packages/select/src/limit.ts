import { type Clock, systemClock } from '@quiesce/cancellation-token';
import { Limit } from './ending.ts';

/** How long functions that lost are waited for. */
export interface CleanupOptions {
  /** Milliseconds from 0; default: as long as they take. Past it the select rejects with a `CleanupTimeoutError`. */
  readonly cleanupTimeout?: number | undefined;
  /** Where `cleanupTimeout` takes time from; default: the platform's. */
  readonly clock?: Clock | undefined;
}

/** @throws RangeError when `cleanupTimeout` is negative or not a number */
export function limitOf({ cleanupTimeout: ms, clock = systemClock }: CleanupOptions): Limit | undefined {
  if (ms === undefined || ms === Number.POSITIVE_INFINITY) return undefined;
  if (typeof ms === 'number' && ms >= 0) return new Limit(ms, clock);
  throw new RangeError(`select: cleanupTimeout must be a number of milliseconds from 0 to Infinity, got ${String(ms)}`);
}
