/** The way up, past tokens that were disposed. Invariants are cited from the head of tree.ts. */

import { CANCELLED, DISPOSED, type TreeNode } from './node.ts';

/** The parent of a child that is born now below `node`: the nearest that is not disposed, unless cancelled (invariant 3). */
export function parentFor(node: TreeNode): TreeNode | undefined {
  return (node.bits & (DISPOSED | CANCELLED)) === DISPOSED ? living(node.up as TreeNode | undefined) : node;
}

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

/** The token whose state answers for the waiters of `node`: itself, or when it is disposed the one they moved to. */
export function answering(node: TreeNode): TreeNode | undefined {
  return (node.bits & (DISPOSED | CANCELLED)) === DISPOSED ? shorten(node) : node;
}
