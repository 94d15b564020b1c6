import type { CancellationToken } from '@quiesce/cancellation-token';
import { checkKind } from '@quiesce/internal';
import { keyOf } from './key.ts';
import type { LeaseRequest } from './leases.ts';
import { integerOf, numberOf, signalOf } from './options.ts';

/** Options for `lease`. */
export interface FleetLeaseOptions {
  /** How many processes may hold the lease at the same time: an integer from 1 to 1,000. Default: 1. */
  readonly permits?: number | undefined;
  /** After how many ms without a renewal the lease expires in the engine, from 1,000 to 3,600,000. Default: 15,000. */
  readonly ttl?: number | undefined;
  /** How many ms before expiry the token is cancelled, from 0 to half of `ttl`; below 1 counts as 1. Default: a fifth of `ttl`. */
  readonly expiryMargin?: number | undefined;
  /** How many ms to wait for a permit. 0 tries once, and does not wait. Default: `Infinity`. */
  readonly timeout?: number | undefined;
  /** Ends the wait, and cancels the work. */
  readonly signal?: CancellationToken | AbortSignal | undefined;
}

/** Returns the checked request of a lease; `call` names the call in errors. */
export function leaseRequest(call: string, name: string, options: FleetLeaseOptions): LeaseRequest {
  checkKind(typeof name === 'string' && name !== '', call, 'a name that is not empty', name);
  keyOf(call, [name]);
  const ttl = numberOf(`${call}: ttl`, options.ttl, 15_000, 1_000, 3_600_000);
  return {
    ...{ name, ttl },
    permits: integerOf(`${call}: permits`, options.permits, 1, 1, 1_000),
    // Engines count whole ms, and may grant a permit up to one earlier.
    expiryMargin: Math.max(1, numberOf(`${call}: expiryMargin`, options.expiryMargin, ttl / 5, 0, ttl / 2)),
    timeout: options.timeout ?? Number.POSITIVE_INFINITY,
    signal: signalOf(call, options.signal),
  };
}
