import { ignore } from './functions.ts';
import { append, type Chain, type Link, remove } from './list.ts';
import { reportError } from './uncaught.ts';

/** A waiter; the public `Waiter`. */
export interface Parked {
  next: object | undefined;
  prev: object | undefined;
  owner: object | undefined;
  wake(): void;
}

/** Creates a waiter, parked nowhere. One literal for all of them, so that engines give them one shape. */
export function createWaiter(wake: () => void): Parked {
  return { next: undefined, prev: undefined, owner: undefined, wake };
}

/** A waiter as an item of a list. */
export interface WaiterItem extends Link<WaiterItem> {}

/** The owner of a list of waiters. */
export interface WaiterList extends Chain<WaiterItem> {}

/**
 * Whether a waiter is parked on `list`.
 *
 * @throws TypeError when it is parked elsewhere
 */
export function isParkedOn(list: object | undefined, waiter: Parked): boolean {
  if (waiter.owner === undefined) return false;
  if (waiter.owner === list) return true;
  throw new TypeError('park: this waiter is parked on another source; unpark it there first');
}

/** Parks a waiter at the end of the list; one that is already parked here keeps its place. */
export function parkOn(list: WaiterList, waiter: Parked): void {
  if (isParkedOn(list, waiter)) return;
  // The call first, here and below: if the stack overflows there, nothing has changed.
  append(list, waiter as WaiterItem);
  waiter.owner = list;
}

/** Removes a waiter. Returns whether it was parked here. */
export function unparkFrom(list: WaiterList, waiter: Parked): boolean {
  if (waiter.owner !== list) return false;
  remove(list, waiter as WaiterItem);
  waiter.owner = undefined;
  return true;
}

/** Wakes all waiters that are parked now, in order. One that parks again during that time is not woken again. */
export function wakeAll(list: WaiterList): void {
  const head = list.head;
  if (head === undefined) return;
  if (head.next === head) {
    // A single waiter needs no end mark, and is the most frequent case.
    unparkFrom(list, head as WaiterItem & Parked);
    wakeGuarded(head as WaiterItem & Parked);
    return;
  }
  wakeWhile(list, () => true);
}

/** Wakes the waiters that are parked now, in order, as long as `hasMore` returns `true`. */
export function wakeWhile(list: WaiterList, hasMore: () => boolean): void {
  if (list.head === undefined) return;
  const end = createWaiter(ignore);
  parkOn(list, end);
  // A wake-up that wakes the same list passes the end mark and removes it: then all waiters before it have been woken.
  while (end.owner === list && list.head !== end && hasMore()) {
    const waiter = list.head as Parked;
    unparkFrom(list, waiter);
    wakeGuarded(waiter);
  }
  unparkFrom(list, end);
}

/** Wakes a waiter. `wake` must not throw; if it does, the error is reported and the other waiters are still woken. */
function wakeGuarded(waiter: Parked): void {
  try {
    waiter.wake();
  } catch (error) {
    reportError(error);
  }
}
