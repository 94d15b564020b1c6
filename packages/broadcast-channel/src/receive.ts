import {
  type CancellationToken,
  consumeBudget,
  isClosedError,
  PENDING,
  source,
  type Waiter,
} from '@quiesce/cancellation-token';
import { LaggedError } from './errors.ts';
import type { Cursor } from './ring.ts';
import type { OnLag } from './values.ts';

type Settle = (result: never) => void;

/** Where the executor of a new promise leaves its two functions, so that no closure is made for each. */
let resolveNew: Settle = ignore;
let rejectNew: Settle = ignore;
function capture(resolve: Settle, reject: Settle): void {
  resolveNew = resolve;
  rejectNew = reject;
}

/**
 * One receive that may have to wait, to be used again when it is over.
 *
 * It takes its value inside the `send` that brings it, where Tokio's woken receiver polls later and may find that it
 * has lagged meanwhile.
 */
export class Receive<T> implements Waiter {
  next: object | undefined = undefined;
  prev: object | undefined = undefined;
  owner: object | undefined = undefined;
  readonly #cursor: Cursor<T>;
  /** For async iteration: it settles with `{ done, value }`, the end is no failure, and a lag is what this says. */
  readonly #onLag: OnLag | undefined;
  /** Set while a receive is under way. */
  #resolve: Settle | undefined = undefined;
  #reject: Settle = ignore;
  /** Leaves the receive's token, while it waits. */
  #leave: (() => void) | undefined = undefined;

  constructor(cursor: Cursor<T>, onLag?: OnLag) {
    this.#cursor = cursor;
    this.#onLag = onLag;
  }

  get isIdle(): boolean {
    return this.#resolve === undefined;
  }

  /** Receives at once, or waits behind those who wait already. Only while idle. */
  start(token?: CancellationToken): Promise<unknown> {
    const result = new Promise<unknown>(capture as never);
    this.#resolve = resolveNew;
    this.#reject = rejectNew;
    // Or they would keep the latest promise, and with it the value, until the next receive anywhere.
    resolveNew = ignore;
    rejectNew = ignore;
    if (token?.isCancelled) {
      // Before the poll: a receive that is cancelled already consumes nothing.
      this.#fail(token.reason);
    } else {
      if (this.#cursor.head === undefined) this.wake();
      else this.#cursor.park(this);
      if (token !== undefined && this.owner !== undefined) this.#follow(token);
    }
    return result;
  }

  /** Waits for the token as well, with a waiter: one that is disposed hands its waiters to its parent. */
  #follow(token: CancellationToken): void {
    const protocol = token[source];
    const wake = (): void => {
      const reason = protocol.poll();
      if (reason === PENDING) {
        protocol.park(gate);
        return;
      }
      this.#cursor.unpark(this);
      this.#fail(reason);
    };
    const gate: Waiter = { next: undefined, prev: undefined, owner: undefined, wake };
    protocol.park(gate);
    this.#leave = (): void => protocol.unpark(gate);
  }

  wake(): void {
    try {
      const value = this.#cursor.poll();
      if (value === PENDING) this.#cursor.park(this);
      else this.#settle(this.#onLag === undefined ? value : { done: false, value });
    } catch (error) {
      this.#failed(error);
    }
  }

  /** There is something else than a value, which an iteration may go on after. */
  #failed(error: unknown): void {
    const onLag = this.#onLag;
    if (onLag !== undefined && isClosedError(error)) {
      this.#settle({ done: true, value: undefined });
      return;
    }
    if (onLag === undefined || onLag === 'throw' || !(error instanceof LaggedError)) {
      this.#fail(error);
      return;
    }
    try {
      if (typeof onLag === 'function') onLag(error.missed);
    } catch (own) {
      this.#fail(own);
    }
    // The callback may have ended the iteration.
    if (!this.isIdle) this.wake();
  }

  /** Ends an iteration's wait, having consumed nothing. */
  stop(): void {
    this.#cursor.unpark(this);
    this.#settle({ done: true, value: undefined });
  }

  #settle(result: unknown): void {
    const resolve = this.#resolve as Settle | undefined;
    this.#clear();
    const turn = consumeBudget();
    if (turn === undefined) resolve?.(result as never);
    else void turn.then(() => resolve?.(result as never));
  }

  #fail(error: unknown): void {
    const reject = this.#reject;
    this.#clear();
    // A failure takes its turn too, or it would come before values that were received before it.
    const turn = consumeBudget();
    if (turn === undefined) reject(error as never);
    else void turn.then(() => reject(error as never));
  }

  /** Lets go of everything that belonged to this receive. */
  #clear(): void {
    this.#resolve = undefined;
    this.#reject = ignore;
    this.#leave?.();
    this.#leave = undefined;
  }
}

function ignore(): void {}
