import { CancellationToken, type ClosedError, isCancellationOf } from '@quiesce/cancellation-token';
import type { SemaphorePermit } from '@quiesce/channel';
import { TaskTracker, type TrackerGuard } from '@quiesce/scope';
import type { ResourceCloser } from './resource-closer.ts';

/** The parts of a pool that its creator uses. */
export interface CreatorPool<R> {
  /** Holds a guard for each resource that is being made. */
  readonly parts: TaskTracker;
  readonly closer: ResourceCloser<R>;
  /** Keeps a resource for the next `acquire`; a closed pool closes it. */
  putIdle(resource: R): void;
  closedError(): ClosedError;
}

/** Makes the resources of a pool, and passes a resource on when its `acquire` was given up in between. */
export class ResourceCreator<R> {
  readonly #create: (token: CancellationToken) => R | PromiseLike<R>;
  readonly #pool: CreatorPool<R>;
  readonly #pending: TaskTracker = new TaskTracker();
  /** The tokens of the calls of `acquire` that wait for a resource to be made. */
  readonly #acquireTokens: Set<CancellationToken> = new Set();
  /** Set at the deadline: a resource that arrives later is closed at once. */
  #isCancelled = false;
  /** How often `create` failed after its `acquire` was given up. */
  failedCount = 0;
  /** The last of these errors. */
  lastError: unknown = undefined;

  constructor(create: (token: CancellationToken) => R | PromiseLike<R>, pool: CreatorPool<R>) {
    this.#create = create;
    this.#pool = pool;
  }

  /** How many resources are being made. */
  get pendingCount(): number {
    return this.#pending.length;
  }

  /**
   * Makes a resource for one `acquire`, and calls `onMade` with it and with the guard that its lease takes over.
   *
   * @param permit released unless `onMade` is called
   * @throws (rejects) the error of `create`; the token's reason; ClosedError after the deadline
   */
  async make(
    permit: SemaphorePermit,
    token: CancellationToken,
    onMade: (resource: R, part: TrackerGuard) => void,
  ): Promise<void> {
    const guards = [this.#pool.parts.guard(), this.#pending.guard()] as const;
    this.#acquireTokens.add(token);
    const making = (async () => this.#create(token))();
    const end = (): void => {
      permit.release();
      for (const guard of guards) guard.dispose();
    };
    try {
      const outcome = await token.runUntilCancelled(making).catch((error) => {
        end();
        throw isCancellationOf(error, token) ? token.reason : error;
      });
      if (outcome.status === 'fulfilled' && !this.#isCancelled) {
        guards[1].dispose();
        onMade(outcome.value as R, guards[0]);
        return;
      }
      void this.#passOn(making, token, end);
      throw outcome.status === 'cancelled' ? outcome.reason : this.#pool.closedError();
    } finally {
      this.#acquireTokens.delete(token);
    }
  }

  /** Cancels every `acquire` that waits for a resource to be made. */
  cancelAll(): void {
    this.#isCancelled = true;
    for (const token of [...this.#acquireTokens]) token.cancel(this.#pool.closedError());
  }

  /** Waits until no resource is being made, at most as long as closing one may take. */
  async allSettled(): Promise<void> {
    const { timeout, clock } = this.#pool.closer;
    this.#pending.close();
    const limit = CancellationToken.timeout(timeout, { clock });
    try {
      await this.#pending.drain(limit);
    } catch {
      // The report says how many are left.
    } finally {
      limit.dispose();
    }
  }

  /** The `acquire` was given up: the resource goes to the next one. */
  async #passOn(making: Promise<R>, token: CancellationToken, end: () => void): Promise<void> {
    try {
      this.#pool.putIdle(await making);
    } catch (error) {
      // The acquire has rejected with its own error, and a database that is down must not end the process.
      if (isCancellationOf(error, token)) return;
      this.failedCount++;
      this.lastError = error;
    } finally {
      end();
    }
  }
}
