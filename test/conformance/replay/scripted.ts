import { PENDING, type Source, type SourceProtocol, source, type Waiter } from '@quiesce/cancellation-token';

/** The scripted inner future of the recordings, as a source: ready at its `ready_at`-th poll, or once completed. */
export class Scripted implements Source<true> {
  readonly #readyAt: number | null;
  readonly #waiters = new Set<Waiter>();
  #isComplete = false;
  /** Like Tokio's future, it keeps the waker of its last poll until it has called it. */
  #keepsWaker = false;
  /** The number of polls. */
  polls = 0;
  /** While set, polls are pending and not counted. */
  isPriming = false;

  constructor(readyAt: number | null) {
    this.#readyAt = readyAt;
  }

  /** Makes it ready at its next poll, and wakes its waiter. */
  complete(): void {
    this.#isComplete = true;
    if (!this.#keepsWaker) return;
    this.#keepsWaker = false;
    const woken = [...this.#waiters];
    this.#waiters.clear();
    for (const waiter of woken) waiter.wake();
  }

  readonly [source]: SourceProtocol<true> = {
    poll: () => {
      if (this.isPriming) return PENDING;
      this.polls++;
      const isReady = this.#isComplete || (this.#readyAt !== null && this.polls >= this.#readyAt);
      this.#keepsWaker = !isReady;
      return isReady ? true : PENDING;
    },
    park: (waiter) => void this.#waiters.add(waiter),
    unpark: (waiter) => void this.#waiters.delete(waiter),
  };
}
