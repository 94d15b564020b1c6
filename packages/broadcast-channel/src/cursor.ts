/**
 * The place of a receiver in the ring, as a source.
 *
 * A receive waits in the slot or in the list of its cursor. The slot serves the usual case, one receive without a signal
 * at a time. It needs no waiter, and serving it polls nothing.
 *
 *     idle ──recv()──► slot ──another recv()──► slot + list ──send──► list ──send──► idle
 *
 * Invariants
 *  1. The receive in the slot came before all waiters in the list: the slot is taken only while both are empty.
 *  2. While a cursor wakes its list, it enters a queue as soon as a waiter parks. So a send or a new waiter during that time
 *     has the whole list woken again, afterwards (invariant 3 of the wake queue).
 *  3. Waiters are woken in order until nothing is left to poll. A waiter that parks again during that time is not woken
 *     again by the same send, unless a new waiter would have to wait behind it although there is a value or the end.
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
import { settleWithBudget } from '@quiesce/cancellation-token/internal';
import { parkOn, unparkFrom, type WaiterItem, type WaiterList, wakeAll } from '@quiesce/internal';
import type { ChannelState } from './channel-state.ts';
import { LaggedError } from './errors.ts';
import { read, readMany, unread } from './ring.ts';
import { type Resolve, settleFailed } from './settle.ts';
import { dequeue, enqueue, enqueueList, NOWHERE, type QueuedCursor, wakeCursor, wakeLists } from './wake-queue.ts';

export class Cursor<T> implements Takeable<T>, WaiterList, QueuedCursor {
  /** The list: the waiters that are parked here, in order. */
  head: WaiterItem | undefined = undefined;
  readonly channel: ChannelState<T>;
  /** The position of the next value to read. Starts at the tail, so that the receiver sees only later values. */
  position: number;
  place: number = NOWHERE;
  /** Settles the receive in the slot, or `undefined` while the slot is free. */
  resolve: Resolve | undefined = undefined;
  /**
   * The iterator whose `next()` waits in the slot, or was the last to wait there; `undefined` for a plain receive. It stays
   * until another receive waits or the iterator ends, since a write for each value costs 4 %.
   */
  iterator: object | undefined = undefined;
  /** The promise of a plain receive, as a source. Set while the receive waits in the slot. */
  call: Call<T> | undefined = undefined;
  /** The position after the latest lag, so that the lag can be undone. */
  #laggedTo = -1;
  /** Set once, by `close`. */
  isClosed = false;

  constructor(channel: ChannelState<T>) {
    this.channel = channel;
    this.position = channel.tail;
    channel.receivers++;
  }

  /** Whether a receive or a waiter waits here. A new one has to wait behind it. */
  get isAwaited(): boolean {
    return this.resolve !== undefined || this.head !== undefined;
  }

  /** Whether there is nothing to read now. */
  get isEmpty(): boolean {
    return this.position === this.channel.tail;
  }

  /** Whether no more values can arrive. */
  get isEnded(): boolean {
    return this.isClosed || (this.channel.senders === 0 && this.isEmpty);
  }

  /** Whether the slot can be taken: there is nothing to read now, values can still arrive, and nothing waits. */
  get isFree(): boolean {
    return this.isEmpty && !this.isAwaited && this.channel.senders > 0 && !this.isClosed;
  }

  /** Makes a plain receive wait in the slot, which is free. */
  recvInSlot(): SourcePromise<T> {
    if (this.iterator !== undefined) this.iterator = undefined;
    enqueue(this.channel, this);
    const promise = new Promise<T>((resolve) => {
      this.resolve = resolve;
    });
    // The receive gets the next value: nothing goes before it.
    this.call = asSource<T>(promise, this, this.position as never, this);
    return promise as SourcePromise<T>;
  }

  /** Removes the plain receive from the slot. Its call settles the promise. */
  giveUp(call: object): Settling | undefined {
    if (this.call !== call) return undefined;
    const resolve = this.resolve as (result: unknown) => void;
    this.resolve = undefined;
    this.call = undefined;
    this.#dequeueIfIdle();
    return { resolve, reject: (error) => resolve(Promise.reject(error)) };
  }

  /** Makes a `next()` wait in the slot, which is free. */
  nextInSlot<R>(iterator?: object): Promise<R> {
    if (this.iterator !== iterator) this.iterator = iterator;
    enqueue(this.channel, this);
    return new Promise((resolve) => {
      this.resolve = resolve;
    });
  }

  /** Returns how many values were missed since the last call, and moves to the oldest value kept. */
  catchUp(): number {
    const missed = this.channel.tail - this.channel.size - this.position;
    if (missed <= 0) return 0;
    this.position += missed;
    return missed;
  }

  /** Reads the next value; there must be one. */
  take(): T {
    const value = read(this.channel, this.position);
    this.position++;
    return value;
  }

  poll(): T | typeof PENDING {
    return this.#isReady() ? this.take() : PENDING;
  }

  /** Takes the values that are ready, up to `limit`. */
  pollMany(limit: number): T[] | typeof PENDING {
    if (!this.#isReady()) return PENDING;
    const { channel, position } = this;
    const count = Math.min(limit, channel.tail - position);
    this.position = position + count;
    return readMany(channel, position, count);
  }

  putBack(value: T | undefined, error: unknown, position: number): boolean {
    if (error === undefined) return this.putBackMany([value as T], position);
    if (error instanceof LaggedError) {
      if (this.position !== this.#laggedTo) return false;
      this.position -= error.missedCount;
      this.#wakeAgain();
    }
    return true;
  }

  /** Undoes the reading of values, the first of which stood at `position`, unless one of them is no longer kept. */
  putBackMany(values: readonly T[], position: number): boolean {
    if (this.isClosed || this.position !== position + values.length) return false;
    if (position < this.channel.tail - this.channel.size) return false;
    unread(this.channel, position, values);
    this.position = position;
    this.#wakeAgain();
    return true;
  }

  park(waiter: Waiter): void {
    parkOn(this, waiter);
    this.#enqueueIfAwaited();
  }

  unpark(waiter: Waiter): void {
    if (unparkFrom(this, waiter)) this.#dequeueIfIdle();
  }

  /** Ends the receive of an iterator that has ended, if it waits in the slot. */
  endIterator(iterator: object): void {
    if (this.iterator !== iterator) return;
    this.iterator = undefined;
    const resolve = this.resolve;
    if (resolve === undefined) return;
    this.resolve = undefined;
    this.#dequeueIfIdle();
    settleWithBudget(resolve, { done: true, value: undefined });
  }

  /** Settles the receive in the slot, which is taken, if there is a value or the end. The cursor is in no queue. */
  serveSlot(): void {
    const resolve = this.resolve as Resolve;
    if (!this.isEmpty) {
      // Still kept, by invariant 2 of the wake queue.
      const value = this.take();
      this.resolve = undefined;
      if (this.call !== undefined) this.call = undefined;
      settleWithBudget(resolve, this.iterator === undefined ? value : { done: false, value });
    } else if (this.isEnded) this.#endSlot(resolve);
  }

  /** Wakes the list (invariant 3). The cursor is in no queue. */
  wakeList(): void {
    // The first waiter that parked again instead of taking. When it is the head again, all have been woken.
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
    this.#enqueueIfAwaited();
    this.#dequeueIfIdle();
  }

  /** Parks a new waiter behind others. If the others were woken and have taken nothing, all are woken again. */
  parkBehind(waiter: Waiter): void {
    this.park(waiter);
    if (this.resolve !== undefined || (this.isEmpty && !this.isEnded)) return;
    const { channel } = this;
    if (this.place !== NOWHERE) dequeue(channel, this);
    enqueueList(channel, this);
    wakeLists(channel);
  }

  /** Disposes the receiver: ends the waits on it, and releases the values that it has not read. */
  close(): void {
    if (this.isClosed) return;
    const { channel } = this;
    this.isClosed = true;
    channel.receivers--;
    this.catchUp();
    while (!this.isEmpty) this.take();
    if (this.place !== NOWHERE) dequeue(channel, this);
    wakeCursor(channel, this);
    wakeLists(channel);
    if (channel.receivers === 0) wakeAll(channel);
  }

  closedError(): ClosedError {
    return new ClosedError(
      this.isClosed
        ? 'recv: this receiver was disposed'
        : 'recv: the channel is closed and drained: its last sender was closed',
    );
  }

  /** Returns whether there is a value. Throws when there is an error instead. */
  #isReady(): boolean {
    if (this.isEnded) throw this.closedError();
    const missed = this.catchUp();
    if (missed > 0) {
      this.#laggedTo = this.position;
      throw new LaggedError(missed);
    }
    return !this.isEmpty;
  }

  #endSlot(resolve: Resolve): void {
    if (this.iterator !== undefined) this.endIterator(this.iterator);
    else {
      const error = this.closedError();
      this.resolve = undefined;
      this.call = undefined;
      settleFailed(resolve, error);
    }
  }

  /** Wakes everything that waits here, since there is something to read again. */
  #wakeAgain(): void {
    if (!this.isAwaited) return;
    const { channel } = this;
    if (this.place !== NOWHERE) dequeue(channel, this);
    wakeCursor(channel, this);
    wakeLists(channel);
  }

  /** Waits for the next send if something waits here. On a closed channel no send can follow. */
  #enqueueIfAwaited(): void {
    if (!this.isAwaited || this.place !== NOWHERE || this.channel.senders === 0 || this.isClosed) return;
    enqueue(this.channel, this);
  }

  /** Leaves the queue when nothing waits here any more. */
  #dequeueIfIdle(): void {
    if (!this.isAwaited && this.place !== NOWHERE) dequeue(this.channel, this);
  }
}
