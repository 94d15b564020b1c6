/**
 * Cancelling: marks everything observed below a token, then notifies. Invariants are cited from the head of tree.ts.
 */

import { detach, reserveStack } from '@quiesce/internal';
import { leave, Registration } from './links.ts';
import {
  ASKS,
  CANCELLED,
  DETAILED,
  forget,
  GROUPED,
  HAS_DEPENDENTS,
  type Item,
  isNode,
  LINKED,
  PARENT,
  type Reason,
  type TreeNode,
  takenOver,
  tell,
  WAITED,
} from './node.ts';
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

/** What is due to be notified, in order; its links are never undefined. One for all: an inner `cancel` joins in. */
const queue: Item = /* @__PURE__ */ ring();
function ring(): Item {
  const end: Item = { next: undefined, prev: undefined };
  end.next = end;
  end.prev = end;
  return end;
}

/** The tokens that were marked and whose origins have yet to be told so. */
const told: TreeNode[] = [];

/**
 * Marks a token and everything observed below it; nothing of the user's runs meanwhile.
 *
 * The tokens wait in the queue for their turn to be marked and are replaced by their own lists there, which leaves the
 * callbacks and waiters in the order in which they fire: depth first, those of a token before what is below it.
 *
 *     queue:  … ⇄ A ⇄ B      A's list: f, C, g        queue:  … ⇄ f ⇄ g ⇄ C ⇄ B        next to mark: C
 */
export function mark(root: TreeNode, reason: Reason): void {
  const last = queue.prev as Item;
  root.bits |= CANCELLED;
  root.up = reason;
  root.prev = last;
  root.next = queue;
  last.next = root;
  queue.prev = root;
  for (let at: Item = root; at !== queue; ) at = expand(at as TreeNode);
}

/** Tells those that were marked, when all are: clocks and foreign signals are the user's. */
export function tellAll(): void {
  for (let node = told.pop(); node !== undefined; node = told.pop()) {
    tell(node, false);
    forget(node);
  }
}

/** Marks one token and puts its list in its place. Returns the first of its children there, else what comes behind. */
function expand(node: TreeNode): Item {
  const bits = node.bits;
  // That of the parent, which is marked by now; but for the root, which has it itself.
  if (!(bits & CANCELLED)) node.up = takenOver(node, (node.up as TreeNode).up as Reason);
  node.bits = (bits & ~LINKED) | CANCELLED;
  let first = node.head;
  node.head = undefined;
  // Nothing is called from here on until the links are in order again.
  const last = first?.prev;
  if (bits & DETAILED) {
    // head ──► details ⇄ first ⇄ … ⇄ last ⇄ (details)   becomes   head ──► details
    const details = first as Item;
    node.head = details;
    first = details.next;
    details.next = undefined;
    details.prev = undefined;
  }
  // … before ⇄ node ⇄ behind …   becomes   … before ⇄ first ⇄ … ⇄ last ⇄ behind …
  const before = node.prev as Item;
  const behind = node.next as Item;
  node.prev = undefined;
  node.next = undefined;
  // Empty only where an overflowing stack has broken invariant 1.
  if (first === undefined || first === node.head) {
    before.next = behind;
    behind.prev = before;
    return behind;
  }
  before.next = first;
  first.prev = before;
  (last as Item).next = behind;
  behind.prev = last;
  if (bits & ASKS && bits & DETAILED) told.push(node);
  if (!(bits & PARENT)) return behind;
  return bits & WAITED ? divide(first, behind) : first;
}

/** The same for a ring of both kinds, which stands before `behind`: the children go behind the rest, in their order. */
function divide(first: Item, behind: Item): Item {
  const last = behind.prev as Item;
  let firstChild = behind;
  for (let item = first; ; ) {
    const next = item.next as Item;
    const end = behind.prev as Item;
    if (isNode(item)) {
      if (firstChild === behind) firstChild = item;
      // In place, without a call (see expand): … a ⇄ item ⇄ b … z ⇄ behind   becomes   … a ⇄ b … z ⇄ item ⇄ behind
      if (item !== end) {
        const before = item.prev as Item;
        before.next = next;
        next.prev = before;
        end.next = item;
        item.prev = end;
        item.next = behind;
        behind.prev = item;
      }
    }
    if (item === last) return firstChild;
    item = next;
  }
}

/** Whether somebody has yet to be notified of a cancellation. */
export function isDue(): boolean {
  return queue.next !== queue;
}

/** Takes out what is due first; `undefined`: nothing is. */
export function takeDue(): Item | undefined {
  for (;;) {
    const item = queue.next as Item;
    if (item === queue) return undefined;
    if (!isNode(item)) {
      detach(item);
      return item;
    }
    // Left unmarked by a stack that overflowed.
    expand(item);
    tellAll();
  }
}
