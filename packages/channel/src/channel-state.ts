/**
 * The machine under `channel` and `unboundedChannel`: a queue, room in it, and counts of handles. It is also what the
 * receiver is as a source.
 *
 *            last sender closed, or rx.close()          drained, and no permit is out
 *     OPEN ───────────────────────────────────► ENDING ───────────────────────────────► OVER
 *       └───────────────────────── rx.dispose() (drops what is queued) ──────────────────▲
 *
 * Invariants
 *  1. `capacity` = free room + values in the queue + permits that are out. Free room is less than none after `putBack`, until
 *     the value has been taken again. A value enters the queue in the very step in
 *     which its sender gets room, so that the order of the line is the order of the values.
 *  2. Outside of `wakeInOrder` somebody is parked here only if the queue is empty and the channel is not over, or was told
 *     of all that is there and parked again. So a newcomer polls first: it overtakes only whoever is being woken.
 *  3. Once somebody was told that it is over, nothing is let in any more.
 *  4. Once `rx.close()` was called nobody gets room; permits that are out may still be used.
 */

import { ClosedError, PENDING, type Takeable, type Waiter } from '@quiesce/cancellation-token';
import { parkOn, reserveStack, unparkFrom, type WaiterItem, wakeAll } from '@quiesce/internal';
import { Condition } from './awaitable.ts';
import type { PermitQueue } from './permit-queue.ts';
import { Queue } from './queue.ts';
import { hasSeveralWaiters, type OrderedWaiterList, wakeInOrder } from './wake-in-order.ts';

/** What all handles of one channel share. */
export class ChannelState<T> implements Takeable<T>, OrderedWaiterList {
  /** Who is parked on the receiver. */
  head: WaiterItem | undefined = undefined;
  isWaking = false;
  startsOver = false;
  readonly queue: Queue<T> = new Queue<T>();
  readonly capacity: number;
  /** Room in the queue; `undefined`: there is always more. */
  readonly room: PermitQueue | undefined;
  /** Senders that are open, and weak ones. */
  senders = 0;
  weakSenders = 0;
  /** Set once, by `rx.close()` and `rx.dispose()`. */
  isClosed = false;
  /** Set once, by `rx.dispose()`. */
  isDisposed = false;
  /** Who waits for the receiver to be closed; made when first asked for. */
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

  /** Whether somebody can still send: a sender, a permit that is out, or a send that waits and goes on without its sender. */
  get isSendable(): boolean {
    const room = this.room;
    return this.senders > 0 || (room !== undefined && (!room.isEmpty || this.#hasPermits));
  }

  /** Whether permits are out (invariant 1). */
  get #hasPermits(): boolean {
    return this.room !== undefined && this.room.free + this.queue.length < this.capacity;
  }

  /** Whether nothing will ever come. */
  get isEnded(): boolean {
    if (this.queue.length > 0) return false;
    // Who stands in line gets no room once the receiver is closed.
    return this.isClosed ? !this.#hasPermits : !this.isSendable;
  }

  poll(): T | typeof PENDING {
    const room = this.room;
    if (this.queue.length === 0) {
      if (!this.isDisposed && !this.isEnded) return PENDING;
      if (room !== undefined) room.isClosed = true; // invariant 3
      const why = this.isDisposed ? 'this receiver was disposed' : 'the channel is closed and drained';
      throw new ClosedError(`recv: ${why}; there will be no more values`);
    }
    const value = this.queue.shift();
    if (room !== undefined) room.release(1);
    this.wakeIfEnded();
    return value;
  }

  putBack(value: T | undefined, error: unknown): boolean {
    // What it has thrown it throws again.
    return error !== undefined || this.putBackAll([value as T]);
  }

  /** Takes back what was received last, as if it never was. */
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

  /** Puts a value behind the others; its room has been taken. */
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

  /** A sender goes. */
  removeSender(): void {
    this.senders--;
    this.wakeIfEnded();
  }

  /** The receiver wants no more than what is there already. */
  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.room?.close();
    if (this.#closing !== undefined) wakeAll(this.#closing);
    this.wakeIfEnded();
  }

  /** The receiver wants nothing any more. */
  dispose(): void {
    this.isDisposed = true;
    const left = this.queue.length;
    this.queue.clear();
    if (this.room !== undefined) this.room.free += left;
    this.close();
    this.wakeIfEnded();
  }

  /** Tells the receiver if nothing will come any more. */
  wakeIfEnded(): void {
    if (this.head !== undefined && this.isReadyFor()) wakeInOrder(this);
  }
}
