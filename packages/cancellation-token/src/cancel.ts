/** Cancelling: marks every observed token below, then notifies. Invariants are cited from the head of tree.ts. */

import { removeInner, reserveStack } from '@quiesce/internal';
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

/** Increased by each cancellation that other tokens depend on, which expires all cached negative results; 0: not cached. */
export let epoch = 1;
/** The same for groups: increased by each cancellation that a group depends on. */
export let groupEpoch = 1;

/** The current round of polling (0: none) and the last one; see group.ts. */
export const rounds: { now: number; last: number } = { now: 0, last: 0 };

/** Set while an outer `cancel` notifies, which also notifies the items that are queued during that time. */
let isNotifying = false;

/** Cancels a token that is neither cancelled nor disposed: marks everything below it, then notifies. */
export function cancelSubtree(node: TreeNode, reason: Reason): void {
  // A token with nothing below it is skipped: there the reservation would double the cost, and is needed least.
  if (node.flags & OBSERVED && node.flags & (HAS_CHILD | HAS_TRIGGER)) reserveStack();
  // A negative result of this round may be outdated now.
  if (rounds.now !== 0) rounds.now = ++rounds.last;
  if (!(node.flags & OBSERVED)) {
    expireCaches(node.flags);
    node.flags |= CANCELLED;
    node.parentOrReason = reason;
    if (node.flags & HAS_TRIGGER) dropTrigger(node);
    return;
  }
  // Unlinking may call a user's clock, which may query tokens and make children. The caches are therefore expired after the marking.
  unlinkFromParent(node);
  try {
    markSubtree(node, reason);
  } catch (error) {
    // The stack has overflowed in spite of the reservation. A microtask has room to notify the rest.
    queueMicrotask(notifyPending);
    throw error;
  } finally {
    expireCaches(node.flags);
  }
  stopTriggers();
  notifyPending();
}

/** Expires the cached results that depend on a token with these flags. */
function expireCaches(flags: number): void {
  if (flags & HAS_DEPENDENTS) epoch++;
  if (flags & HAS_GROUP) groupEpoch++;
}

/** Notifies all queued items, first in, first out, including those that are queued during that time. */
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

/**
 * The queued items, in notification order; its links are never undefined. One for all, so that a nested `cancel` appends to it.
 */
const queue: Item = /* @__PURE__ */ createQueue();
function createQueue(): Item {
  const end: Item = { next: undefined, prev: undefined };
  end.next = end;
  end.prev = end;
  return end;
}

/** Tokens that were marked and whose triggers have yet to be stopped. */
const markedWithTrigger: TreeNode[] = [];

/**
 * Marks a token and everything observed below it; no user code runs during that time.
 *
 * The tokens wait in the queue to be marked, and each is then replaced by its own list. The callbacks and waiters are thus
 * queued in notification order: depth first, those of a token before everything below it.
 *
 *     queue:  … ⇄ A ⇄ B      A's list: f, C, g        queue:  … ⇄ f ⇄ g ⇄ C ⇄ B        next to mark: C
 */
function markSubtree(root: TreeNode, reason: Reason): void {
  const last = queue.prev as Item;
  root.flags |= CANCELLED;
  root.parentOrReason = reason;
  root.prev = last;
  root.next = queue;
  last.next = root;
  queue.prev = root;
  for (let at: Item = root; at !== queue; ) at = markOne(at as TreeNode);
}

/** Stops the triggers of the marked tokens, after all are marked: clocks and foreign signals run user code. */
function stopTriggers(): void {
  for (let node = markedWithTrigger.pop(); node !== undefined; node = markedWithTrigger.pop()) {
    notifyTrigger(node, false);
    dropTrigger(node);
  }
}

/** Marks one token and puts its list in its place. Returns the first of its children there, else the item after it. */
function markOne(node: TreeNode): Item {
  const flags = node.flags;
  // The parent is already marked, and its reason is passed down; the root has its reason already.
  if (!(flags & CANCELLED))
    node.parentOrReason = reasonFor(node, (node.parentOrReason as TreeNode).parentOrReason as Reason);
  node.flags = (flags & ~OBSERVED) | CANCELLED;
  let first = node.head;
  node.head = undefined;
  // From here on no function is called until the links are consistent again.
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

/** Moves the children of a list that holds both kinds, and that is followed by `behind`, to its end; the order stays. */
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

/** Whether an item has yet to be notified of a cancellation. */
export function hasPending(): boolean {
  return queue.next !== queue;
}

/** Removes and returns the first queued item; `undefined`: the queue is empty. */
function takeNext(): Item | undefined {
  for (;;) {
    const item = queue.next as Item;
    if (item === queue) return undefined;
    if (!isNode(item)) {
      removeInner(item);
      return item;
    }
    // An overflowing stack has left this token unmarked.
    markOne(item);
    stopTriggers();
  }
}
