/**
 * What is due to be notified: marking a subtree puts its callbacks and waiters here, in the order in which they fire.
 * Invariants are cited from the head of tree.ts.
 */

import {
  CANCELLED,
  DETAILED,
  type Details,
  type Item,
  LINKED,
  PARENT,
  type Reason,
  type TreeNode,
  WAITED,
} from './node.ts';

/** What is due to be notified, in order; its links are never undefined. One for all: an inner `cancel` joins in. */
const queue = { next: undefined as Item | undefined, prev: undefined as Item | undefined };
queue.next = queue;
queue.prev = queue;
/**
 * Marks a token and everything observed below it; nothing of the user's runs meanwhile.
 *
 * The tokens wait in the queue for their turn to be marked and are replaced by their own lists there, which leaves the
 * callbacks and waiters in the order in which they fire: depth first, those of a token before what is below it.
 *
 *     queue:  … ⇄ A ⇄ B      A's list: f, C, g        queue:  … ⇄ f ⇄ g ⇄ C ⇄ B        next to mark: C
 */
export function mark(root: TreeNode, reason: Reason): void {
  let at: Item = expand(root, reason, queue as Item);
  while (at !== queue) {
    const behind = at.next as Item;
    detach(at);
    at = expand(at as TreeNode, reason, behind);
  }
}

/** Marks one token and puts its list before `behind`. Returns the first of its children there, else `behind`. */
function expand(node: TreeNode, reason: Reason, behind: Item): Item {
  const bits = node.bits;
  node.bits = (bits & ~LINKED) | CANCELLED;
  node.up = reason;
  let first = node.head as Item;
  node.head = undefined;
  if (bits & DETAILED) {
    const details = first as Details;
    first = details.next as Item;
    detach(details);
    node.head = details;
    details.follows?.stop();
  }
  if ((bits & (PARENT | WAITED)) === (PARENT | WAITED)) return divide(first, behind);
  splice(first, behind);
  return bits & PARENT ? first : behind;
}

/** Puts the ring that starts at `first` before `behind`. */
function splice(first: Item, behind: Item): void {
  const last = first.prev as Item;
  const before = behind.prev as Item;
  before.next = first;
  first.prev = before;
  last.next = behind;
  behind.prev = last;
}

/** Like `splice`, for a ring of both kinds: callbacks and waiters first, then the children, each kind in its order. */
function divide(first: Item, behind: Item): Item {
  (first.prev as Item).next = undefined;
  let child: Item = behind;
  let item: Item | undefined = first;
  while (item !== undefined) {
    const next: Item | undefined = item.next;
    const isChild = (item as Partial<TreeNode>).bits !== undefined;
    const place = isChild ? behind : child;
    const before = place.prev as Item;
    before.next = item;
    item.prev = before;
    item.next = place;
    place.prev = item;
    if (isChild && child === behind) child = item;
    item = next;
  }
  return child;
}

/** Takes an item out of the queue, which never runs empty of its own sentinel. */
export function detach(item: Item): void {
  const next = item.next as Item;
  const prev = item.prev as Item;
  prev.next = next;
  next.prev = prev;
  // Or one held registration would keep all its siblings alive.
  item.next = undefined;
  item.prev = undefined;
}

/** Takes out what is due first; `undefined`: nothing is. */
export function takeDue(): Item | undefined {
  const item = queue.next as Item;
  if (item === queue) return undefined;
  detach(item);
  return item;
}
