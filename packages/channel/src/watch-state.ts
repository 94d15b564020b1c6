/**
 * The machine under `watch`: one value with a version, and what each receiver has seen of it.
 *
 * Invariants
 *  1. The version grows with each change. A receiver has something new exactly if it has not seen the latest version.
 *  2. A view is in the list of its value exactly while somebody is parked on it, but for the time in which it is itself
 *     being woken.
 *  3. Of those who want a change, each takes one: they are woken in turn, until it is taken. Those with a predicate are all
 *     woken at each change, after them. So a thousand who wait cost a change no more than one.
 *  4. One `tell` at a time wakes the views, and goes on until all were woken after the latest change: so a thousand
 *     receivers that send inside of their wake-ups do not overflow the stack.
 *
 * Not guaranteed: that a receiver sees every value; it sees the latest.
 */

import { ClosedError, PENDING, type Takeable, type Waiter } from '@quiesce/cancellation-token';
import { parkOn, reserveStack, unparkFrom, type WaiterItem, type WaiterList, wakeAll } from '@quiesce/internal';
import { Condition } from './awaitable.ts';
import { hasSeveralWaiters, type OrderedWaiterList, wakeInOrder } from './wake-in-order.ts';

/** The value that all handles of one `watch` share. */
export class WatchState<T> implements WaiterList {
  /** The views on which somebody is parked (invariant 2). */
  head: WaiterItem | undefined = undefined;
  value: T;
  version = 0;
  /** Handles that are open; without senders nothing changes any more. */
  senders = 0;
  receivers = 0;
  /** Set while `tell` is at work. */
  #isWaking = false;
  /** There is something that not everybody was told of; set by `tell`, also inside of a wake-up. */
  #wakesAgain = false;
  readonly unwatched: Condition = new Condition(() => this.receivers === 0);

  constructor(value: T) {
    this.value = value;
  }

  set(value: T): void {
    this.value = value;
    this.version++;
    this.wakeCursors();
  }

  /** Wakes all who wait; inside of a wake-up it leaves that to the one that is under way (invariant 3). */
  wakeCursors(): void {
    this.#wakesAgain = true;
    if (this.#isWaking) return;
    if (hasSeveralWaiters(this)) reserveStack();
    this.#isWaking = true;
    try {
      while (this.#wakesAgain) {
        this.#wakesAgain = false;
        wakeAll(this);
      }
    } finally {
      this.#isWaking = false;
    }
  }
}

/** What one receiver sees, as a source of changes. */
export class WatchCursor<T> implements Takeable<T>, OrderedWaiterList, Waiter {
  /** The place among the views on which somebody is parked. */
  next: object | undefined = undefined;
  prev: object | undefined = undefined;
  owner: object | undefined = undefined;
  /** Who is parked on this one, for a change. */
  head: WaiterItem | undefined = undefined;
  isWaking = false;
  startsOver = false;
  /** Who is parked on this one with a predicate. */
  readonly predicateWaiters: WaiterList = { head: undefined };
  readonly state: WatchState<T>;
  /** The version that was seen last; -1: the receiver wants to see it again. */
  seen: number;
  /** Grows with each change of `seen`, so that only the latest can be undone. */
  mark = 0;
  /** Set once, by `close`. */
  isClosed = false;

  constructor(state: WatchState<T>, seen: number) {
    this.state = state;
    this.seen = seen;
    state.receivers++;
  }

  get isChanged(): boolean {
    return this.seen !== this.state.version;
  }

  /** The latest value, which is then seen. */
  markSeen(): T {
    this.setSeen(this.state.version);
    return this.state.value;
  }

  setSeen(version: number): void {
    this.seen = version;
    this.mark++;
  }

  poll(): T | typeof PENDING {
    return this.isChanged && !this.isClosed ? this.markSeen() : this.pendingOrThrow();
  }

  /** Takes nothing: says that there may be something new later, or throws when there will not. */
  pendingOrThrow(): typeof PENDING {
    if (this.isClosed) throw new ClosedError('changed: this receiver was closed');
    if (this.state.senders === 0) throw new ClosedError('changed: all senders are closed; the value stays as it is');
    return PENDING;
  }

  putBack(_value: T | undefined, error: unknown, mark: number): boolean {
    // Whoever has looked since has seen that value or a later one.
    if (error === undefined && mark === this.mark) this.markUnseen();
    return true;
  }

  markUnseen(): void {
    this.setSeen(-1);
    this.wakeNow();
  }

  isReadyFor(): boolean {
    return this.isChanged || this.isClosed || this.state.senders === 0;
  }

  park(waiter: Waiter): void {
    this.parkIn(this, waiter);
  }

  unpark(waiter: Waiter): void {
    this.unparkFrom(this, waiter);
  }

  parkIn(list: WaiterList, waiter: Waiter): void {
    parkOn(list, waiter);
    parkOn(this.state, this);
  }

  unparkFrom(list: WaiterList, waiter: Waiter): void {
    if (unparkFrom(list, waiter)) this.#unlinkIfIdle();
  }

  wake(): void {
    wakeInOrder(this);
    wakeAll(this.predicateWaiters);
    // Those who found nothing for them wait on.
    if (this.head !== undefined) parkOn(this.state, this);
  }

  /** Something is new for this one alone. */
  wakeNow(): void {
    unparkFrom(this.state, this);
    this.wake();
  }

  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.state.receivers--;
    this.wakeNow();
    if (this.state.receivers === 0) wakeAll(this.state.unwatched);
  }

  /** Leaves the list of the value when nobody waits any more (invariant 2). */
  #unlinkIfIdle(): void {
    if (this.head === undefined && this.predicateWaiters.head === undefined) unparkFrom(this.state, this);
  }
}
