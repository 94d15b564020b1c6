/**
 * A receiver's place in the ring, as a source.
 *
 * Who waits on it waits in its slot or in its list. The slot is for what nearly every receiver does: one receive without
 * a signal at a time. It needs no waiter, and is served without asking anybody.
 *
 *     nobody ──recv()──► slot ──another──► slot + list ──send──► list ──send──► nobody
 *
 * Invariants
 *  1. Who is in the slot came before all in the list: it is taken only while both are empty.
 *  2. While it wakes its list, it is in a queue as soon as somebody parks: so what is sent or joins meanwhile has all told
 *     again, after this (invariant 6 of the ring).
 *  3. Woken in order, until there is nothing left to poll; who parks again meanwhile is not woken again by the same send,
 *     unless a newcomer would have to sleep behind it beside a value, or after the end.
 */

import {
  asSource,
  type Call,
  ClosedError,
  PENDING,
  reportUncaught,
  type Settling,
  type SourcePromise,
  type Takeable,
  type Waiter,
} from '@quiesce/cancellation-token';
import { parkOn, unparkFrom, type WaiterItem, type WaiterList, wakeAll } from '@quiesce/internal';
import { deliver, fail, type Resolve } from './deliver.ts';
import { LaggedError } from './errors.ts';
import { dequeue, enqueue, NOWHERE, type Ring, read, readMany, tell, unread, wakeTold } from './ring.ts';

export class Cursor<T> implements Takeable<T>, WaiterList {
  /** The list: who is parked here, in order. */
  head: WaiterItem | undefined = undefined;
  readonly ring: Ring<T>;
  /** The position of the next value to read; set to the tail at birth, so that it sees what is sent afterwards. */
  position: number;
  /** Its index in the queue that it is in; the ring's to write. */
  place: number = NOWHERE;
  /** The slot: settles the receive that waits in it; `undefined`: nobody does. */
  resolve: Resolve | undefined = undefined;
  /**
   * Whose `next()` waits in the slot, or did last; `undefined`: a plain receive does. It stays until another one waits, or
   * until the iterator has ended, since a write for each value costs 4 %.
   */
  iterator: object | undefined = undefined;
  /** What the promise of a plain receive is as a source; set while it waits in the slot. */
  call: Call<T> | undefined = undefined;
  /** The position after the latest lag, to undo that. */
  #laggedTo = -1;
  /** Set once, by `leave`. */
  isClosed = false;

  constructor(ring: Ring<T>) {
    this.ring = ring;
    this.position = ring.tail;
    ring.receivers++;
  }

  /** Whether somebody waits, behind whom others have to go. */
  get isAwaited(): boolean {
    return this.resolve !== undefined || this.head !== undefined;
  }

  /** Whether there is nothing to read now. */
  get isEmpty(): boolean {
    return this.position === this.ring.tail;
  }

  /** Whether nothing is to come any more. */
  get isEnded(): boolean {
    return this.isClosed || (this.ring.senders === 0 && this.isEmpty);
  }

  /** Whether the slot can be taken: there is nothing to read, there may be later, and nobody waits. */
  get isFree(): boolean {
    return this.isEmpty && !this.isAwaited && this.ring.senders > 0 && !this.isClosed;
  }

  /** A plain receive waits in the slot, which is free. */
  recv(): SourcePromise<T> {
    if (this.iterator !== undefined) this.iterator = undefined;
    enqueue(this.ring, this);
    const promise = new Promise<T>((resolve) => {
      this.resolve = resolve;
    });
    // Its value will be the next one: nothing goes before it.
    this.call = asSource<T>(promise, this, this.position as never, this);
    return promise as SourcePromise<T>;
  }

  /** The plain receive in the slot waits no longer; its call settles the promise. */
  giveUp(call: object): Settling | undefined {
    if (this.call !== call) return undefined;
    const resolve = this.resolve as (result: unknown) => void;
    this.resolve = undefined;
    this.call = undefined;
    this.#rest();
    return { resolve, reject: (error) => resolve(Promise.reject(error)) };
  }

  /** Waits in the slot, which is free. */
  next<R>(iterator?: object): Promise<R> {
    if (this.iterator !== iterator) this.iterator = iterator;
    enqueue(this.ring, this);
    return new Promise((resolve) => {
      this.resolve = resolve;
    });
  }

  /** Says how many values were missed since it was last asked, and goes on at the oldest kept. */
  catchUp(): number {
    const missed = this.ring.tail - this.ring.size - this.position;
    if (missed <= 0) return 0;
    this.position += missed;
    return missed;
  }

  /** Reads the next value, which there is. */
  take(): T {
    const value = read(this.ring, this.position);
    this.position++;
    return value;
  }

  poll(): T | typeof PENDING {
    return this.#isReady() ? this.take() : PENDING;
  }

