/**
 * Cancelling: marks everything observed below a token, then notifies. Invariants are cited from the head of tree.ts.
 */

import { detach, reserveStack } from '@quiesce/internal';
import { Registration, unlinkFromParent } from './links.ts';
import {
  CANCELLED,
  dropTrigger,
  HAS_CHILD,
  HAS_DEPENDENTS,
  HAS_DETAILS,
  HAS_GROUP,
  HAS_LISTENER,
  HAS_TRIGGER,
  type Item,
  isNode,
  notifyTrigger,
  OBSERVED,
  type Reason,
  reasonFor,
  type TreeNode,
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
let isNotifying = false;

/** Cancels a token that is neither cancelled nor disposed: marks everything below it, then notifies. */
export function cancelSubtree(node: TreeNode, reason: Reason): void {
  // It costs as much as all the rest for a token with nothing below it, which needs it least.
  if (node.flags & OBSERVED && node.flags & (HAS_CHILD | HAS_TRIGGER)) reserveStack();
  // What was answered in this round may no longer be true.
  if (rounds.now !== 0) rounds.now = ++rounds.last;
  const { flags } = node;
  if (!(node.flags & OBSERVED)) {
    expireCaches(flags);
    node.flags |= CANCELLED;
    node.parentOrReason = reason;
    if (node.flags & HAS_TRIGGER) dropTrigger(node);
    return;
  }
  // To leave may call a clock of the user's, which may ask; so what was found before the marking expires behind it.
  unlinkFromParent(node);
  try {
    markSubtree(node, reason);
  } catch (error) {
    // The stack has overflowed all the same. What is left is done where there is room again.
    queueMicrotask(notifyPending);
    throw error;
  } finally {
    expireCaches(flags);
  }
  stopTriggers();
  notifyPending();
}

/** What was cached about a token with these flags, and about what depends on it, is true no longer. */
function expireCaches(flags: number): void {
  if (flags & HAS_DEPENDENTS) epoch++;
  if (flags & HAS_GROUP) groupEpoch++;
}

/** Notifies everything that is due, first come, first served, also what comes in meanwhile. */
function notifyPending(): void {
  if (isNotifying) return;
  const round = rounds.now;
  rounds.now = 0;
  isNotifying = true;
  try {
    for (let item = takeNext(); item !== undefined; item = takeNext()) notifyItem(item as Registration | Waiter);
  } finally {
    isNotifying = false;
    if (round !== 0) rounds.now = ++rounds.last;
  }
}

function notifyItem(item: Registration | Waiter): void {
  const node = item.owner as TreeNode;
  item.owner = undefined;
  try {
    if (item instanceof Registration) item.fire(node);
    else item.wake();
  } catch (error) {
    reportUncaught(error);
  }
}

/** What is due to be notified, in order; its links are never undefined. One for all: an inner `cancel` joins in. */
const queue: Item = /* @__PURE__ */ createQueue();
function createQueue(): Item {
  const end: Item = { next: undefined, prev: undefined };
  end.next = end;
  end.prev = end;
  return end;
}

/** The tokens that were marked and whose origins have yet to be told so. */
const markedWithTrigger: TreeNode[] = [];

/**
 * Marks a token and everything observed below it; nothing of the user's runs meanwhile.
 *
 * The tokens wait in the queue for their turn to be marked and are replaced by their own lists there, which leaves the
 * callbacks and waiters in the order in which they fire: depth first, those of a token before what is below it.
 *
 *     queue:  … ⇄ A ⇄ B      A's list: f, C, g        queue:  … ⇄ f ⇄ g ⇄ C ⇄ B        next to mark: C
 */
export function markSubtree(root: TreeNode, reason: Reason): void {
  const last = queue.prev as Item;
  root.flags |= CANCELLED;
  root.parentOrReason = reason;
  root.prev = last;
  root.next = queue;
  last.next = root;
  queue.prev = root;
  for (let at: Item = root; at !== queue; ) at = markOne(at as TreeNode);
}

/** Tells those that were marked, when all are: clocks and foreign signals are the user's. */
export function stopTriggers(): void {
  for (let node = markedWithTrigger.pop(); node !== undefined; node = markedWithTrigger.pop()) {
    notifyTrigger(node, false);
    dropTrigger(node);
  }
}

/** Marks one token and puts its list in its place. Returns the first of its children there, else what comes behind. */
function markOne(node: TreeNode): Item {
  const flags = node.flags;
  // That of the parent, which is marked by now; but for the root, which has it itself.
  if (!(flags & CANCELLED))
    node.parentOrReason = reasonFor(node, (node.parentOrReason as TreeNode).parentOrReason as Reason);
  node.flags = (flags & ~OBSERVED) | CANCELLED;
  let first = node.head;
  node.head = undefined;
  // Nothing is called from here on until the links are in order again.
  const last = first?.prev;
  if (flags & HAS_DETAILS) {
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
  if (flags & HAS_TRIGGER && flags & HAS_DETAILS) markedWithTrigger.push(node);
  if (!(flags & HAS_CHILD)) return behind;
  return flags & HAS_LISTENER ? moveChildrenLast(first, behind) : first;
}

/** The same for a ring of both kinds, which stands before `behind`: the children go behind the rest, in their order. */
function moveChildrenLast(first: Item, behind: Item): Item {
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
export function hasPending(): boolean {
  return queue.next !== queue;
}

/** Takes out what is due first; `undefined`: nothing is. */
export function takeNext(): Item | undefined {
  for (;;) {
    const item = queue.next as Item;
    if (item === queue) return undefined;
    if (!isNode(item)) {
      detach(item);
      return item;
    }
    // Left unmarked by a stack that overflowed.
    markOne(item);
    stopTriggers();
  }
}
