/**
 * A promise as a source: its one lasting reaction, and the waiters of the races that use it. Each package that inlines this
 * file keeps a map of its own, so a promise has at most one lasting reaction per package.
 *
 * `Promise.race` leaves a reaction on every promise at every call, which accumulate on a long-lived promise. Here a promise
 * that has lost once keeps one reaction, and later races only add and remove waiters in a list. Races that see a new promise at
 * the same time add one reaction each.
 *
 * Invariants
 *  1. A promise is added to `sources` when it loses a race, never before: adding costs more than a race, and most promises
 *     settle the race that they first appear in. The reaction of that first race then becomes the lasting one.
 *  2. Waiters are parked only while the promise is pending as far as is known here.
 *
 * A settled promise is detected one microtask after its reaction was added, as always in JavaScript.
 */

import { PENDING } from './symbols.ts';
import { type Parked, parkOn, unparkFrom, type WaiterItem, type WaiterList, wakeAll } from './waiters.ts';

/** The sources of promises that have lost a race. */
const sources: WeakMap<PromiseLike<unknown>, PromiseSource> = new WeakMap();

const WAITING = 0;
const FULFILLED = 1;
const REJECTED = 2;

export class PromiseSource implements WaiterList {
  // Plain fields: engines initialize private ones slowly.
  /** The races that wait (invariant 2). */
  head: WaiterItem | undefined = undefined;
  /** Set once, by the reaction. */
  state: typeof WAITING | typeof FULFILLED | typeof REJECTED = WAITING;
  /** The value or the error, once settled. */
  value: unknown = undefined;
  /** A promise has a single value. */
  get once(): true {
    return true;
  }

  /** Parking on it runs no other code. */
  get isQuiet(): true {
    return true;
  }

  /** Adds a reaction to the promise, so that its rejection is never "unhandled". */
  constructor(promise: PromiseLike<unknown>) {
    const onValue = (value: unknown): void => this.settle(FULFILLED, value);
    const onError = (error: unknown): void => this.settle(REJECTED, error);
    settlingOnce(promise).then(onValue, onError);
  }

  get isSettled(): boolean {
    return this.state !== WAITING;
  }

  poll(): unknown {
    if (this.state === WAITING) return PENDING;
    if (this.state === REJECTED) throw this.value;
    return this.value;
  }

  park(waiter: Parked): void {
    parkOn(this, waiter);
  }

  unpark(waiter: Parked): void {
    unparkFrom(this, waiter);
  }

  settle(state: typeof FULFILLED | typeof REJECTED, value: unknown): void {
    this.state = state;
    this.value = value;
    wakeAll(this);
  }
}

/**
 * Returns a promise that calls back once and asynchronously: the platform's promise itself, or one that follows a thenable
 * which may call back synchronously, twice, or throw.
 */
function settlingOnce(promise: PromiseLike<unknown>): PromiseLike<unknown> {
  const isPlain = promise.then === Promise.prototype.then && promise.constructor === Promise;
  return isPlain ? promise : new Promise((resolve) => resolve(promise));
}

/** Returns the source of a promise that has lost a race before; `undefined`: there is none. */
export function recallPromise(promise: PromiseLike<unknown>): PromiseSource | undefined {
  return sources.get(promise);
}

/** Adds a promise that has lost (invariant 1). */
export function rememberPromise(promise: PromiseLike<unknown>, source: PromiseSource): void {
  if (!sources.has(promise)) sources.set(promise, source);
}

/** Returns the source of a promise, and adds it if there is none. */
export function watchPromise(promise: PromiseLike<unknown>): PromiseSource {
  const existing = recallPromise(promise);
  if (existing !== undefined) return existing;
  const source = new PromiseSource(promise);
  sources.set(promise, source);
  return source;
}
