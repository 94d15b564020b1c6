/**
 * The value of a `OnceCell`, and the attempts to make it.
 *
 *     NEW ──park──► WAITING ──first──► RUNNING ──fulfils──► the cell has the value: READY, for every caller
 *      ▲               │                  │ │
 *      ├───unpark──────┘                  │ └──rejects────► FAILED, for this caller only; the next attempt starts
 *      └───────────────unpark: its token is cancelled
 *
 * Invariants
 *  1. At most one function runs at a time, even after its caller has given up: `isBusy`.
 *  2. An initialization is in the list of its cell exactly while a waiter is parked on it and it neither runs nor has an
 *     answer, except while it is being woken.
 *  3. The answer of an initialization, a value or a failure, is set once.
 */

import { CancellationToken, PENDING, type SourceProtocol, type Waiter } from '@quiesce/cancellation-token';
import { parkOn, reserveStack, unparkFrom, type WaiterItem, type WaiterList, wakeAll } from '@quiesce/internal';
import { refuseUnsendable } from './settle.ts';

/** The value, and the initializations that wait for it. */
export class Cell<T> implements WaiterList {
  head: WaiterItem | undefined = undefined;
  /** Set while a function makes the value. */
  isBusy = false;
  #value: T | typeof PENDING = PENDING;

  get isInitialized(): boolean {
    return this.#value !== PENDING;
  }

  /** The value, or `PENDING`. */
  peek(): T | typeof PENDING {
    return this.#value;
  }

  get(): T | undefined {
    return this.#value === PENDING ? undefined : this.#value;
  }

  /** Sets the value, and wakes `first` before the others. */
  set(value: T, first?: Waiter): void {
    if (this.head !== undefined) reserveStack();
    this.#value = value;
    first?.wake();
    wakeAll(this);
  }

  take(): T | undefined {
    const value = this.get();
    this.#value = PENDING;
    return value;
  }

  /** Starts the function of the first in the queue, when there is no value and none is being made. */
  startNext(): void {
    const first = this.head as Initialization<T> | undefined;
    if (first === undefined || this.isBusy || this.isInitialized) return;
    unparkFrom(this, first);
    this.isBusy = true;
    first.start();
  }
}

/** One caller of `getOrInit`, as a source with one answer. */
export class Initialization<T> implements SourceProtocol<T>, WaiterList, Waiter {
  next: object | undefined = undefined;
  prev: object | undefined = undefined;
  owner: object | undefined = undefined;
  /** The waiters of this initialization. */
  head: WaiterItem | undefined = undefined;
  readonly once = true;
  readonly #cell: Cell<T>;
  readonly #init: (token: CancellationToken) => T | PromiseLike<T>;
  /** The token of the function while it runs, or `undefined` before, after, and once the caller has given up. */
  #token: CancellationToken | undefined = undefined;
  #isWaking = false;
  #answer: T | typeof PENDING = PENDING;
  #failure: { readonly error: unknown } | undefined = undefined;

  constructor(cell: Cell<T>, init: (token: CancellationToken) => T | PromiseLike<T>) {
    this.#cell = cell;
    this.#init = init;
  }

  poll(): T | typeof PENDING {
    if (this.#failure !== undefined) throw this.#failure.error;
    if (this.#answer === PENDING) this.#answer = this.#cell.peek();
    if (this.#answer !== PENDING) unparkFrom(this.#cell, this);
    return this.#answer;
  }

  park(waiter: Waiter): void {
    parkOn(this, waiter);
    if (this.#token !== undefined) return;
    // A call between its poll and this may have set the value.
    if (this.#failure !== undefined || this.#answer !== PENDING || this.#cell.isInitialized) {
      this.wake();
      return;
    }
    parkOn(this.#cell, this);
    this.#cell.startNext();
  }

  unpark(waiter: Waiter): void {
    if (!unparkFrom(this, waiter) || this.head !== undefined) return;
    unparkFrom(this.#cell, this);
    const token = this.#token;
    this.#token = undefined;
    token?.cancel();
  }

  /** Wakes its waiters. One that parks again without a poll is not woken again. */
  wake(): void {
    if (this.#isWaking) return;
    this.#isWaking = true;
    wakeAll(this);
    this.#isWaking = false;
  }

  /** Starts the function. Called by the cell, which is busy from now on. */
  start(): void {
    const token = new CancellationToken({ name: 'getOrInit' });
    this.#token = token;
    const run = async (): Promise<T> => {
      const value = await this.#init(token);
      refuseUnsendable(value, 'getOrInit');
      return value;
    };
    run().then(
      (value) => {
        this.#finish(token);
        this.#cell.set(value, this);
      },
      (error: unknown) => {
        if (this.#finish(token)) this.#failure = { error };
        this.wake();
        this.#cell.startNext();
      },
    );
  }

  /** Ends the run of the function. Returns whether its caller still waits for it. */
  #finish(token: CancellationToken): boolean {
    const isAwaited = this.#token === token;
    if (isAwaited) this.#token = undefined;
    this.#cell.isBusy = false;
    token.dispose();
    return isAwaited;
  }
}
