import { reportUncaught, type Waiter } from '@quiesce/cancellation-token';
import { unparkFrom, type WaiterList } from '@quiesce/internal';

/** Waiters who are woken one after the other, each only when there is something for it. */
export interface OrderedWaiterList extends WaiterList {
  /** Set while `wakeInOrder` is at work on this list. */
  isWaking: boolean;
  /** Set by a `wakeInOrder` inside of a wake-up: those who were told before are to be told again. */
  startsOver: boolean;
  /** Whether the first in line would get an answer now. */
  isReadyFor(first: Waiter): boolean;
}

/** Whether more than one waits. Then each wake-up costs so much that room on the stack can be asked for before. */
export function hasSeveralWaiters({ head }: WaiterList): boolean {
  return head !== undefined && head.next !== head;
}

/**
 * Wakes the first in line for as long as it is due. Who makes no use of its wake-up, because it has settled otherwise,
 * thereby passes it on to the next.
 *
 * Called inside of a wake-up it leaves the work to the one that is under way: so each waiter has settled before the next
 * is woken, and a million that set each other off do not overflow the stack.
 *
 * @param startOver something was added, so that also those who were told and have parked again are told; not so for one
 *   that joins the line, or two who park again and again would wake each other for ever
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
  // The first that parked again instead of taking: when it comes round, all have been asked.
  let again: Waiter | undefined;
  for (;;) {
    const first = list.head as Waiter | undefined;
    if (first === undefined || first === again || !list.isReadyFor(first)) return;
    unparkFrom(list, first);
    try {
      first.wake();
    } catch (error) {
      // It must not; one that does all the same keeps nobody else asleep.
      reportUncaught(error);
    }
    if (list.startsOver) {
      list.startsOver = false;
      again = undefined;
    } else if (first.owner === list && again?.owner !== list) again = first;
  }
}
