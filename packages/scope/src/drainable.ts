import type { CancellationToken } from '@quiesce/cancellation-token';

/**
 * Something that takes in work and can be brought to rest: what a shutdown asks to stop, and then waits for.
 *
 * @example
 * ```ts
 * import { type Drainable, TaskTracker } from '@quiesce/scope';
 *
 * const requests = new TaskTracker({ name: 'requests' });
 * const parts: Drainable[] = [requests];
 * for (const part of parts) part.stop();
 * for (const part of parts) await part.drain(CancellationToken.never);
 * console.log(requests.inFlight); // => 0
 * ```
 */
export interface Drainable {
  /** How reports call it. */
  readonly name: string;
  /** How many pieces of work are under way now. */
  readonly inFlight: number;
  /** Names what is under way now, for reports, as `GET /path`; left out where only the number is known. */
  readonly inFlightNames?: readonly string[];
  /** Whether work can still arrive from outside the process, as at a server that listens. Absent where it cannot. */
  readonly isAccepting?: boolean;
  /**
   * Says in advance that it will stop: readiness turns false, connections are asked to end with their last response.
   * Everything is still taken in. Synchronous, idempotent; left out by what has nobody to tell.
   */
  announce?(): void;
  /** Takes in nothing more. Synchronous, idempotent. Called without `announce` where nothing came before. */
  stop(): void;
  /**
   * Waits until nothing is under way. Called after `stop`; once more, with another token, to wait for what the end of the
   * first one has cancelled.
   *
   * @param token a token or an `AbortSignal`; when it is cancelled, waiting is over, and what can be cancelled is
   * @throws (rejects) its reason, when it was cancelled before
   */
  drain(token: CancellationToken | AbortSignal): Promise<void>;
}
