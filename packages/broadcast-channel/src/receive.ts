import {
  asFailingSource,
  asSource,
  type Call,
  CancellationToken,
  PENDING,
  type Settling,
  type SourcePromise,
  type SourceProtocol,
  source,
  type Takeable,
  type Waiter,
  waiter,
} from '@quiesce/cancellation-token';
import { settleWithBudget } from '@quiesce/cancellation-token/internal';
import { checkOptions, Pair } from '@quiesce/internal';
import type { Cursor } from './cursor.ts';
import { failed, fulfilled, settleFailed } from './settle.ts';

/** Options for one receive. */
export interface BroadcastRecvOptions {
  /** Gives up the receive. It then has consumed nothing, and rejects with the reason. */
  readonly signal?: CancellationToken | AbortSignal | undefined;
}

/** Takes the result of a receive from its cursor: a value, several, or the next result of an iteration. */
export interface ReceiveStrategy<R> {
  poll(): R | typeof PENDING;
  /** The receives that wait, if the strategy may have to end them. Each adds itself, and removes itself when it settles. */
  readonly waiting?: Set<Waiter>;
}

/** A strategy whose receive can also be a branch. */
export interface SelectableStrategy<R> extends ReceiveStrategy<R>, Takeable<R> {}

/**
 * Receives now, or waits behind the receives that wait already.
 *
 * @throws as a rejection: the error of `strategy`; the reason, when cancelled; TypeError when `signal` is not a signal
 */
export function receive<R>(
  cursor: Cursor<unknown>,
  strategy: SelectableStrategy<R>,
  options?: BroadcastRecvOptions,
  call = 'recv',
): SourcePromise<R> {
  let protocol: Takeable<R> = strategy;
  let result: R | typeof PENDING;
  let token: CancellationToken | undefined;
  try {
    checkOptions(call, options, ['signal']);
    if (options?.signal !== undefined) {
      token = CancellationToken.from(options.signal, `${call}: signal`);
      protocol = new CancellableStrategy(strategy, token[source]);
      // Before the poll: a receive that is already cancelled consumes nothing.
      token.throwIfCancelled();
    }
    result = cursor.isAwaited ? PENDING : strategy.poll();
  } catch (error) {
    return asFailingSource(failed(error), protocol, error);
  }
  if (result === PENDING) return startReceive(cursor, strategy, token, protocol) as SourcePromise<R>;
  const promise = fulfilled(result);
  asSource(promise, protocol, result, cursor.position - 1);
  return promise as SourcePromise<R>;
}

/** Receives for a `next()`, which cannot be a branch. */
export function receiveNext<R>(
  cursor: Cursor<unknown>,
  strategy: ReceiveStrategy<R>,
  token: CancellationToken | undefined,
): Promise<R> {
  try {
    token?.throwIfCancelled();
    const result = cursor.isAwaited ? PENDING : strategy.poll();
    return result === PENDING ? startReceive(cursor, strategy, token) : fulfilled(result);
  } catch (error) {
    return failed(error);
  }
}

/** Polls a strategy unless its signal is cancelled. */
class CancellableStrategy<R> implements Takeable<R> {
  readonly #strategy: Takeable<R>;
  readonly #token: SourceProtocol<unknown>;
  readonly #parking: Pair;

  constructor(strategy: Takeable<R>, token: SourceProtocol<unknown>) {
    this.#strategy = strategy;
    this.#token = token;
    this.#parking = new Pair(token, strategy);
  }

  poll(): R | typeof PENDING {
    const reason = this.#token.poll();
    if (reason !== PENDING) throw reason;
    return this.#strategy.poll();
  }

  putBack(value: R | undefined, error: unknown, mark: number): boolean {
    return this.#strategy.putBack?.(value, error, mark) === true;
  }

  park(waiter: Waiter): void {
    this.#parking.park(waiter);
  }

  unpark(waiter: Waiter): void {
    this.#parking.unpark(waiter);
  }
}

/** Ends all receives that wait for this strategy, which has nothing more to give. */
export function endReceives(cursor: Cursor<unknown>, strategy: ReceiveStrategy<unknown>): void {
  cursor.endIterator(strategy);
  for (const waiter of strategy.waiting ?? []) {
    cursor.unpark(waiter);
    waiter.wake();
  }
}

