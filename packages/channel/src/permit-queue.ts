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
 *  2. Nobody overtakes: units are taken by whoever has the turn, else by the first in queue, else by a newcomer.
 *  3. A request is in line exactly while somebody is parked on it, but for the time in which it is itself being woken.
 *  4. Outside of `wakeInOrder` the first in line wants more than there is, or all in line were told after the last units came
 *     and have parked again. So everything that adds units, takes the first out of the queue, or joins it, calls `wakeInOrder`
 *     when the first is due.
 *
 * Not guaranteed: the place of a waiter that is woken and parks again without having taken anything; it stands behind.
 */

import { PENDING, type SourceProtocol, type Waiter } from '@quiesce/cancellation-token';
import { parkOn, reserveStack, unparkFrom, type WaiterItem, type WaiterList, wakeAll } from '@quiesce/internal';
import { type OrderedWaiterList, wakeInOrder } from './wake-in-order.ts';

/** Whoever stands in a queue. */
interface PermitWaiter extends Waiter {
  /** How many units it must get at once. */
  readonly wanted: number;
}

/** Units, and who waits for them. */
export class PermitQueue implements OrderedWaiterList {
  /** The first in queue. */
  head: WaiterItem | undefined = undefined;
  isWaking = false;
  startsOver = false;
  /** The request whose waiters are being woken; `undefined`: none, or it has taken its units. */
  woken: Waiter | undefined = undefined;
  /** Units in stock; less than 0: so many are owed. */
  free: number;
  /** Set once: nobody gets any more. */
  isClosed = false;
  /** Called when a request has left the line without having taken anything; set by the owner of the queue, if it cares. */
  onAbandon: (() => void) | undefined = undefined;

  constructor(free: number) {
    this.free = free;
  }

  /** Whether nobody waits. */
  get isEmpty(): boolean {
    return this.woken === undefined && this.head === undefined;
  }

  /** Units that a newcomer could have: those who wait have a waiter to all. */
  get available(): number {
    return this.isEmpty ? Math.max(0, this.free) : 0;
  }

  isReadyFor(first: Waiter): boolean {
    return this.isClosed || this.free >= (first as PermitWaiter).wanted;
  }

  /** Takes units for somebody who does not wait; says whether there were enough for a newcomer (invariant 2). */
  tryAcquire(wanted: number): boolean {
    if (this.isClosed || !this.isEmpty || this.free < wanted) return false;
    this.free -= wanted;
    return true;
  }

  /** Stands behind all others, or keeps the place. */
  enqueue(waiter: Waiter): void {
    parkOn(this, waiter);
    // Somebody who was told, and has not taken (invariant 4), must not keep those asleep who come after.
    if (this.isReadyFor(this.head as Waiter)) wakeInOrder(this, false);
  }

  /** Puts units back, or in. */
  release(count: number): void {
    this.free += count;
    if (this.head !== undefined) wakeInOrder(this);
  }

  /** The same where a lost wake-up would be a dead lock: it throws, if the stack is at its end, before anything has changed. */
  releaseSafely(count: number): void {
    if (this.head !== undefined) reserveStack();
    this.release(count);
  }

  close(): void {
    if (this.head !== undefined) reserveStack();
    this.isClosed = true;
    wakeInOrder(this);
  }
}

/** Somebody who waits for units, as a source with one answer. */
export class Acquire<T> implements SourceProtocol<T>, WaiterList, PermitWaiter {
  /** The place in the queue. */
  next: object | undefined = undefined;
  prev: object | undefined = undefined;
  owner: object | undefined = undefined;
  /** Who is parked on this request. */
  head: WaiterItem | undefined = undefined;
  readonly once = true;
  readonly wanted: number;
  readonly #queue: PermitQueue;
  /** Makes the answer, once, when the units have been taken. */
  readonly #createAnswer: () => T;
  /** Makes the error when the line is closed. */
  readonly #createError: () => unknown;
  /** Set once, by the poll that takes. */
  #answer: T | typeof PENDING = PENDING;

  constructor(queue: PermitQueue, wanted: number, createAnswer: () => T, createError: () => unknown) {
    this.#queue = queue;
    this.wanted = wanted;
    this.#createAnswer = createAnswer;
    this.#createError = createError;
  }

  poll(): T | typeof PENDING {
    if (this.#answer !== PENDING) return this.#answer;
    const queue = this.#queue;
    if (queue.isClosed) throw this.#createError();
    const first = queue.woken ?? queue.head;
    if ((first !== undefined && first !== this) || queue.free < this.wanted) return PENDING;
    queue.free -= this.wanted;
    queue.woken = undefined;
    unparkFrom(queue, this);
    this.#answer = this.#createAnswer();
    // Whoever waits for the same request gets the same answer.
    wakeAll(this);
    return this.#answer;
  }

  park(waiter: Waiter): void {
    parkOn(this, waiter);
    if (this.#answer === PENDING) this.#queue.enqueue(this);
  }

  unpark(waiter: Waiter): void {
    const queue = this.#queue;
    if (!unparkFrom(this, waiter) || this.head !== undefined || !unparkFrom(queue, this)) return;
    // Invariant 4: those behind may want less.
    wakeInOrder(queue);
    queue.onAbandon?.();
  }

  /** It is this request's turn; called by the queue. */
  wake(): void {
    const queue = this.#queue;
    queue.woken = this;
    try {
      wakeAll(this);
    } finally {
      queue.woken = undefined;
    }
  }
}
