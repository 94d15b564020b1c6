/**
 * A queue for permits. Bounded channels, `Semaphore`, `Mutex` and `RwLock` are built on it.
 *
 * An `Acquire` is a source of its own, so that it has a place in the queue:
 *
 *     NEW ──park──► IN THE QUEUE ──woken──► (its waiters poll) ──one takes──► DONE: keeps its answer
 *      ▲               │                            │
 *      └─── unpark ────┴───────── none takes ───────┘   the next in the queue is woken
 *
 * Invariants
 *  1. Permits change hands only inside `poll`. A waiter that is woken and does not poll holds nothing.
 *  2. Nothing overtakes. Permits go to the acquire that is being woken, else to the first in the queue, else to a new one.
 *  3. An acquire is in the queue exactly while a waiter is parked on it, except while it is being woken.
 *  4. Outside `wakeInOrder`, the first in the queue wants more permits than there are, or all in the queue were woken after
 *     the last permits came and have parked again. So everything that adds permits, or takes the first out of the queue,
 *     or joins the queue calls `wakeInOrder` when the first is ready.
 *
 * Not guaranteed: the place of a waiter that is woken and parks again without having taken anything. It goes to the end.
 */

import { PENDING, type SourceProtocol, type Waiter } from '@quiesce/cancellation-token';
import { parkOn, reserveStack, unparkFrom, type WaiterItem, type WaiterList, wakeAll } from '@quiesce/internal';
import { type OrderedWaiterList, wakeInOrder } from './wake-in-order.ts';

/** A waiter in the queue. */
interface PermitWaiter extends Waiter {
  /** The number of permits that it must get at once. */
  readonly wanted: number;
}

/** Permits, and the waiters for them. */
export class PermitQueue implements OrderedWaiterList {
  /** The first in the queue. */
  head: WaiterItem | undefined = undefined;
  isWaking = false;
  startsOver = false;
  /** The acquire whose waiters are being woken, or `undefined` when there is none or it has taken its permits. */
  woken: Waiter | undefined = undefined;
  /** Free permits. A negative number is owed. */
  free: number;
  /** Set once: no acquire gets permits any more. */
  isClosed = false;
  /** Called when an acquire has left the queue without permits. Set by the owner of the queue, if it needs to know. */
  onAbandon: (() => void) | undefined = undefined;

  constructor(free: number) {
    this.free = free;
  }

  /** Whether nothing waits. */
  get isEmpty(): boolean {
    return this.woken === undefined && this.head === undefined;
  }

  /** Permits that a new acquire could take: none while others wait. */
  get available(): number {
    return this.isEmpty ? Math.max(0, this.free) : 0;
  }

  isReadyFor(first: Waiter): boolean {
    return this.isClosed || this.free >= (first as PermitWaiter).wanted;
  }

  /** Takes permits without waiting. Returns whether there were enough for a new acquire (invariant 2). */
  tryAcquire(wanted: number): boolean {
    if (this.isClosed || !this.isEmpty || this.free < wanted) return false;
    this.free -= wanted;
    return true;
  }

  /** Adds a waiter at the end. One that is in the queue keeps its place. */
  enqueue(waiter: Waiter): void {
    parkOn(this, waiter);
    // A waiter that was woken and has not taken (invariant 4) must not keep later ones asleep.
    if (this.isReadyFor(this.head as Waiter)) wakeInOrder(this, false);
  }

  /** Gives permits back, or adds new ones. */
  release(count: number): void {
    this.free += count;
    if (this.head !== undefined) wakeInOrder(this);
  }

  /** Releases where a lost wake-up would be a deadlock: on a full stack it throws before anything has changed. */
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

/** One wait for permits, as a source with one answer. */
export class Acquire<T> implements SourceProtocol<T>, WaiterList, PermitWaiter {
  /** The place in the queue. */
  next: object | undefined = undefined;
  prev: object | undefined = undefined;
  owner: object | undefined = undefined;
  /** The waiters that are parked on this acquire. */
  head: WaiterItem | undefined = undefined;
  readonly once = true;
  readonly wanted: number;
  readonly #queue: PermitQueue;
  /** Makes the answer, once, when the permits have been taken. */
  readonly #createAnswer: () => T;
  /** Makes the error when the queue is closed. */
  readonly #createError: () => unknown;
  /** Set once, by the poll that takes the permits. */
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
    // Other waiters of this acquire get the same answer.
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
    // Invariant 4: later ones may want less.
    wakeInOrder(queue);
    queue.onAbandon?.();
  }

  /** Wakes its waiters, when it is the first in the queue and there are enough permits. Called by the queue. */
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
