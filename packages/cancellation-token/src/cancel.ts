/**
 * Cancelling: marks everything observed below a token, then notifies. Invariants are cited from the head of tree.ts.
 */

import { reserveStack } from '@quiesce/internal';
import { leave, Registration } from './links.ts';
import {
  ASKS,
  CANCELLED,
  forget,
  GROUPED,
  HAS_DEPENDENTS,
  LINKED,
  PARENT,
  type Reason,
  type TreeNode,
} from './node.ts';
import { mark, takeDue, tellAll } from './queue.ts';
import type { Waiter } from './source.ts';
import { reportUncaught } from './uncaught.ts';

/** One more at each cancellation that others depend on: so cached negative answers expire all at once; 0: not cached. */
export let epoch = 1;
/** The same for groups: one more at each cancellation that a group depends on. */
export let groupEpoch = 1;

/** The round of asking that is under way (0: none) and the last there was; see group.ts. */
export const rounds: { now: number; last: number } = { now: 0, last: 0 };

/** An outer `cancel` is notifying, and will also notify whatever becomes due meanwhile. */
let firing = false;

/** Cancels a token that is neither cancelled nor disposed: marks everything below it, then notifies. */
export function settle(node: TreeNode, reason: Reason): void {
  // It costs as much as all the rest for a token with nothing below it, which needs it least.
  if (node.bits & LINKED && node.bits & (PARENT | ASKS)) reserveStack();
  // What was answered in this round may no longer be true.
  if (rounds.now !== 0) rounds.now = ++rounds.last;
  const { bits } = node;
  if (!(node.bits & LINKED)) {
    expire(bits);
    node.bits |= CANCELLED;
    node.up = reason;
    if (node.bits & ASKS) forget(node);
    return;
  }
  // To leave may call a clock of the user's, which may ask; so what was found before the marking expires behind it.
  leave(node);
  try {
    mark(node, reason);
  } catch (error) {
    // The stack has overflowed all the same. What is left is done where there is room again.
    queueMicrotask(fireNext);
    throw error;
  } finally {
    expire(bits);
  }
  tellAll();
  fireNext();
}

/** What was cached about a token with these flags, and about what depends on it, is true no longer. */
function expire(bits: number): void {
  if (bits & HAS_DEPENDENTS) epoch++;
  if (bits & GROUPED) groupEpoch++;
}

/** Notifies everything that is due, first come, first served, also what comes in meanwhile. */
function fireNext(): void {
  if (firing) return;
  const round = rounds.now;
  rounds.now = 0;
  firing = true;
  try {
    for (let item = takeDue(); item !== undefined; item = takeDue()) notify(item as Registration | Waiter);
  } finally {
    firing = false;
    if (round !== 0) rounds.now = ++rounds.last;
  }
}

function notify(due: Registration | Waiter): void {
  const node = due.owner as TreeNode;
  due.owner = undefined;
  try {
    if (due instanceof Registration) due.fire(node);
    else due.wake();
  } catch (error) {
    reportUncaught(error);
  }
}
