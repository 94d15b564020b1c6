/**
 * The state of `channel` and `unboundedChannel`: a queue of values, the room in it, and counts of handles. It is also the
 * source of the receiver.
 *
 *            last sender closed, or rx.close()          drained, and no permit is out
 *     OPEN ───────────────────────────────────► ENDING ──────────────────────────────► ENDED
 *       └───────────────────────── rx.dispose() (drops the queue) ───────────────────────▲
 *
 * Invariants
 *  1. `capacity` = free room + values in the queue + permits that are out. Free room is negative after `putBack`, until the
 *     value has been taken again. A value enters the queue in the step in which its sender gets room. So the senders'
 *     order is the order of the values.
 *  2. Outside `wakeInOrder`, a waiter is parked here only in two cases: the queue is empty and the channel has not ended, or
 *     the waiter was woken for everything that is there and parked again. So a new receive polls first. It overtakes only
 *     a waiter that is being woken.
 *  3. Once a receive has failed because the channel has ended, no value enters it any more.
 *  4. After `rx.close()` no sender gets room. Permits that are out can still be used.
 */

import { ClosedError, PENDING, type Takeable, type Waiter } from '@quiesce/cancellation-token';
import { Condition } from '@quiesce/cancellation-token/internal';
import { parkOn, reserveStack, unparkFrom, type WaiterItem, wakeAll } from '@quiesce/internal';
import type { PermitQueue } from './permit-queue.ts';
import { Queue } from './queue.ts';
import { hasSeveralWaiters, type OrderedWaiterList, wakeInOrder } from './wake-in-order.ts';

/** The state that all handles of one channel share. */
export class ChannelState<T> implements Takeable<T>, OrderedWaiterList {
  /** The waiters of the receiver. */
  head: WaiterItem | undefined = undefined;
  isWaking = false;
  startsOver = false;
  readonly queue: Queue<T> = new Queue<T>();
  readonly capacity: number;
  /** Room in the queue, or `undefined` when there is no limit. */
  readonly room: PermitQueue | undefined;
  /** Open senders, and open weak senders. */
  senders = 0;
  weakSenders = 0;
  /** Set once, by `rx.close()` and `rx.dispose()`. */
  isClosed = false;
  /** Set once, by `rx.dispose()`. */
  isDisposed = false;
  /** Waits until the receiver is closed; made on first use. */
  #closing: Condition | undefined = undefined;

  constructor(capacity: number, room: PermitQueue | undefined) {
    this.capacity = capacity;
    this.room = room;
    if (room !== undefined) room.onAbandon = (): void => this.wakeIfEnded();
  }

  get closing(): Condition {
    this.#closing ??= new Condition(() => this.isClosed);
    return this.#closing;
  }

  /** Whether values can still be sent: by a sender, with a permit, or by a send that outlives its sender while it waits. */
  get isSendable(): boolean {
    const room = this.room;
    return this.senders > 0 || (room !== undefined && (!room.isEmpty || this.#hasPermits));
  }

  /** Whether permits are out (invariant 1). */
  get #hasPermits(): boolean {
    return this.room !== undefined && this.room.free + this.queue.length < this.capacity;
  }

  /** Whether no value can arrive any more. */
  get isEnded(): boolean {
    if (this.queue.length > 0) return false;
    // Sends that wait get no room once the receiver is closed.
    return this.isClosed ? !this.#hasPermits : !this.isSendable;
  }

  poll(): T | typeof PENDING {
    const room = this.room;
    if (this.queue.length === 0) {
      if (!this.isDisposed && !this.isEnded) return PENDING;
      if (room !== undefined) room.isClosed = true; // invariant 3
      const why = this.isDisposed ? 'this receiver was disposed' : 'the channel is closed and drained';
      throw new ClosedError(`recv: ${why}; no more values can arrive`);
    }
    const value = this.queue.shift();
    if (room !== undefined) room.release(1);
    this.wakeIfEnded();
    return value;
  }

  putBack(value: T | undefined, error: unknown): boolean {
    // An error that it has thrown is thrown again by the next poll.
    return error !== undefined || this.putBackAll([value as T]);
  }

  /** Takes back the values that were received last, as if they had not been received. */
  putBackAll(values: readonly T[]): boolean {
    if (this.isDisposed) return false;
    for (let i = values.length - 1; i >= 0; i--) this.queue.unshift(values[i] as T);
    if (this.room !== undefined) this.room.free -= values.length;
    if (this.head !== undefined) wakeInOrder(this);
    return true;
  }

  park(waiter: Waiter): void {
    parkOn(this, waiter);
  }

  unpark(waiter: Waiter): void {
    unparkFrom(this, waiter);
  }

  isReadyFor(): boolean {
    return this.queue.length > 0 || this.isDisposed || this.isEnded;
  }

  /** Adds a value at the end of the queue; its room has been taken. */
  push(value: T): void {
    try {
      if (hasSeveralWaiters(this)) reserveStack();
      this.queue.push(value);
    } catch (error) {
      if (this.room !== undefined) this.room.free++;
      throw error;
    }
    if (this.head !== undefined) wakeInOrder(this);
  }

  /** Counts one sender less. */
  removeSender(): void {
    this.senders--;
    this.wakeIfEnded();
  }

  /** Refuses new values, and keeps the values that are there. */
  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.room?.close();
    if (this.#closing !== undefined) wakeAll(this.#closing);
    this.wakeIfEnded();
  }

  /** Closes the channel and drops its values. */
  dispose(): void {
    this.isDisposed = true;
    const left = this.queue.length;
    this.queue.clear();
    if (this.room !== undefined) this.room.free += left;
    this.close();
    this.wakeIfEnded();
  }

  /** Wakes the waiters of the receiver if the channel has ended. */
  wakeIfEnded(): void {
    if (this.head !== undefined && this.isReadyFor()) wakeInOrder(this);
  }
}
