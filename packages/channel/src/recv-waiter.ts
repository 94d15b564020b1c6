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
import { ignore } from '@quiesce/internal';
import { settle } from './settle.ts';

type Settle = (result: unknown) => void;

let resolveNew: Settle = ignore;
let rejectNew: Settle = ignore;
/** Where the executor of a new promise leaves its two functions, so that no closure is made for each. */
function capture(resolve: Settle, reject: Settle): void {
  resolveNew = resolve;
  rejectNew = reject;
}

/**
 * A wait for the next value of a source, to be used again when it is over. It takes the value inside its wake-up.
 *
 * The invariants at the head of cancellation-token's source.ts hold. A source that is one list needs no second poll.
 */
export class RecvWaiter implements Waiter {
  next: object | undefined = undefined;
  prev: object | undefined = undefined;
  owner: object | undefined = undefined;
  readonly protocol: Takeable<unknown>;
  /** For async iteration: it settles with `{ done, value }`, and the end is no failure. */
  readonly isIteration: boolean;
  /** Set while a wait is under way. */
  resolve: Settle | undefined = undefined;
  reject: Settle = ignore;
  /** What its promise is as a source; set while a wait is under way that is no iteration's. */
  call: Call<unknown> | undefined = undefined;
  /** The signal that ends the iteration, if one does. Then parking may run anything. */
  readonly signal: SourceProtocol<unknown> | undefined;
  /** Set while it polls: a wake-up then asks for another round. */
  isPolling = false;
  /** Set before it parks, cleared by each wake-up. */
  isParked = false;
  /** Where it is kept until its wait ends, if anywhere. */
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

  /** Waits behind those who wait already. Only while no other wait is under way. */
  start(): Promise<unknown> {
    const result = new Promise<unknown>(capture);
    this.resolve = resolveNew;
    this.reject = rejectNew;
    // Or they would keep the latest promise, and with it the value, until the next wait anywhere.
    resolveNew = ignore;
    rejectNew = ignore;
    if (!this.isIteration) this.call = asSource(result, this.protocol, PENDING, this);
    if (this.signal !== undefined) this.#parkAndPoll();
    else this.protocol.park(this);
    return result;
  }

  /** Waits no longer; the promise stays as it is, for its call to settle. */
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

  /** Parks where that may run anything. */
  #parkAndPoll(): void {
    do {
      this.isParked = true;
      this.protocol.park(this);
      if (this.resolve === undefined) this.protocol.unpark(this);
    } while (!this.#pollAndSettle() && !this.isParked);
  }

  /** Polls, and says whether the wait is over. */
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

  /** Ends an iteration's wait, having consumed nothing. */
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
    if (settleWith !== undefined) settle(settleWith, result);
  }
}

/** Whether an error says that the stream has ended. The reason of a signal does not, whatever it is. */
export function isEndOfStream(error: unknown, signal: SourceProtocol<unknown> | undefined): boolean {
  return isClosedError(error) && signal?.poll() !== error;
}
