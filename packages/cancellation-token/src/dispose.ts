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

/** Removes a token from the tree without cancelling it; its waiters and children move to its parent. */
export function dispose(node: TreeNode): void {
  if (node.flags & DISPOSED) return;
  // Resolves the state before it is frozen.
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

/** Moves the list of a disposed token to its parent, except the callbacks. */
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

/** Moves a linked child to its grandparent. A deadline that it shared with its parent is now its own. */
function moveChild(child: TreeNode, parent: TreeNode | undefined): void {
  child.parentOrReason = parent;
  if (parent !== undefined) {
    addItem(parent, child);
    parent.flags |= HAS_CHILD;
    if (hasWaiterRef(child)) addWaiterRef(parent, 1);
  }
  if (child.flags & HAS_TRIGGER) notifyTrigger(child, true);
}

/** Drops a callback; moves a waiter, which then waits for the parent. */
function moveListener(item: Registration | Waiter, parent: TreeNode | undefined): void {
  item.owner = undefined;
  if (item instanceof Registration) item.clearCallback();
  else if (parent !== undefined) observe(parent, item);
}
