/**
 * What is due to be notified: marking a subtree puts its callbacks and waiters here, in the order in which they fire.
 * Invariants are cited from the head of tree.ts.
 */

import { append, detach } from '@quiesce/internal';
import {
  CANCELLED,
  DETAILED,
  type Details,
  forget,
  type Item,
  LINKED,
  PARENT,
  type Reason,
  type TreeNode,
  tell,
  WAITED,
} from './node.ts';

/** What is due to be notified, in order; its links are never undefined. One for all: an inner `cancel` joins in. */
const queue = { next: undefined as Item | undefined, prev: undefined as Item | undefined };
queue.next = queue;
queue.prev = queue;
/** What is appended to it comes last in the queue. */
const end = { head: queue as Item };

/**
 * Marks a token and everything observed below it; nothing of the user's runs meanwhile.
 *
 * The tokens wait in the queue for their turn to be marked and are replaced by their own lists there, which leaves the
 * callbacks and waiters in the order in which they fire: depth first, those of a token before what is below it.
 *
 *     queue:  … ⇄ A ⇄ B      A's list: f, C, g        queue:  … ⇄ f ⇄ g ⇄ C ⇄ B        next to mark: C
 */
export function mark(root: TreeNode, reason: Reason): void {
  append<Item>(end, root);
  for (let at: Item = root; at !== queue; ) at = expand(at as TreeNode, reason);
}

/** Marks one token and puts its list in its place. Returns the first of its children there, else what comes behind. */
function expand(node: TreeNode, reason: Reason): Item {
  const bits = node.bits;
  node.bits = (bits & ~LINKED) | CANCELLED;
  node.up = reason;
  let first = node.head as Item;
  node.head = undefined;
  if (bits & DETAILED) {
    const details = first as Details;
    first = details.next as Item;
    detach<Item>(details);
    node.head = details;
    // What is told may take others out of the queue.
    tell(node, false);
    forget(node);
  }
  // From here on nothing is called, so that a stack that overflows cannot break the queue.
  const before = node.prev as Item;
  const behind = node.next as Item;
  const last = first.prev as Item;
  node.prev = undefined;
  node.next = undefined;
  before.next = first;
  first.prev = before;
  last.next = behind;
  behind.prev = last;
  if (!(bits & PARENT)) return behind;
  return bits & WAITED ? divide(first, behind) : first;
}

/** The same for a ring of both kinds, which stands before `behind`: the children go behind the rest, in their order. */
function divide(first: Item, behind: Item): Item {
  const last = behind.prev as Item;
  let firstChild = behind;
  let item = first;
  for (;;) {
    const next = item.next as Item;
    if ((item as Partial<TreeNode>).bits !== undefined) {
      detach(item);
      append<Item>({ head: behind }, item);
      if (firstChild === behind) firstChild = item;
    }
    if (item === last) return firstChild;
    item = next;
  }
}

/** Takes out what is due first; `undefined`: nothing is. */
export function takeDue(): Item | undefined {
  const item = queue.next as Item;
  if (item === queue) return undefined;
  detach(item);
  return item;
}
