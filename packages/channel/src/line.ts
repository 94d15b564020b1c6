/**
 * A line: units in stock, and those who wait for some of them. The machine under bounded channels, `Semaphore` and `Mutex`.
 *
 * A request is a source of its own, so that it has a place in the line:
 *
 *     NEW ──park──► IN LINE ──its turn──► (its waiters poll) ──one takes──► DONE: answers the same for ever
 *      ▲               │                         │
 *      └─── unpark ────┴─────── none takes ──────┘   the turn goes to the next in line
 *
 * Invariants
 *  1. Units change hands only inside `poll`: who was woken, and then does not poll, holds nothing.
 *  2. Nobody overtakes: units are taken by whoever has the turn, else by the first in line, else by a newcomer.
 *  3. A request is in line exactly while somebody is parked on it, but for the time in which it is itself being woken.
 *  4. Outside of `wakeDue` the first in line wants more than there is, or all in line were told after the last units came
 *     and have parked again. So everything that adds units, takes the first out of the line, or joins it, calls `wakeDue`
 *     when the first is due.
 *
 * Not guaranteed: the place of a waiter that is woken and parks again without having taken anything; it stands behind.
 */

import { PENDING, type SourceProtocol, type Waiter } from '@quiesce/cancellation-token';
import { parkOn, reserveStack, unparkFrom, type WaiterItem, type WaiterList, wakeAll } from '@quiesce/internal';
import { type DueList, wakeDue } from './due.ts';

/** Whoever stands in a line. */
interface Claim extends Waiter {
  /** How many units it must get at once. */
  readonly wanted: number;
}

/** Units, and who waits for them. */
export class Line implements DueList {
  /** The first in line. */
  head: WaiterItem | undefined = undefined;
  isWaking = false;
  isAnew = false;
  /** The request whose waiters are being woken; `undefined`: none, or it has taken its units. */
  turn: Waiter | undefined = undefined;
  /** Units in stock; less than 0: so many are owed. */
  free: number;
  /** Set once: nobody gets any more. */
  isClosed = false;
  /** Called when a request has left the line without having taken anything; set by the owner of the line, if it cares. */
  left: (() => void) | undefined = undefined;

  constructor(free: number) {
    this.free = free;
  }

  /** Whether nobody waits. */
  get isEmpty(): boolean {
    return this.turn === undefined && this.head === undefined;
  }

  /** Units that a newcomer could have: those who wait have a claim to all. */
  get open(): number {
    return this.isEmpty ? Math.max(0, this.free) : 0;
  }

  isDue(first: Waiter): boolean {
    return this.isClosed || this.free >= (first as Claim).wanted;
  }

  /** Takes units for somebody who does not wait; says whether there were enough for a newcomer (invariant 2). */
  tryTake(wanted: number): boolean {
    if (this.isClosed || !this.isEmpty || this.free < wanted) return false;
    this.free -= wanted;
    return true;
  }

  /** Stands behind all others, or keeps the place. */
  join(claim: Waiter): void {
    parkOn(this, claim);
    // Somebody who was told, and has not taken (invariant 4), must not keep those asleep who come after.
    if (this.isDue(this.head as Waiter)) wakeDue(this, false);
  }

  /** Puts units back, or in. */
  give(count: number): void {
    this.free += count;
    if (this.head !== undefined) wakeDue(this);
  }

  /** The same where a lost wake-up would be a dead lock: it throws, if the stack is at its end, before anything has changed. */
  giveSafely(count: number): void {
    if (this.head !== undefined) reserveStack();
    this.give(count);
  }

  close(): void {
    if (this.head !== undefined) reserveStack();
    this.isClosed = true;
    wakeDue(this);
  }
}

/** Somebody who waits for units, as a source with one answer. */
export class Request<T> implements SourceProtocol<T>, WaiterList, Claim {
  /** The place in the line. */
  next: object | undefined = undefined;
  prev: object | undefined = undefined;
  owner: object | undefined = undefined;
  /** Who is parked on this request. */
  head: WaiterItem | undefined = undefined;
  readonly once = true;
  readonly wanted: number;
  readonly #line: Line;
  /** Makes the answer, once, when the units have been taken. */
  readonly #make: () => T;
  /** Makes the error when the line is closed. */
  readonly #refuse: () => unknown;
  /** Set once, by the poll that takes. */
  #answer: T | typeof PENDING = PENDING;

  constructor(line: Line, wanted: number, make: () => T, refuse: () => unknown) {
    this.#line = line;
    this.wanted = wanted;
    this.#make = make;
    this.#refuse = refuse;
  }

  poll(): T | typeof PENDING {
    if (this.#answer !== PENDING) return this.#answer;
    const line = this.#line;
    if (line.isClosed) throw this.#refuse();
    const first = line.turn ?? line.head;
    if ((first !== undefined && first !== this) || line.free < this.wanted) return PENDING;
    line.free -= this.wanted;
    line.turn = undefined;
    unparkFrom(line, this);
    this.#answer = this.#make();
    // Whoever waits for the same request gets the same answer.
    wakeAll(this);
    return this.#answer;
  }

  park(waiter: Waiter): void {
    parkOn(this, waiter);
    if (this.#answer === PENDING) this.#line.join(this);
  }

  unpark(waiter: Waiter): void {
    const line = this.#line;
    if (!unparkFrom(this, waiter) || this.head !== undefined || !unparkFrom(line, this)) return;
    // Invariant 4: those behind may want less.
    wakeDue(line);
    line.left?.();
  }

  /** It is this request's turn; called by the line. */
  wake(): void {
    const line = this.#line;
    line.turn = this;
    try {
      wakeAll(this);
    } finally {
      line.turn = undefined;
    }
  }
}
