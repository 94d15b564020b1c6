/**
 * What is due to be notified: marking a subtree puts its callbacks and waiters here, in the order in which they fire.
 * Invariants are cited from the head of tree.ts.
 */

import { detach } from '@quiesce/internal';
import {
  ASKS,
  CANCELLED,
  DETAILED,
  forget,
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
