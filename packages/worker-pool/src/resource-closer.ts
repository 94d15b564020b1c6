import { type Awaitable, CancellationToken, type Clock, TimeoutError } from '@quiesce/cancellation-token';
import { TaskTracker } from '@quiesce/scope';

/** How many errors of `close` a pool retains while it lends. */
const MAX_KEPT_ERRORS = 100;

/** Closes the resources of a pool, each within its own time limit, and counts the results. */
export class ResourceCloser<R> {
  readonly clock: Clock;
  /** How long closing one resource may take, in milliseconds. */
  readonly timeout: number;
  readonly #close: ((resource: R) => unknown) | undefined;
  /** Holds a guard for each resource that is being closed; closed with the pool. */
  readonly #parts: TaskTracker;
  readonly #onError: (error: unknown) => void;
  /** The same resources without leases and without resources that are being made. */
  readonly #closings: TaskTracker = new TaskTracker();
  closedCount = 0;
  timedOutCount = 0;
  readonly errors: unknown[] = [];
  /** How many calls of the pool's `close` are running. Their reports carry the errors, so nothing else reports them. */
  reportingCalls = 0;

  constructor(
    close: ((resource: R) => unknown) | undefined,
    timeout: number,
    clock: Clock,
    parts: TaskTracker,
    onError: (error: unknown) => void,
  ) {
    this.#close = close;
    this.timeout = timeout;
    this.clock = clock;
    this.#parts = parts;
    this.#onError = onError;
  }

  /** Starts to close a resource. Synchronous: the pool's `close` callback has been called on return. */
  close(resource: R): void {
    const guards = [this.#closings.guard(), this.#parts.guard()];
    void this.#closeInTime(resource).then(() => {
      for (const guard of guards) guard.dispose();
    });
  }

  /** Waits until no resource is being closed. */
  allClosed(): Awaitable<void> {
    this.#closings.close();
    return this.#closings.wait();
  }

  /** Never rejects. An error after the time limit becomes the `cause` of its TimeoutError. */
  async #closeInTime(resource: R): Promise<void> {
    const closing = (async () => this.#close?.(resource))();
    const limit = CancellationToken.timeout(this.timeout, { clock: this.clock });
    try {
      const { status } = await limit.runUntilCancelled(closing);
      if (status === 'fulfilled') this.closedCount++;
      else {
        this.timedOutCount++;
        const late = new TimeoutError(this.timeout, `Closing did not end within ${this.timeout} ms`);
        this.#addError(late);
        closing.catch((cause) => Object.assign(late, { cause }));
      }
    } catch (error) {
      this.#addError(error);
    } finally {
      limit.dispose();
    }
  }

  #addError(error: unknown): void {
    this.errors.push(error);
    if (!this.#parts.isClosed && this.errors.length > MAX_KEPT_ERRORS) this.errors.shift();
    if (this.reportingCalls === 0) this.#onError(error);
  }
}
