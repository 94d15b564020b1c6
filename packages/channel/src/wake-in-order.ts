import { reportUncaught, type Waiter } from '@quiesce/cancellation-token';
import { unparkFrom, type WaiterList } from '@quiesce/internal';

/** A list whose waiters are woken one after the other, each only when there is something for it. */
export interface OrderedWaiterList extends WaiterList {
  /** Set while `wakeInOrder` runs on this list. */
  isWaking: boolean;
  /** Set by a `wakeInOrder` inside a wake-up: waiters that were woken and have parked again are to be woken again. */
  startsOver: boolean;
  /** Whether the first waiter would get an answer now. */
  isReadyFor(first: Waiter): boolean;
}

/** Whether the list has more than one waiter. Beside that many wake-ups, the cost of reserving stack is small. */
export function hasSeveralWaiters({ head }: WaiterList): boolean {
  return head !== undefined && head.next !== head;
}

/**
 * Wakes the first waiter for as long as there is something for it. A waiter that does not use its wake-up, because it has
 * settled in another way, thereby passes it on to the next.
 *
 * A call inside a wake-up leaves the work to the call in progress. So each waiter has settled before the next one is woken,
 * and a million that wake each other do not overflow the stack.
 *
 * @param startOver `true` when something was added: waiters that were woken and have parked again are woken again. Not for
 *   a waiter that joins, or two waiters that park again and again would wake each other without end
 */
export function wakeInOrder(list: OrderedWaiterList, startOver = true): void {
  if (list.isWaking) {
    if (startOver) list.startsOver = true;
    return;
  }
  list.isWaking = true;
  try {
    wakeEach(list);
  } finally {
    list.isWaking = false;
  }
}

function wakeEach(list: OrderedWaiterList): void {
  list.startsOver = false;
  // The first waiter that parked again instead of taking. When it is the head again, all have been woken.
  let again: Waiter | undefined;
  for (;;) {
    const first = list.head as Waiter | undefined;
    if (first === undefined || first === again || !list.isReadyFor(first)) return;
    unparkFrom(list, first);
    try {
      first.wake();
    } catch (error) {
      // A wake-up must not throw. One that does keeps no other waiter asleep.
      reportUncaught(error);
    }
    if (list.startsOver) {
      list.startsOver = false;
      again = undefined;
    } else if (first.owner === list && again?.owner !== list) again = first;
  }
}
