/** The way up, past tokens that were disposed. Invariants are cited from the head of tree.ts. */

import { CANCELLED, DISPOSED, type TreeNode } from './node.ts';

/** Drops disposed tokens between `node` and its parent, so that they can be collected; a cancelled one is not dropped. */
export function shorten(node: TreeNode): TreeNode | undefined {
  let up = node.up as TreeNode | undefined;
  // Nearly always there are none, and then nothing is written: a child made and disposed would take 16 ns and not 14.
  if (up === undefined || !(up.bits & DISPOSED)) return up;
  while (up !== undefined && (up.bits & (DISPOSED | CANCELLED)) === DISPOSED) up = up.up as TreeNode | undefined;
  node.up = up;
  return up;
}

/**
 * The token whose state answers for the waiters of `node`, and below which its children are born: itself, or when it was
 * disposed without being cancelled the nearest above that was not.
 */
export function answering(node: TreeNode): TreeNode | undefined {
  return (node.bits & (DISPOSED | CANCELLED)) === DISPOSED ? shorten(node) : node;
}
