import { reportUncaught, type Waiter } from '@quiesce/cancellation-token';
import { unparkFrom, type WaiterList } from '@quiesce/internal';

/** Waiters who are woken one after the other, each only when there is something for it. */
export interface DueList extends WaiterList {
  /** Set while `wakeDue` is at work on this list. */
  isWaking: boolean;
  /** Whether the first in line would get an answer now. */
  isDue(first: Waiter): boolean;
}

/**
 * Wakes the first in line for as long as it is due. Who makes no use of its wake-up, because it has settled otherwise,
 * thereby passes it on to the next.
 *
 * Called inside of a wake-up it leaves the work to the one that is under way: so each waiter has settled before the next
 * is woken, and a million that set each other off do not overflow the stack.
 */
export function wakeDue(list: DueList): void {
  if (list.isWaking) return;
  list.isWaking = true;
  // The first that parked again instead of taking: when it comes round, all have been asked.
  let again: Waiter | undefined;
  for (;;) {
    const first = list.head as Waiter | undefined;
    if (first === undefined || first === again || !list.isDue(first)) break;
    unparkFrom(list, first);
    try {
      first.wake();
    } catch (error) {
      // It must not; one that does all the same keeps nobody else asleep.
      reportUncaught(error);
    }
    if (first.owner === list && again?.owner !== list) again = first;
  }
  list.isWaking = false;
}
