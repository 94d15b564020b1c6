import {
  asSource,
  type Call,
  isClosedError,
  PENDING,
  type Settling,
  type SourceProtocol,
  type Takeable,
  type Waiter,
} from '@quiesce/cancellation-token';
import { settleWithBudget } from '@quiesce/cancellation-token/internal';
import { ignore } from '@quiesce/internal';

type Settle = (result: unknown) => void;

let resolveNew: Settle = ignore;
let rejectNew: Settle = ignore;
/** The executor of a new promise stores its two functions here, so that no closure is made for each promise. */
function capture(resolve: Settle, reject: Settle): void {
  resolveNew = resolve;
  rejectNew = reject;
}

/**
 * A wait for the next value of a source, used again for later waits. It takes the value inside its wake-up.
 *
 * The invariants at the head of cancellation-token's source.ts hold. A source that is one list needs no second poll.
 */
export class RecvWaiter implements Waiter {
  next: object | undefined = undefined;
  prev: object | undefined = undefined;
  owner: object | undefined = undefined;
  readonly protocol: Takeable<unknown>;
  /** For async iteration: it settles with `{ done, value }`, and the end is not a failure. */
  readonly isIteration: boolean;
  /** Set while a wait is in progress. */
  resolve: Settle | undefined = undefined;
  reject: Settle = ignore;
  /** The promise as a source. Set while a wait is in progress, except for an iteration. */
  call: Call<unknown> | undefined = undefined;
  /** The signal that ends the iteration, or `undefined`. With a signal, parking may run any code. */
  readonly signal: SourceProtocol<unknown> | undefined;
  /** Set while it polls: a wake-up during the poll causes another round. */
  isPolling = false;
  /** Set before it parks, cleared by each wake-up. */
  isParked = false;
  /** The set that holds it until its wait ends, or `undefined`. */
  readonly group: Set<RecvWaiter> | undefined;

  constructor(
    protocol: Takeable<unknown>,
    isIteration: boolean,
    signal?: SourceProtocol<unknown>,
    group?: Set<RecvWaiter>,
  ) {
    this.protocol = protocol;
    this.group = group;
    this.isIteration = isIteration;
    this.signal = signal;
  }

  /** Waits behind the waiters that are already there. Call it only while no other wait is in progress. */
  start(): Promise<unknown> {
    const result = new Promise<unknown>(capture);
    this.resolve = resolveNew;
    this.reject = rejectNew;
    // Otherwise they would retain the latest promise, and with it the value, until the next wait anywhere.
    resolveNew = ignore;
    rejectNew = ignore;
    if (!this.isIteration) this.call = asSource(result, this.protocol, PENDING, this);
    if (this.signal !== undefined) this.#parkAndPoll();
    else this.protocol.park(this);
    return result;
  }

  /** Stops waiting. Its call settles the promise. */
  giveUp(call: object): Settling | undefined {
    if (this.call !== call) return undefined;
    const settling = { resolve: this.resolve ?? ignore, reject: this.reject };
    this.protocol.unpark(this);
    this.#finish(undefined, undefined);
    return settling;
  }

  wake(): void {
    this.isParked = false;
    if (this.isPolling || this.resolve === undefined || this.#pollAndSettle()) return;
    if (this.signal !== undefined) this.#parkAndPoll();
    else this.protocol.park(this);
  }

  /** Parks and polls until the wait has ended or is parked, since parking may run any code. */
  #parkAndPoll(): void {
    do {
      this.isParked = true;
      this.protocol.park(this);
      if (this.resolve === undefined) this.protocol.unpark(this);
    } while (!this.#pollAndSettle() && !this.isParked);
  }

  /** Polls, and settles if it can. Returns whether the wait has ended. */
  #pollAndSettle(): boolean {
    const { resolve } = this;
    if (resolve === undefined) return true;
    this.isPolling = this.signal !== undefined;
    try {
      const value = this.protocol.poll();
      this.isPolling = false;
      if (value === PENDING) return this.resolve === undefined;
      this.#finish(resolve, this.isIteration ? { done: false, value } : value);
    } catch (error) {
      this.isPolling = false;
      if (this.isIteration && isEndOfStream(error, this.signal)) this.endIteration();
      else this.#finish(this.reject, error);
    }
    return true;
  }

  /** Ends the wait of an iteration, which has consumed nothing. */
  endIteration(): void {
    this.protocol.unpark(this);
    this.#finish(this.resolve, { done: true, value: undefined });
  }

  #finish(settleWith: Settle | undefined, result: unknown): void {
    this.resolve = undefined;
    this.reject = ignore;
    this.call = undefined;
    if (this.isParked) this.protocol.unpark(this);
    this.group?.delete(this);
    if (settleWith !== undefined) settleWithBudget(settleWith, result);
  }
}

/** Returns whether an error is the end of the stream. The reason of a signal never is, whatever it is. */
export function isEndOfStream(error: unknown, signal: SourceProtocol<unknown> | undefined): boolean {
  return isClosedError(error) && signal?.poll() !== error;
}
