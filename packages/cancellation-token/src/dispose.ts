/** Leaving the tree without being cancelled. Invariants are cited from the head of tree.ts. */

import { append, remove } from '@quiesce/internal';
import { addWaiterRef, becomeUnobserved, hasEmptyList, hasWaiterRef, observe, Registration } from './links.ts';
import {
  addItem,
  CANCELLED,
  DISPOSED,
  detailsOf,
  dropTrigger,
  HAS_CHILD,
  HAS_LISTENER,
  HAS_TRIGGER,
  type Item,
  isNode,
  notifyTrigger,
  OBSERVED,
  skipDisposed,
  type TreeNode,
} from './node.ts';
import type { Waiter } from './source.ts';
import { isCancelled } from './tree.ts';

/** Takes a token out of the tree without cancelling it; its waiters and children go to its parent. */
export function dispose(node: TreeNode): void {
  if (node.flags & DISPOSED) return;
  // Settles the state before it is frozen.
  isCancelled(node);
  const flags = node.flags;
  node.flags = (flags | DISPOSED) & ~(OBSERVED | HAS_CHILD | HAS_LISTENER);
  if (flags & CANCELLED) return;
  const parent = skipDisposed(node);
  if (!(flags & OBSERVED)) {
    if (flags & HAS_TRIGGER) dropTrigger(node);
    return;
  }
  if (flags & HAS_TRIGGER) notifyTrigger(node, false);
  if (parent !== undefined) {
    if (hasWaiterRef(node)) addWaiterRef(parent, -1);
    remove<Item>(parent, node);
  }
  dropTrigger(node);
  moveList(node, parent);
  if (parent !== undefined && hasEmptyList(parent)) becomeUnobserved(parent);
}

/** Moves what is in the list of a disposed token to its parent, but for what was registered on the token itself. */
function moveList(node: TreeNode, parent: TreeNode | undefined): void {
  const details = detailsOf(node);
  if (details !== undefined) remove(node, details);
  for (let item = node.head; item !== undefined; item = node.head) {
    remove(node, item);
    if (isNode(item)) {
      moveChild(item, parent);
    } else {
      moveListener(item as Registration | Waiter, parent);
    }
  }
  if (details !== undefined) append<Item>(node, details);
}

/** A linked child goes to the parent of its parent; a deadline that it had in common with that is now its own. */
function moveChild(child: TreeNode, parent: TreeNode | undefined): void {
  child.parentOrReason = parent;
  if (parent !== undefined) {
    addItem(parent, child);
    parent.flags |= HAS_CHILD;
    if (hasWaiterRef(child)) addWaiterRef(parent, 1);
  }
  if (child.flags & HAS_TRIGGER) notifyTrigger(child, true);
}

/** What was registered on the token itself ends with it; who waits goes on waiting for its parent. */
function moveListener(item: Registration | Waiter, parent: TreeNode | undefined): void {
  item.owner = undefined;
  if (item instanceof Registration) item.drop();
  else if (parent !== undefined) observe(parent, item);
}
