/** Leaving the tree without being cancelled. Invariants are cited from the head of tree.ts. */

import { append, remove } from '@quiesce/internal';
import { hold, isBare, isHeld, observe, Registration, unlink } from './links.ts';
import {
  ASKS,
  attach,
  CANCELLED,
  DISPOSED,
  detailsOf,
  forget,
  type Item,
  isNode,
  LINKED,
  PARENT,
  shorten,
  type TreeNode,
  tell,
  WAITED,
} from './node.ts';
import type { Waiter } from './source.ts';
import { isCancelled } from './tree.ts';

/** Takes a token out of the tree without cancelling it; its waiters and children go to its parent. */
export function dispose(node: TreeNode): void {
  if (node.bits & DISPOSED) return;
  // Settles the state before it is frozen.
  isCancelled(node);
  const bits = node.bits;
  node.bits = (bits | DISPOSED) & ~(LINKED | PARENT | WAITED);
  if (bits & CANCELLED) return;
  const up = shorten(node);
  if (!(bits & LINKED)) {
    if (bits & ASKS) forget(node);
    return;
  }
  if (bits & ASKS) tell(node, false);
  if (up !== undefined) {
    if (isHeld(node)) hold(up, -1);
    remove<Item>(up, node);
  }
  forget(node);
  rehang(node, up);
  if (up !== undefined && isBare(up)) unlink(up);
}

/** Moves what is in the list of a disposed token to its parent, but for what was registered on the token itself. */
function rehang(node: TreeNode, up: TreeNode | undefined): void {
  const details = detailsOf(node);
  if (details !== undefined) remove(node, details);
  for (let item = node.head; item !== undefined; item = node.head) {
    remove(node, item);
    if (isNode(item)) {
      move(item, up);
    } else {
      release(item as Registration | Waiter, up);
    }
  }
  if (details !== undefined) append<Item>(node, details);
}

/** A linked child goes to the parent of its parent; a deadline that it had in common with that is now its own. */
function move(child: TreeNode, up: TreeNode | undefined): void {
  child.up = up;
  if (up !== undefined) {
    attach(up, child);
    up.bits |= PARENT;
    if (isHeld(child)) hold(up, 1);
  }
  if (child.bits & ASKS) tell(child, true);
}

/** What was registered on the token itself ends with it; who waits goes on waiting for its parent. */
function release(item: Registration | Waiter, up: TreeNode | undefined): void {
  item.owner = undefined;
  if (item instanceof Registration) item.drop();
  else if (up !== undefined) observe(up, item);
}