function startReceive<R>(
  cursor: Cursor<unknown>,
  strategy: ReceiveStrategy<R>,
  token: CancellationToken | undefined,
  protocol?: Takeable<R>,
): Promise<R> {
  const waiting = new PendingReceive(cursor, strategy);
  if (protocol !== undefined) waiting.call = asSource(waiting.promise, protocol, PENDING, waiting);
  if (token !== undefined) waiting.follow(token);
  waiting.start();
  return waiting.promise;
}

/**
 * A receive that waits in the list of its cursor. It takes its value inside the `send`. It is a wait: the invariants at the
 * head of cancellation-token's source.ts hold.
 */
class PendingReceive<R> implements Waiter {
  next: object | undefined = undefined;
  prev: object | undefined = undefined;
  owner: object | undefined = undefined;
  readonly promise: Promise<R>;
  /** The promise as a source, or `undefined` when it cannot be a branch. */
  call: Call<R> | undefined = undefined;
  readonly #strategy: ReceiveStrategy<R>;
  readonly #cursor: Cursor<unknown>;
  /** Settles the promise, or `undefined` after that. */
  #resolve: ((result: R) => void) | undefined;
  /** Unparks from the token. Set while the receive follows one. */
  #unfollow: (() => void) | undefined = undefined;
  /** Set while it polls, which may run user code. */
  #isPolling = false;
  /** Set when the token is cancelled during a poll, with the reason. */
  #cancellation: { readonly reason: unknown } | undefined = undefined;

  constructor(cursor: Cursor<unknown>, strategy: ReceiveStrategy<R>) {
    this.#cursor = cursor;
    this.#strategy = strategy;
    this.promise = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  /** Rejects when the token is cancelled. It parks a waiter, since a disposed token hands its waiters to its parent. */
  follow(token: CancellationToken): void {
    const protocol = token[source];
    const wake = (): void => {
      const reason = protocol.poll();
      if (reason === PENDING) protocol.park(gate);
      // A value that is being taken wins over the cancellation.
      else if (this.#isPolling) this.#cancellation = { reason };
      else this.#fail(reason);
    };
    const gate = waiter(wake);
    this.#unfollow = (): void => protocol.unpark(gate);
    protocol.park(gate);
    // Parking may run any code, which may cancel the token.
    if (this.#resolve !== undefined && protocol.poll() !== PENDING) wake();
    if (this.#resolve === undefined) protocol.unpark(gate);
  }

  start(): void {
    if (this.#resolve === undefined) return;
    this.#strategy.waiting?.add(this);
    if (this.#cursor.isAwaited) this.#cursor.parkBehind(this);
    else this.wake();
  }

  wake(): void {
    if (this.#isPolling || this.#resolve === undefined) return;
    this.#isPolling = true;
    try {
      const result = this.#strategy.poll();
      if (result !== PENDING) this.#succeed(result);
      else if (this.#cancellation !== undefined) this.#fail(this.#cancellation.reason);
      else if (this.#resolve !== undefined) this.#cursor.park(this);
    } catch (error) {
      this.#fail(error);
    }
    this.#isPolling = false;
  }

  /** Stops waiting. Its call settles the promise. */
  giveUp(): Settling {
    const resolve = this.#end() as (result: unknown) => void;
    return { resolve, reject: (error) => resolve(Promise.reject(error)) };
  }

  #succeed(result: R): void {
    const resolve = this.#end();
    this.call?.settled(result, this.#cursor.position - 1);
    if (resolve !== undefined) settleWithBudget(resolve, result);
  }

  #fail(error: unknown): void {
    const resolve = this.#end();
    this.call?.failed(error);
    if (resolve !== undefined) settleFailed(resolve, error);
  }

  /** Releases everything. Returns the function that settles the promise, the first time. */
  #end(): ((result: R) => void) | undefined {
    const resolve = this.#resolve;
    this.#resolve = undefined;
    this.#cursor.unpark(this);
    this.#strategy.waiting?.delete(this);
    this.#unfollow?.();
    this.#unfollow = undefined;
    return resolve;
  }
}
