import type { CancellationToken } from '@quiesce/cancellation-token';

/**
 * A component that accepts work and can drain it: a server, a pool, a tracker. A shutdown stops each one and waits for it.
 *
 * @example
 * ```ts
 * import { type Drainable, TaskTracker } from '@quiesce/scope';
 *
 * const requests = new TaskTracker({ name: 'requests' });
 * const parts: Drainable[] = [requests];
 * for (const part of parts) part.stop();
 * for (const part of parts) await part.drain(CancellationToken.never);
 * console.log(requests.inFlightCount); // => 0
 * ```
 */
export interface Drainable {
  /** The name in reports. */
  readonly name: string;
  /** The number of pieces of work in progress. */
  readonly inFlightCount: number;
  /** The names of the work in progress, for reports, such as `GET /path`. Absent when only the number is known. */
  readonly inFlightNames?: readonly string[];
  /** Whether work can still arrive from outside the process, as at a listening server. Absent when it cannot. */
  readonly isAccepting?: boolean;
  /**
   * Announces the coming stop: readiness becomes false, and connections are asked to end with their last response.
   * The component still accepts all work. Synchronous and idempotent. Optional.
   */
  announce?(): void;
  /** Stops accepting work. Synchronous and idempotent. May be called without `announce`. */
  stop(): void;
  /**
   * Waits until no work is in progress. Called after `stop`. May be called once more with another token, after the first one
   * was cancelled, to wait for the work that this cancelled.
   *
   * @param token a token or an `AbortSignal`. Its cancellation ends the wait, and cancels work that can be cancelled
   * @throws (rejects) its reason, when it was cancelled before the work had ended
   */
  drain(token: CancellationToken | AbortSignal): Promise<void>;
}
