/**
 * The queue of `Notify`: waiters, each of which waits for one notification.
 *
 *     NEW ──park, enable──► IN THE QUEUE ──notify──► HAS A NOTIFICATION ──poll──► DONE: stays ready
 *      ▲                         │                            │
 *      └───unpark, dispose───────┴────────────────────────────┘ then the notification goes to the next waiter
 *
 * Invariants
 *  1. `notify` stores a notification only while the queue is empty. The next poll takes it.
 *  2. A waiter that was notified has left the queue. It keeps the notification until something polls it, or until nothing
 *     waits for it any more. Then the next waiter gets it.
 *  3. All waiters are notified before the first one is woken. A wake-up inside another one is left to the outer one, so that
 *     long chains of them do not overflow the stack.
 */

import { PENDING, type SourceProtocol, type Waiter } from '@quiesce/cancellation-token';
import { parkOn, reserveStack, unparkFrom, type WaiterItem, type WaiterList, wakeAll } from '@quiesce/internal';

/** The way in which a waiter was notified: as the first or the last of the queue, or with all of them. */
export type Notification = 'first' | 'last' | 'all';

/** The waiters, in order. */
export class NotifyQueue implements WaiterList {
  head: WaiterItem | undefined = undefined;
  /** The waiters that were notified and are not woken yet. */
  readonly #notified: WaiterList = { head: undefined };
  #isWaking = false;
  /** Set by `notify` when the queue is empty, cleared by the poll that takes it. */
  isStored = false;
  /** The number of calls of `notifyAll`. */
  round = 0;

  get length(): number {
    const { head } = this;
    let length = 0;
    let item = head;
    while (item !== undefined) {
      length++;
      item = item.next === head ? undefined : item.next;
    }
    return length;
  }

  notify(which: 'first' | 'last'): void {
    if (this.head !== undefined) reserveStack();
    this.passOn(which);
  }

  /** Notifies inside a cleanup, which must not throw when the stack has no room. */
  passOn(which: 'first' | 'last'): void {
    const { head } = this;
    if (head === undefined) {
      this.isStored = true;
      return;
    }
    this.#assign((which === 'first' ? head : head.prev) as NotifyWaiter, which);
    this.#wake();
  }

  notifyAll(): void {
    if (this.head !== undefined) reserveStack();
    this.round++;
    while (this.head !== undefined) this.#assign(this.head as NotifyWaiter, 'all');
    this.#wake();
  }

  #assign(waiter: NotifyWaiter, which: Notification): void {
    unparkFrom(this, waiter);
    waiter.notification = which;
    parkOn(this.#notified, waiter);
  }

  #wake(): void {
    if (this.#isWaking) return;
    this.#isWaking = true;
    try {
      for (let waiter = this.#notified.head; waiter !== undefined; waiter = this.#notified.head) {
        unparkFrom(this.#notified, waiter as NotifyWaiter);
        (waiter as NotifyWaiter).wake();
      }
    } finally {
      this.#isWaking = false;
    }
  }
}

/** One wait for a notification, as a source with one answer. */
export class NotifyWaiter implements SourceProtocol<void>, WaiterList, Waiter {
  next: object | undefined = undefined;
  prev: object | undefined = undefined;
  owner: object | undefined = undefined;
  /** The waiters that are parked on this wait. */
  head: WaiterItem | undefined = undefined;
  readonly once = true;
  readonly #queue: NotifyQueue;
  /** The round in which it was made. `notifyAll` completes it, even while nothing waits. */
  readonly #round: number;
  /** Set by the queue with a notification; cleared when it is passed on. */
  notification: Notification | undefined = undefined;
  /** Set by `enable`, cleared by `dispose`: it stays in the queue although nothing is parked. */
  isEnabled = false;
  #isWaking = false;
  /** Set once, by the poll that takes the notification. */
  #isDone = false;

  constructor(queue: NotifyQueue) {
    this.#queue = queue;
    this.#round = queue.round;
  }

  poll(): undefined | typeof PENDING {
    const queue = this.#queue;
    if (this.#isDone) return undefined;
    if (this.notification === undefined && this.#round === queue.round) {
      if (!queue.isStored) return PENDING;
      queue.isStored = false;
    }
    this.#isDone = true;
    unparkFrom(queue, this);
    // Other waiters that are parked here get the same answer.
    wakeAll(this);
    return undefined;
  }

  park(waiter: Waiter): void {
    parkOn(this, waiter);
    this.#join();
    // A call between its poll and this may have made it ready.
    if (this.#isReady) this.#wakeWaiters();
  }

  unpark(waiter: Waiter): void {
    if (unparkFrom(this, waiter)) this.#leaveIfIdle();
  }

  /** Wakes its waiters after a notification. Called by the queue. */
  wake(): void {
    this.#wakeWaiters();
  }

  enable(): boolean {
    if (this.poll() !== PENDING) return true;
    this.isEnabled = true;
    this.#join();
    return false;
  }

  dispose(): void {
    this.isEnabled = false;
    this.#leaveIfIdle();
  }

  get #isReady(): boolean {
    return this.#hasNotification || this.#queue.isStored;
  }

  get #hasNotification(): boolean {
    return this.#isDone || this.notification !== undefined || this.#round !== this.#queue.round;
  }

  /** Joins the queue, unless it already has its notification. */
  #join(): void {
    if (!this.#hasNotification) parkOn(this.#queue, this);
  }

  /** Wakes its waiters. One that parks again without a poll is not woken again. */
  #wakeWaiters(): void {
    if (this.#isWaking) return;
    this.#isWaking = true;
    wakeAll(this);
    this.#isWaking = false;
    this.#leaveIfIdle();
  }

  /** Leaves the queue when nothing waits here any more. A notification then goes to the next waiter. */
  #leaveIfIdle(): void {
    if (this.#isDone || this.isEnabled || this.head !== undefined) return;
    unparkFrom(this.#queue, this);
    const { notification } = this;
    if (notification === undefined || notification === 'all') return;
    this.notification = undefined;
    if (this.owner !== undefined) unparkFrom(this.owner as WaiterList, this);
    this.#queue.passOn(notification);
  }
}
