import {
  type CancellationToken,
  PENDING,
  type SourceProtocol,
  source,
  type UntilCancelled,
  type Waiter,
  waiter,
} from '@quiesce/cancellation-token';
import { untilCancelled } from '@quiesce/cancellation-token/internal';
import type { Answers } from './replay.ts';
import { Scripted } from './scripted.ts';

/** Tokio's `run_until_cancelled` and `with_cancellation_token`, on `untilCancelled`. */
export class Run {
  readonly #inner: Scripted;
  readonly #protocol: SourceProtocol<UntilCancelled<true>>;
  readonly #waiter: Waiter;
  /** Set when it has ended. A later wake has no meaning. */
  #isDone = false;

  constructor(token: CancellationToken, readyAt: number | null, asksAtCreation: boolean, wake: () => void) {
    this.#inner = new Scripted(readyAt);
    this.#protocol = untilCancelled(token, this.#inner)[source];
    const wakeAgain = (): void => {
      wake();
      // Both sides may call a Rust waker before the next poll, but a waiter is called once: so it parks again.
      this.#protocol.park(this.#waiter);
    };
    this.#waiter = waiter(wakeAgain);
    if (!asksAtCreation || token.isCancelled) return;
    // `with_cancellation_token` polls the token when it is created: that is the first poll here, which the work does not count.
    this.#inner.isPriming = true;
    this.#protocol.poll();
    this.#inner.isPriming = false;
  }

  poll(): Answers {
    const answer = this.#protocol.poll();
    if (answer === PENDING) this.#protocol.park(this.#waiter);
    else this.drop();
    const result = answer === PENDING ? 'pending' : answer.status === 'cancelled' ? 'none' : 'some';
    return { result, inner_polls: this.#inner.polls };
  }

  complete(): void {
    if (!this.#isDone) this.#inner.complete();
  }

  drop(): void {
    this.#isDone = true;
    this.#protocol.unpark(this.#waiter);
  }
}