  /** What is there, up to `limit` values. */
  pollMany(limit: number): T[] | typeof PENDING {
    if (!this.#isReady()) return PENDING;
    const { ring, position } = this;
    const count = Math.min(limit, ring.tail - position);
    this.position = position + count;
    return readMany(ring, position, count);
  }

  putBack(value: T | undefined, error: unknown, position: number): boolean {
    if (error === undefined) return this.putBackMany([value as T], position);
    if (error instanceof LaggedError) {
      if (this.position !== this.#laggedTo) return false;
      this.position -= error.missed;
      this.#wakeWaiting();
    }
    return true;
  }

  /** Undoes the reading of values, the first of which stood at `position`, unless one of them is no longer kept. */
  putBackMany(values: readonly T[], position: number): boolean {
    if (this.isClosed || this.position !== position + values.length) return false;
    if (position < this.ring.tail - this.ring.size) return false;
    unread(this.ring, position, values);
    this.position = position;
    this.#wakeWaiting();
    return true;
  }

  park(waiter: Waiter): void {
    parkOn(this, waiter);
    this.#await();
  }

  unpark(waiter: Waiter): void {
    if (unparkFrom(this, waiter)) this.#rest();
  }

  /** An iterator has ended: so does its receive in the slot. */
  withdraw(iterator: object): void {
    if (this.iterator !== iterator) return;
    this.iterator = undefined;
    const resolve = this.resolve;
    if (resolve === undefined) return;
    this.resolve = undefined;
    this.#rest();
    deliver(resolve, { done: true, value: undefined });
  }

  /** Serves the slot, and has the list woken afterwards. It is in no queue. */
  wake(): void {
    const resolve = this.resolve;
    if (resolve !== undefined) {
      if (!this.isEmpty) {
        // Kept, by invariant 5 of the ring.
        const value = this.take();
        this.resolve = undefined;
        if (this.call !== undefined) this.call = undefined;
        deliver(resolve, this.iterator === undefined ? value : { done: false, value });
      } else if (this.isEnded) this.#end(resolve);
    }
    // What was settled may have run a getter, which may do anything.
    if (this.place !== NOWHERE) return;
    if (this.resolve !== undefined) enqueue(this.ring, this);
    else if (this.head !== undefined) tell(this.ring, this);
  }

  /** Wakes the list (invariant 3). It is in no queue. */
  wakeList(): void {
    // The first that parked again instead of taking: when it comes round, all have been asked.
    let again: Waiter | undefined;
    while (!this.isEmpty || this.isEnded) {
      const waiter = this.head as Waiter | undefined;
      if (waiter === undefined || waiter === again) break;
      unparkFrom(this, waiter);
      try {
        waiter.wake();
      } catch (error) {
        reportUncaught(error);
      }
      if (waiter.owner === this && again?.owner !== this) again = waiter;
    }
    this.#await();
    this.#rest();
  }

  /** Parks a newcomer behind others. If there is something for them, who were told and have not taken, all are told again. */
  join(waiter: Waiter): void {
    this.park(waiter);
    if (this.resolve !== undefined || (this.isEmpty && !this.isEnded)) return;
    if (this.place !== NOWHERE) dequeue(this.ring, this);
    tell(this.ring, this);
    wakeTold(this.ring);
  }

  /** The receiver goes: who waits on it learns of it, and what it has not read it reads no more. */
  leave(): void {
    if (this.isClosed) return;
    const ring = this.ring;
    this.isClosed = true;
    ring.receivers--;
    this.catchUp();
    while (!this.isEmpty) this.take();
    if (this.place !== NOWHERE) dequeue(ring, this);
    this.wake();
    wakeTold(ring);
    if (ring.receivers === 0) wakeAll(ring);
  }

  closedError(): ClosedError {
    return new ClosedError(
      this.isClosed
        ? 'recv: this receiver was closed'
        : 'recv: the channel is closed and drained: its last sender was closed',
    );
  }

  /** Whether there is a value; throws what there is instead of one. */
  #isReady(): boolean {
    if (this.isEnded) throw this.closedError();
    const missed = this.catchUp();
    if (missed > 0) {
      this.#laggedTo = this.position;
      throw new LaggedError(missed);
    }
    return !this.isEmpty;
  }

  #end(resolve: Resolve): void {
    if (this.iterator !== undefined) this.withdraw(this.iterator);
    else {
      const error = this.closedError();
      this.resolve = undefined;
      this.call = undefined;
      fail(resolve, error);
    }
  }

  /** There is something to read again. */
  #wakeWaiting(): void {
    if (!this.isAwaited) return;
    if (this.place !== NOWHERE) dequeue(this.ring, this);
    this.wake();
    wakeTold(this.ring);
  }

  /** Waits for the next send, if somebody waits here. On a closed channel nothing will come that could wake anybody. */
  #await(): void {
    if (this.isAwaited && this.place === NOWHERE && this.ring.senders > 0 && !this.isClosed) enqueue(this.ring, this);
  }

  /** Leaves the queue when nobody waits any more. */
  #rest(): void {
    if (!this.isAwaited && this.place !== NOWHERE) dequeue(this.ring, this);
  }
}
