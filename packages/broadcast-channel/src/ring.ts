/**
 * The machine under a broadcast channel: a ring of values, and a cursor for each receiver.
 *
 * Positions count all values ever sent. The ring keeps those from `tail - size` on:
 *
 *        cursor of a        cursor of b           tail = next to be sent
 *             ▼                   ▼                    ▼
 *     … │ (released) │ value │ value │ value │ value │ …        remaining:  1  2  2  2
 *
 * Invariants
 *  1. `size` is a power of two; the value at position p stands at `p & mask`.
 *  2. A slot's `remaining` is the number of receivers that have yet to read it: those that were there when it was sent,
 *     whose cursor is not past it. At 0 the value is released.
 *  3. A receiver is in the ring's list exactly while somebody is parked on it, but for the time in which it is itself
 *     being woken; `since` is the tail when it joined, so that the list is in order of `since`, and who parks again
 *     while a send is waking waits for the next send.
 *  4. A receiver whose cursor is before `tail - size` has lagged; its slots were overwritten, so it is no longer in their
 *     `remaining`.
 */

import { ClosedError, PENDING, type SourceProtocol, type Waiter } from '@quiesce/cancellation-token';
import {
  append,
  type Chain,
  type Link,
  parkOn,
  remove,
  unparkFrom,
  type WaiterItem,
  type WaiterList,
  wakeAll,
} from '@quiesce/internal';
import { LaggedError } from './errors.ts';

/** The largest capacity: the ring is made as a whole, 12 bytes a value. */
export const CAPACITY_END: number = 2 ** 24;

/** What all handles of one channel share. */
export class Ring<T> implements Chain<Cursor<T>> {
  /** The receivers on which somebody is parked (invariant 3). */
  head: Cursor<T> | undefined = undefined;
  readonly size: number;
  readonly mask: number;
  readonly values: (T | undefined)[];
  readonly remaining: Int32Array;
  /** The position of the next value; only ever grows. */
  tail = 0;
  /** Open senders; the channel is closed at 0, for good. */
  senders = 0;
  /** Open receivers. */
  receivers = 0;

  constructor(capacity: number) {
    this.size = 2 ** Math.ceil(Math.log2(capacity));
    this.mask = this.size - 1;
    this.values = new Array<T | undefined>(this.size).fill(undefined);
    this.remaining = new Int32Array(this.size);
  }
}

/** A receiver's place in the ring, as a source. */
export class Cursor<T> implements SourceProtocol<T>, WaiterList, Link<Cursor<T>> {
  /** Links in the ring's list of waiting receivers. */
  next: Cursor<T> | undefined = undefined;
  prev: Cursor<T> | undefined = undefined;
  /** Who is parked on this receiver, in order. */
  head: WaiterItem | undefined = undefined;
  readonly ring: Ring<T>;
  /** The position of the next value to read; set to the tail at birth, so that it sees what is sent afterwards. */
  position: number;
  /** The tail when it was put into the list of the waiting (invariant 3). */
  since = 0;
  /** Set once, by `leave`. */
  isClosed = false;

  constructor(ring: Ring<T>) {
    this.ring = ring;
    this.position = ring.tail;
    ring.receivers++;
  }

  /** Reads the next value; throws what there is instead of one. */
  poll(): T | typeof PENDING {
    const ring = this.ring;
    const position = this.position;
    if (this.isClosed) throw new ClosedError('recv: this receiver was closed');
    if (position === ring.tail) {
      if (ring.senders === 0)
        throw new ClosedError('recv: the channel is closed and drained: its last sender was closed');
      return PENDING;
    }
    const oldest = ring.tail - ring.size;
    if (position < oldest) {
      this.position = oldest;
      throw new LaggedError(oldest - position);
    }
    this.position = position + 1;
    return read(ring, position);
  }

  park(waiter: Waiter): void {
    parkOn(this, waiter);
    // On a closed channel nothing will come that could wake anybody.
    if (this.next === undefined && this.ring.senders > 0) this.queue();
  }

  unpark(waiter: Waiter): void {
    // Not among the waiting while a wake of this very receiver is under way.
    if (unparkFrom(this, waiter) && this.head === undefined && this.next !== undefined) remove(this.ring, this);
  }

  /** Joins the waiting, behind the others. */
  queue(): void {
    this.since = this.ring.tail;
    append(this.ring, this);
  }
}

/** Takes a kept value for one receiver, and releases it after the last (invariant 2). */
function read<T>(ring: Ring<T>, position: number): T {
  const slot = position & ring.mask;
  const value = ring.values[slot] as T;
  const left = (ring.remaining[slot] as number) - 1;
  ring.remaining[slot] = left;
  if (left === 0) ring.values[slot] = undefined;
  return value;
}

/** Puts a value behind the others and wakes who waits. Returns how many receivers will see it. */
export function send<T>(ring: Ring<T>, value: T): number {
  const receivers = ring.receivers;
  // As Tokio: without a receiver the value is not kept for a later one.
  if (receivers === 0) return 0;
  const slot = ring.tail & ring.mask;
  ring.values[slot] = value;
  ring.remaining[slot] = receivers;
  const tail = ++ring.tail;
  for (let cursor = ring.head; cursor !== undefined && cursor.since < tail; cursor = ring.head) {
    remove(ring, cursor);
    wakeFirst(cursor);
  }
  return receivers;
}

/** Wakes the first of those who are parked; if it can make no use of that, the next. */
function wakeFirst<T>(cursor: Cursor<T>): void {
  while (cursor.head !== undefined && cursor.position !== cursor.ring.tail) {
    const waiter = cursor.head as Waiter;
    unparkFrom(cursor, waiter);
    waiter.wake();
    if (waiter.owner === cursor) break;
  }
  if (cursor.head !== undefined && cursor.next === undefined) cursor.queue();
}

/** The last sender was closed: everybody who waits learns of it. */
export function close<T>(ring: Ring<T>): void {
  for (let cursor = ring.head; cursor !== undefined; cursor = ring.head) {
    remove(ring, cursor);
    wakeAll(cursor);
  }
}

/** A receiver goes: who is parked on it learns of it, and what it has not read it reads no more. */
export function leave<T>(cursor: Cursor<T>): void {
  if (cursor.isClosed) return;
  const ring = cursor.ring;
  cursor.isClosed = true;
  ring.receivers--;
  for (let at = Math.max(cursor.position, ring.tail - ring.size); at < ring.tail; at++) read(ring, at);
  if (cursor.next !== undefined) remove(ring, cursor);
  wakeAll(cursor);
}

/** How many values the slowest receiver has yet to read, of those that are kept. */
export function backlog<T>(ring: Ring<T>): number {
  // By invariant 2 `remaining` never falls from older to newer, as far as it is not 0: the first that is not, by halves.
  let low = Math.max(0, ring.tail - ring.size);
  let high = ring.tail;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (ring.remaining[middle & ring.mask] === 0) low = middle + 1;
    else high = middle;
  }
  return ring.tail - low;
}
