import type { CancellationToken } from '@quiesce/cancellation-token';

/**
 * A component that accepts work and can drain it: a server, a pool, a tracker. A shutdown stops each one and waits for it.
 *
 * The calls come in this order: `announce`, `stop`, then `drain` once. `abort` comes only when time has run out.
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
   * Waits until no work is in progress. Called once, after `stop`.
   *
   * @param signal a token or an `AbortSignal`. Its cancellation ends the wait. A component that can cancel its work does so
   *   then, as `abort` does, before it rejects
   * @throws (rejects) its reason, when it was cancelled before the work had ended
   */
  drain(signal: CancellationToken | AbortSignal): Promise<void>;
  /**
   * Cancels the work in progress. `drain` continues, and settles when that work has ended. Synchronous and idempotent. Called
   * after `stop`, also before `drain`.
   *
   * Optional. A shutdown cancels the signal of `drain` only when it no longer waits. A component without `abort` therefore
   * needs work that ends with `shutdown.stopNow`.
   *
   * @param reason the reason of the cancellation
   */
  abort?(reason: unknown): void;
}
