import { CancellationToken, consumeBudget, PENDING, source, type Waiter } from '@quiesce/cancellation-token';
import type { Cursor } from './cursor.ts';
import { deliver, fail } from './deliver.ts';

/** How one receive waits. */
export interface RecvOptions {
  /** Gives the receive up: it then has consumed nothing, and rejects with the reason. */
  readonly signal?: CancellationToken | AbortSignal | undefined;
}

/** What a receive takes from its cursor: a value, several, or the next result of an iteration. */
export interface Taker<R> {
  poll(): R | typeof PENDING;
  /** The receives that wait for it, if it may have to end them; each adds itself, and takes itself out when it settles. */
  readonly waiting?: Set<Waiter>;
}

/**
 * Receives at once, or waits behind those who wait already.
 *
 * @throws as a rejection: what `taker` throws; the reason, when cancelled; TypeError when the signal is none
 */
export function receive<R>(cursor: Cursor<unknown>, taker: Taker<R>, options?: RecvOptions): Promise<R> {
  try {
    const signal = options?.signal;
    const token = signal === undefined ? undefined : CancellationToken.from(signal);
    // Before the poll: a receive that is cancelled already consumes nothing.
    token?.throwIfCancelled();
    const result = cursor.isAwaited ? PENDING : taker.poll();
    return result === PENDING ? wait(cursor, taker, token) : settled(result);
  } catch (error) {
    return failed(error);
  }
}

/** Ends all receives that wait for this taker, which has no more to give. */
export function finish(cursor: Cursor<unknown>, taker: Taker<unknown>): void {
  cursor.withdraw(taker);
  for (const waiter of taker.waiting ?? []) {
    cursor.unpark(waiter);
    waiter.wake();
  }
}

function settled<R>(result: R): Promise<R> {
  const turn = consumeBudget();
  return (turn === undefined ? Promise.resolve(result) : settledAfter(turn, result)) as Promise<R>;
}

/** On its own, or each receive would pay for the closure's context. */
function settledAfter<R>(turn: Promise<void>, result: R): Promise<R> {
  return turn.then(() => result);
}

/** A failure takes its turn too, or it would come before values that were received before it. */
function failed(error: unknown): Promise<never> {
  const turn = consumeBudget();
  if (turn === undefined) return Promise.reject(error);
  return turn.then(() => {
    throw error;
  });
}

function wait<R>(cursor: Cursor<unknown>, taker: Taker<R>, token: CancellationToken | undefined): Promise<R> {
  return new Promise<R>((resolve) => {
    const waiting = new Receive(cursor, taker, resolve);
    if (token !== undefined) waiting.follow(token);
    waiting.start();
  });
}

/** A receive that waits in the list of its cursor. It takes its value inside the `send` that brings it. */
class Receive<R> implements Waiter {
  next: object | undefined = undefined;
  prev: object | undefined = undefined;
  owner: object | undefined = undefined;
  readonly taker: Taker<R>;
  readonly #cursor: Cursor<unknown>;
  /** Until it has been settled. */
  #resolve: ((result: R) => void) | undefined;
  /** Leaves the token; set while it is followed. */
  #leave: (() => void) | undefined = undefined;

  constructor(cursor: Cursor<unknown>, taker: Taker<R>, resolve: (result: R) => void) {
    this.#cursor = cursor;
    this.taker = taker;
    this.#resolve = resolve;
  }

  /** Fails when the token is cancelled: with a waiter, since a token that is disposed hands those to its parent. */
  follow(token: CancellationToken): void {
    const protocol = token[source];
    const wake = (): void => {
      const reason = protocol.poll();
      if (reason === PENDING) {
        protocol.park(gate);
        return;
      }
      this.#cursor.unpark(this);
      this.#settle(fail, reason);
    };
    const gate: Waiter = { next: undefined, prev: undefined, owner: undefined, wake };
    protocol.park(gate);
    this.#leave = (): void => protocol.unpark(gate);
    // Parking may run anything, a cancellation too.
    if (token.isCancelled && gate.owner !== undefined) wake();
  }

  start(): void {
    if (this.#resolve === undefined) return;
    this.taker.waiting?.add(this);
    if (this.#cursor.isAwaited) this.#cursor.join(this);
    else this.wake();
  }

  wake(): void {
    try {
      const result = this.taker.poll();
      if (result === PENDING) this.#cursor.park(this);
      else this.#settle(deliver, result);
    } catch (error) {
      this.#settle(fail, error);
    }
  }

  /** Lets go of everything first. */
  #settle(how: typeof deliver, result: unknown): void {
    const resolve = this.#resolve;
    this.#resolve = undefined;
    this.taker.waiting?.delete(this);
    this.#leave?.();
    this.#leave = undefined;
    if (resolve !== undefined) how(resolve, result);
  }
}
