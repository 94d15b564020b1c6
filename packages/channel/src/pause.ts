import { isClosedError, PENDING, type SourceProtocol, type Waiter } from '@quiesce/cancellation-token';
import { settle } from './settle.ts';

type Settle = (result: unknown) => void;

let resolveNew: Settle = ignore;
let rejectNew: Settle = ignore;
/** Where the executor of a new promise leaves its two functions, so that no closure is made for each. */
function capture(resolve: Settle, reject: Settle): void {
  resolveNew = resolve;
  rejectNew = reject;
}

/** A wait for the next value of a source, to be used again when it is over. It takes the value inside its wake-up. */
export class Pause implements Waiter {
  next: object | undefined = undefined;
  prev: object | undefined = undefined;
  owner: object | undefined = undefined;
  readonly protocol: SourceProtocol<unknown>;
  /** For async iteration: it settles with `{ done, value }`, and the end is no failure. */
  readonly isIteration: boolean;
  /** Set while a wait is under way. */
  resolve: Settle | undefined = undefined;
  reject: Settle = ignore;

  /** Where it is kept until its wait ends, if anywhere. */
  readonly #among: Set<Pause> | undefined;

  constructor(protocol: SourceProtocol<unknown>, isIteration: boolean, among?: Set<Pause>) {
    this.protocol = protocol;
    this.#among = among;
    this.isIteration = isIteration;
  }

  /** Waits behind those who wait already. Only while no other wait is under way. */
  start(): Promise<unknown> {
    const result = new Promise<unknown>(capture);
    this.resolve = resolveNew;
    this.reject = rejectNew;
    // Or they would keep the latest promise, and with it the value, until the next wait anywhere.
    resolveNew = ignore;
    rejectNew = ignore;
    this.protocol.park(this);
    return result;
  }

  wake(): void {
    try {
      const value = this.protocol.poll();
      if (value === PENDING) this.protocol.park(this);
      else this.#end(this.resolve, this.isIteration ? { done: false, value } : value);
    } catch (error) {
      if (this.isIteration && isClosedError(error)) this.stop();
      else this.#end(this.reject, error);
    }
  }

  /** Ends an iteration's wait, having consumed nothing. */
  stop(): void {
    this.protocol.unpark(this);
    this.#end(this.resolve, { done: true, value: undefined });
  }

  #end(by: Settle | undefined, result: unknown): void {
    this.resolve = undefined;
    this.reject = ignore;
    this.#among?.delete(this);
    if (by !== undefined) settle(by, result);
  }
}

function ignore(): void {}
