/**
 * The state of `watch`: one value with a version, and the version that each receiver has seen.
 *
 * Invariants
 *  1. The version grows with each change. A receiver has a change exactly if it has not seen the latest version.
 *  2. A cursor is in the list of its state exactly while a waiter is parked on it, except while it is being woken.
 *  3. Of the waiters for a change, each takes one: they are woken in order, until it is taken. Waiters with a predicate are
 *     all woken at each change, after them. So a change costs no more with a thousand waiters for it than with one.
 *  4. One `wakeCursors` at a time wakes the cursors, until all were woken after the latest change. So a thousand receivers
 *     that send inside their wake-ups do not overflow the stack.
 *
 * Not guaranteed: that a receiver sees every value. It sees the latest.
 */

import { ClosedError, PENDING, type Takeable, type Waiter } from '@quiesce/cancellation-token';
import { Condition } from '@quiesce/cancellation-token/internal';
import { parkOn, reserveStack, unparkFrom, type WaiterItem, type WaiterList, wakeAll } from '@quiesce/internal';
import { hasSeveralWaiters, type OrderedWaiterList, wakeInOrder } from './wake-in-order.ts';

/** The state that all handles of one `watch` share. */
export class WatchState<T> implements WaiterList {
  /** The cursors with a parked waiter (invariant 2). */
  head: WaiterItem | undefined = undefined;
  value: T;
  version = 0;
  /** Open handles. Without senders the value no longer changes. */
  senders = 0;
  receivers = 0;
  /** Set while `wakeCursors` runs. */
  #isWaking = false;
  /** Set when some cursors have not been woken after the latest change, also by a `wakeCursors` inside a wake-up. */
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

  /** Wakes all cursors. A call inside a wake-up leaves that to the call in progress (invariant 4). */
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

/** The view of one receiver, as a source of changes. */
export class WatchCursor<T> implements Takeable<T>, OrderedWaiterList, Waiter {
  /** The place among the cursors with a parked waiter. */
  next: object | undefined = undefined;
  prev: object | undefined = undefined;
  owner: object | undefined = undefined;
  /** The waiters for a change. */
  head: WaiterItem | undefined = undefined;
  isWaking = false;
  startsOver = false;
  /** The waiters with a predicate. */
  readonly predicateWaiters: WaiterList = { head: undefined };
  readonly state: WatchState<T>;
  /** The version that was seen last; -1 when the receiver has marked it as not seen. */
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

  /** Marks the latest value as seen, and returns it. */
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

  /** Returns `PENDING` when a change can still arrive, and throws when none can. */
  pendingOrThrow(): typeof PENDING {
    if (this.isClosed) throw new ClosedError('changed: this receiver was closed');
    if (this.state.senders === 0)
      throw new ClosedError('changed: all senders are closed; the value does not change any more');
    return PENDING;
  }

  putBack(_value: T | undefined, error: unknown, mark: number): boolean {
    // A poll since then has seen that value or a later one.
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
    // Waiters that found no change for them keep waiting.
    if (this.head !== undefined) parkOn(this.state, this);
  }

  /** Wakes this cursor alone. */
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

  /** Leaves the list of the state when nothing waits here any more (invariant 2). */
  #unlinkIfIdle(): void {
    if (this.head === undefined && this.predicateWaiters.head === undefined) unparkFrom(this.state, this);
  }
}
