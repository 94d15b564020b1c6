/** The way up, past tokens that were disposed. Invariants are cited from the head of tree.ts. */

import { CANCELLED, DISPOSED, type TreeNode } from './node.ts';

/** The nearest token from `node` on that is not disposed; a cancelled one counts, disposed or not. */
function living(node: TreeNode | undefined): TreeNode | undefined {
  let at = node;
  while (at !== undefined && (at.bits & (DISPOSED | CANCELLED)) === DISPOSED) at = at.up as TreeNode | undefined;
  return at;
}

/** Drops disposed tokens between `node` and its parent, so that they can be collected. */
export function shorten(node: TreeNode): TreeNode | undefined {
  const up = node.up as TreeNode | undefined;
  if (up !== undefined && up.bits & DISPOSED) node.up = living(up);
  return node.up as TreeNode | undefined;
}

/**
 * The token whose state answers for the waiters of `node`, and below which its children are born: itself, or when it was
 * disposed without being cancelled the nearest above that was not.
 */
export function answering(node: TreeNode): TreeNode | undefined {
  return (node.bits & (DISPOSED | CANCELLED)) === DISPOSED ? shorten(node) : node;
}
