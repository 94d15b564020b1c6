import {
  asFailingSource,
  CancellationToken,
  type Clock,
  PENDING,
  type SourcePromise,
  type SourceProtocol,
  source,
  sourcePromise,
  type Takeable,
  type Waiter,
} from '@quiesce/cancellation-token';
import { checkOptions, Pair } from '@quiesce/internal';
import { failed } from './settle.ts';

/** Options for one wait. */
export interface WaitOptions {
  /** Gives up the wait. It then has taken nothing, has left the queue, and rejects with the reason. */
  readonly signal?: CancellationToken | AbortSignal | undefined;
  /** Gives up the wait with a `TimeoutError` after this many milliseconds, 0 to `Infinity`. A value that is ready wins. */
  readonly timeout?: number | undefined;
  /** Source of time; default: the clock of the signal's deadline, else the platform's. */
  readonly clock?: Clock | undefined;
}

const OPTIONS = ['signal', 'timeout', 'clock'];

/**
 * Returns a source that can be given up: by a signal, which is polled first, or by a time limit, which is polled last.
 *
 * @param call for error texts
 * @throws TypeError for unknown options, and for those of the wrong type; RangeError when `timeout` is negative or NaN
 */
export function withLimits<T>(inner: Takeable<T>, options: WaitOptions | undefined, call: string): Takeable<T> {
  if (options === undefined) return inner;
  checkOptions(call, options, OPTIONS);
  const { signal: given, timeout } = options;
  if (given === undefined && timeout === undefined) return inner;
  const token = given === undefined ? CancellationToken.never : CancellationToken.from(given, `${call}: signal`);
  const until = timeout === undefined ? token : token.withTimeout(timeout, { clock: options.clock });
  return new LimitedSource(inner, token[source], until[source]);
}

/** Waits for a source that can be given up. Invalid options are a rejection. */
export function waitWithLimits<T>(
  inner: Takeable<T>,
  options: WaitOptions | undefined,
  call: string,
): SourcePromise<T> {
  try {
    return sourcePromise(withLimits(inner, options, call));
  } catch (error) {
    return asFailingSource(failed(error), inner, error);
  }
}

/** Polls a source between its two limits. It parks on the source and on the later limit. */
class LimitedSource<T> implements Takeable<T> {
  readonly once?: true;
  readonly #inner: Takeable<T>;
  readonly #signal: SourceProtocol<unknown>;
  /** The signal with the time limit. */
  readonly #until: SourceProtocol<unknown>;
  readonly #parking: Pair;
  /** Set by the poll that takes the only value: the wait can no longer be given up. */
  #isOver = false;

  constructor(inner: Takeable<T>, signal: SourceProtocol<unknown>, until: SourceProtocol<unknown>) {
    this.#inner = inner;
    this.#signal = signal;
    this.#until = until;
    this.#parking = new Pair(until, inner);
    if (inner.once) this.once = true;
  }

  poll(): T | typeof PENDING {
    if (!this.#isOver) throwIfCancelled(this.#signal);
    const value = this.#inner.poll();
    if (value === PENDING) throwIfCancelled(this.#until);
    else if (this.once) this.#isOver = true;
    return value;
  }

  putBack(value: T | undefined, error: unknown, mark: number): boolean {
    const isUndone = this.#inner.putBack?.(value, error, mark) === true;
    if (isUndone) this.#isOver = false;
    return isUndone;
  }

  get mark(): number {
    return this.#inner.mark ?? 0;
  }

  park(waiter: Waiter): void {
    this.#parking.park(waiter);
  }

  unpark(waiter: Waiter): void {
    this.#parking.unpark(waiter);
  }
}

/** Throws the reason of a token that is cancelled. */
function throwIfCancelled(token: SourceProtocol<unknown>): void {
  const reason = token.poll();
  if (reason !== PENDING) throw reason;
}
