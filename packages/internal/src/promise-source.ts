/**
 * A promise as a source: its one lasting reaction, and the races that wait for it. Each package that this is inlined into
 * keeps a map of its own, so a promise has at most one lasting reaction for each.
 *
 * `Promise.race` leaves a reaction behind on every promise at every call; a promise that lives long collects them all.
 * Here a promise that has lost once keeps one reaction, however often it is raced later, and the races come and go in a
 * list. Several races that see a new promise at the same time give it one each.
 *
 * Invariants
 *  1. A promise is entered into `known` when it loses a race, never before: entering costs more than a race, and most
 *     promises settle the race that they were first seen in. The reaction of that first race is then the lasting one.
 *  2. Waiters are parked only while the promise is pending as far as is known here.
 *
 * That a promise has settled is known one microtask after it was first looked at, as always in JavaScript.
 */

import { type Parked, parkOn, unparkFrom, type WaiterItem, type WaiterList, wakeAll } from './waiters.ts';

/** The public `PENDING`, which is the same in every copy. */
const PENDING: symbol = Symbol.for('quiesce.pending');

/** What is known of promises that have lost a race. */
const known: WeakMap<PromiseLike<unknown>, PromiseSource> = new WeakMap();

const WAITING = 0;
const FULFILLED = 1;
const REJECTED = 2;

export class PromiseSource implements WaiterList {
  // Plain fields: engines initialise private ones slowly.
  /** The races that wait (invariant 2). */
  head: WaiterItem | undefined = undefined;
  /** Set once, by the reaction. */
  state: typeof WAITING | typeof FULFILLED | typeof REJECTED = WAITING;
  /** The value or the error, from then on. */
  value: unknown = undefined;
  /** A promise has one value in its life. */
  get once(): true {
    return true;
  }

  /** Nothing runs when it is parked on. */
  get isQuiet(): true {
    return true;
  }

  /** Gives the promise its reaction, so that its rejection is never "unhandled". */
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
 * What calls back once, and not at once: the platform's promise itself, or one that follows what may call back inside of
 * `then`, twice, or throw.
 */
function settlingOnce(promise: PromiseLike<unknown>): PromiseLike<unknown> {
  const isPlain = promise.then === Promise.prototype.then && promise.constructor === Promise;
  return isPlain ? promise : new Promise((resolve) => resolve(promise));
}

/** What is known of a promise that has lost a race before. */
export function recallPromise(promise: PromiseLike<unknown>): PromiseSource | undefined {
  return known.get(promise);
}

/** Enters a promise that has lost (invariant 1). */
export function rememberPromise(promise: PromiseLike<unknown>, watched: PromiseSource): void {
  if (!known.has(promise)) known.set(promise, watched);
}

/** What is known of a promise, which is entered if it was not. */
export function watchPromise(promise: PromiseLike<unknown>): PromiseSource {
  const seen = recallPromise(promise);
  if (seen !== undefined) return seen;
  const watched = new PromiseSource(promise);
  known.set(promise, watched);
  return watched;
}
