import {
  CancellationToken,
  type Clock,
  PENDING,
  type SourceProtocol,
  source,
  type Waiter,
} from '@quiesce/cancellation-token';
import { parkOn, unparkFrom, type WaiterItem, type WaiterList, wakeAll } from '@quiesce/internal';

/** How one operation waits. */
export interface WaitOptions {
  /** Gives the wait up: it then has taken nothing, has lost its place, and rejects with the reason. */
  readonly signal?: CancellationToken | AbortSignal | undefined;
  /** Gives it up with a `TimeoutError` after so many milliseconds, 0 to `Infinity`; what is ready by then is taken. */
  readonly timeout?: number | undefined;
  /** Where time comes from; default: the clock of the signal's deadline, else the platform's. */
  readonly clock?: Clock | undefined;
}

/**
 * A source that can be given up: by a signal, which goes before everything, or by a time limit, which comes after.
 *
 * @throws TypeError when the signal is none; RangeError when the time is none
 */
export function limited<T>(inner: SourceProtocol<T>, options: WaitOptions | undefined): SourceProtocol<T> {
  const given = options?.signal;
  const timeout = options?.timeout;
  if (given === undefined && timeout === undefined) return inner;
  const token = given === undefined ? CancellationToken.never : CancellationToken.from(given);
  const until = timeout === undefined ? token : token.withTimeout(timeout, { clock: options?.clock });
  return new Limited(inner, token[source], until[source]);
}

/** Invariant: while somebody is parked here, one waiter is parked on the source and one on the token; otherwise none. */
class Limited<T> implements SourceProtocol<T>, WaiterList {
  head: WaiterItem | undefined = undefined;
  readonly once?: true;
  readonly #inner: SourceProtocol<T>;
  readonly #signal: SourceProtocol<unknown>;
  /** The signal with the time limit. */
  readonly #until: SourceProtocol<unknown>;
  readonly #onInner: Waiter;
  readonly #onUntil: Waiter;
  /** Set by the poll that takes: nothing can be given up any more. */
  #isOver = false;

  constructor(inner: SourceProtocol<T>, signal: SourceProtocol<unknown>, until: SourceProtocol<unknown>) {
    this.#inner = inner;
    this.#signal = signal;
    this.#until = until;
    this.#onInner = this.#waiter();
    this.#onUntil = this.#waiter();
    if (inner.once) this.once = true;
  }

  poll(): T | typeof PENDING {
    if (!this.#isOver) refuse(this.#signal);
    const value = this.#inner.poll();
    if (value === PENDING) refuse(this.#until);
    else this.#isOver = true;
    return value;
  }

  park(waiter: Waiter): void {
    parkOn(this, waiter);
    this.#until.park(this.#onUntil);
    this.#inner.park(this.#onInner);
  }

  unpark(waiter: Waiter): void {
    if (unparkFrom(this, waiter) && this.head === undefined) this.#rest();
  }

  #rest(): void {
    this.#until.unpark(this.#onUntil);
    this.#inner.unpark(this.#onInner);
  }

  #waiter(): Waiter {
    const wake = (): void => {
      this.#rest();
      wakeAll(this);
    };
    return { next: undefined, prev: undefined, owner: undefined, wake };
  }
}

/** Throws the reason of a token that is cancelled. */
function refuse(token: SourceProtocol<unknown>): void {
  const reason = token.poll();
  if (reason !== PENDING) throw reason;
}
