import type { BroadcastTryRecv } from '@quiesce/broadcast-channel';
import {
  PENDING,
  type Source,
  type SourceProtocol,
  source,
  type Tried,
  type Waiter,
  waiter,
} from '@quiesce/cancellation-token';

/**
 * A wait that a test drives by hand, as Tokio's tests poll a future. It polls when it is woken, as every wait does,
 * and keeps the answer for the next `poll`.
 */
export class Wait<T> {
  /** Whether it was woken since its last pending poll. */
  isWoken = false;
  readonly #protocol: SourceProtocol<T>;
  readonly #waiter: Waiter = waiter(() => this.#wake());
  #answer: { readonly value: T } | { readonly error: unknown } | undefined = undefined;

  constructor(from: Source<T>) {
    this.#protocol = from[source];
  }

  /** Returns the value, or `'pending'`; throws the failure. */
  poll(): T | 'pending' {
    if (this.#answer === undefined) {
      this.isWoken = false;
      this.#look();
    }
    if (this.#answer === undefined) return 'pending';
    if ('error' in this.#answer) throw this.#answer.error;
    return this.#answer.value;
  }

  /** Ends the wait, as dropping a future does. */
  drop(): void {
    this.#protocol.unpark(this.#waiter);
  }

  #wake(): void {
    this.isWoken = true;
    this.#look();
  }

  #look(): void {
    try {
      let value = this.#protocol.poll();
      if (value === PENDING) {
        this.#protocol.park(this.#waiter);
        value = this.#protocol.poll();
      }
      if (value === PENDING) return;
      this.#answer = { value };
    } catch (error) {
      this.#answer = { error };
    }
    this.drop();
  }
}

/** A wait that is woken and does not poll, like a future that is dropped after its wake-up. */
export function idle(on: Source<unknown>): { isWoken: boolean } {
  const state = { isWoken: false };
  const wake = (): void => {
    state.isWoken = true;
  };
  on[source].park(waiter(wake));
  return state;
}

/** Takes all values: the values, the missed counts, and the end: `'empty'` or `'closed'`. */
export function drain<T>(rx: { tryRecv(): BroadcastTryRecv<T> }): (T | string)[] {
  const taken: (T | string)[] = [];
  for (;;) {
    const result = rx.tryRecv();
    if (result.ok) taken.push(result.value);
    else if (result.why === 'lagged') taken.push(`missed ${result.missedCount}`);
    else return [...taken, result.why];
  }
}

/** Returns the value of a try; fails when there is none. */
export function unwrap<T>(tried: Tried<T, string>): T {
  if (!tried.ok) throw new Error(`expected a value, got ${JSON.stringify(tried)}`);
  return tried.value;
}

/** Takes one value, and fails without one. */
export function next<T>(rx: { tryRecv(): Tried<T, string> }): T {
  return unwrap(rx.tryRecv());
}

/** Waits several iterations of the event loop, in which everything settles that can. */
export async function turn(): Promise<void> {
  for (let i = 0; i < 2; i++) await new Promise((resolve) => setImmediate(resolve));
}

/** Returns the rejection reason of a promise; fails when it fulfils. */
export async function rejection(promise: PromiseLike<unknown>): Promise<unknown> {
  const result = await promise.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
  if ('error' in result) return result.error;
  throw new Error(`expected a rejection, got the value ${String(result.value)}`);
}

/** Matches a `ClosedError`, whatever its text. */
export const closed: object = { code: 'ERR_CLOSED' };
