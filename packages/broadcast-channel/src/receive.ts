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
} from '@quiesce/cancellation-token';
import { checkOptions, Pair } from '@quiesce/internal';
import type { Cursor } from './cursor.ts';
import { failed, fulfilled, settle, settleFailed } from './settle.ts';

/** How one receive waits. */
export interface BroadcastRecvOptions {
  /** Gives the receive up: it then has consumed nothing, and rejects with the reason. */
  readonly signal?: CancellationToken | AbortSignal | undefined;
}

/** What a receive takes from its cursor: a value, several, or the next result of an iteration. */
export interface ReceiveStrategy<R> {
  poll(): R | typeof PENDING;
  /** The receives that wait for it, if it may have to end them; each adds itself, and takes itself out when it settles. */
  readonly waiting?: Set<Waiter>;
}

/** The same, where it can be a branch as well. */
export interface SelectableStrategy<R> extends ReceiveStrategy<R>, Takeable<R> {}

/**
 * Receives at once, or waits behind those who wait already.
 *
 * @throws as a rejection: what `strategy` throws; the reason, when cancelled; TypeError when the signal is none
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
      // Before the poll: a receive that is cancelled already consumes nothing.
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

/** The same for what is no branch. */
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

/** Polls a receive unless its signal is cancelled. */
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

/** Ends all receives that wait for this strategy, which has no more to give. */
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
 * A receive that waits in the list of its cursor. It takes its value inside the `send` that brings it. It is a wait: the
 * invariants at the head of cancellation-token's source.ts hold.
 */
class PendingReceive<R> implements Waiter {
  next: object | undefined = undefined;
  prev: object | undefined = undefined;
  owner: object | undefined = undefined;
  readonly promise: Promise<R>;
  /** Set if it can be a branch. */
  call: Call<R> | undefined = undefined;
  readonly #strategy: ReceiveStrategy<R>;
  readonly #cursor: Cursor<unknown>;
  /** Until it has been settled. */
  #resolve: ((result: R) => void) | undefined;
  /** Leaves the token; set while it is followed. */
  #unfollow: (() => void) | undefined = undefined;
  /** Set while it polls, which may run a function of the user's. */
  #isPolling = false;
  /** The token was cancelled meanwhile, with this reason. */
  #cancellation: { readonly reason: unknown } | undefined = undefined;

  constructor(cursor: Cursor<unknown>, strategy: ReceiveStrategy<R>) {
    this.#cursor = cursor;
    this.#strategy = strategy;
    this.promise = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  /** Fails when the token is cancelled: with a waiter, since a token that is disposed hands those to its parent. */
  follow(token: CancellationToken): void {
    const protocol = token[source];
    const wake = (): void => {
      const reason = protocol.poll();
      if (reason === PENDING) protocol.park(waiter);
      // A value that is being taken goes first.
      else if (this.#isPolling) this.#cancellation = { reason };
      else this.#fail(reason);
    };
    const waiter: Waiter = { next: undefined, prev: undefined, owner: undefined, wake };
    this.#unfollow = (): void => protocol.unpark(waiter);
    protocol.park(waiter);
    // Parking may run anything, a cancellation too.
    if (this.#resolve !== undefined && protocol.poll() !== PENDING) wake();
    if (this.#resolve === undefined) protocol.unpark(waiter);
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

  /** Waits no longer; its call settles the promise. */
  giveUp(): Settling {
    const resolve = this.#end() as (result: unknown) => void;
    return { resolve, reject: (error) => resolve(Promise.reject(error)) };
  }

  #succeed(result: R): void {
    const resolve = this.#end();
    this.call?.settled(result, this.#cursor.position - 1);
    if (resolve !== undefined) settle(resolve, result);
  }

  #fail(error: unknown): void {
    const resolve = this.#end();
    this.call?.failed(error);
    if (resolve !== undefined) settleFailed(resolve, error);
  }

  /** Lets go of everything. Returns what settles it, the first time. */
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
