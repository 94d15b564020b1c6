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

/** How one operation waits. */
export interface WaitOptions {
  /** Gives the wait up: it then has taken nothing, has lost its place, and rejects with the reason. */
  readonly signal?: CancellationToken | AbortSignal | undefined;
  /** Gives it up with a `TimeoutError` after so many milliseconds, 0 to `Infinity`; what is ready by then is taken. */
  readonly timeout?: number | undefined;
  /** Where time comes from; default: the clock of the signal's deadline, else the platform's. */
  readonly clock?: Clock | undefined;
}

const OPTIONS = ['signal', 'timeout', 'clock'];

/**
 * A source that can be given up: by a signal, which goes before everything, or by a time limit, which comes after.
 *
 * @param call for error texts
 * @throws TypeError when the signal is none, and for unknown options; RangeError when the time is none
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

/** Waits for a source that can be given up. What is wrong with the options is a rejection. */
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

/** Polls a source between its two limits, and parks on it and on the later one. */
class LimitedSource<T> implements Takeable<T> {
  readonly once?: true;
  readonly #inner: Takeable<T>;
  readonly #signal: SourceProtocol<unknown>;
  /** The signal with the time limit. */
  readonly #until: SourceProtocol<unknown>;
  readonly #parking: Pair;
  /** Set by the poll that takes the only value: nothing can be given up any more. */
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
