import { ignore } from './functions.ts';
import { append, type Chain, type Link, remove } from './list.ts';
import { reportError } from './uncaught.ts';

/** What a source asks of whoever waits on it; the public `Waiter`. */
export interface Parked {
  next: object | undefined;
  prev: object | undefined;
  owner: object | undefined;
  wake(): void;
}

/** Returns a waiter that is parked nowhere. One place makes them all, so that engines give them one shape. */
export function waiter(wake: () => void): Parked {
  return { next: undefined, prev: undefined, owner: undefined, wake };
}

/** A waiter as an item of a list. */
export interface WaiterItem extends Link<WaiterItem> {}

/** Whoever has waiters parked on it. */
export interface WaiterList extends Chain<WaiterItem> {}

/**
 * Whether a waiter is parked on `list`.
 *
 * @throws TypeError when it is parked on something else
 */
export function isParkedOn(list: object | undefined, waiter: Parked): boolean {
  if (waiter.owner === undefined) return false;
  if (waiter.owner === list) return true;
  throw new TypeError('park: this waiter is parked on another source; unpark it there first');
}

/** Parks a waiter behind the others; one that is parked here already keeps its place. */
export function parkOn(list: WaiterList, waiter: Parked): void {
  if (isParkedOn(list, waiter)) return;
  // The call first, here and below: where it finds no room on the stack, nothing has changed.
  append(list, waiter as WaiterItem);
  waiter.owner = list;
}

/** Takes a waiter out. Says whether it was parked here. */
export function unparkFrom(list: WaiterList, waiter: Parked): boolean {
  if (waiter.owner !== list) return false;
  remove(list, waiter as WaiterItem);
  waiter.owner = undefined;
  return true;
}

/** Wakes all who are parked now, in order; who parks again meanwhile is not woken again. */
export function wakeAll(list: WaiterList): void {
  const head = list.head;
  if (head === undefined) return;
  if (head.next === head) {
    // One waiter needs no end to stop at, and is what most lists hold.
    unparkFrom(list, head as WaiterItem & Parked);
    wakeGuarded(head as WaiterItem & Parked);
    return;
  }
  wakeWhile(list, () => true);
}

/** Wakes those who are parked now one after the other, as long as there is something for the next one. */
export function wakeWhile(list: WaiterList, goesOn: () => boolean): void {
  if (list.head === undefined) return;
  const end = waiter(ignore);
  parkOn(list, end);
  // A wake-up that wakes the same list goes past our end, and takes it out: then all before it have been woken.
  while (end.owner === list && list.head !== end && goesOn()) {
    const waiter = list.head as Parked;
    unparkFrom(list, waiter);
    wakeGuarded(waiter);
  }
  unparkFrom(list, end);
}

/** A wake-up must not throw. If it does, the others are woken all the same. */
function wakeGuarded(waiter: Parked): void {
  try {
    waiter.wake();
  } catch (error) {
    reportError(error);
  }
}
