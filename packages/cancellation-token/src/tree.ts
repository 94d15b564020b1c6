/**
 * The cancellation tree: the machine under `CancellationToken`, as functions over a plain record of five fields.
 *
 *                    observe                       cancel (here or above)
 *     unobserved ───────────────► observed ──────────────────────────────► cancelled
 *         ▲   └──────────────────────┘ │                                      ▲
 *         │        unobserve           │ dispose                              │ cancel, or the first look after
 *         └──────────────┐             ▼                                      │ a cancel above
 *                        └──────── disposed (frozen as it was) ◄── dispose ── unobserved
 *
 * A token is *observed* when its list holds a callback, a waiter, a signal that was read, or an observed child.
 *
 * Invariants
 *  1. Observed ⇔ LINKED ⇔ the list holds more than the details ⇔ the token is in its parent's list (if it has one).
 *     All ancestors of an observed token are therefore observed, up to the root.
 *  2. An observed token's CANCELLED bit is the truth, because `cancel` marks the whole observed subtree before anything
 *     is notified. An unobserved token learns it by walking up to the nearest token that knows.
 *  3. `up` is the parent until the token is cancelled and the `Reason` from then on; a whole subtree shares one `Reason`, but for what
 *     is below a deadline that had passed before.
 *     A linked token's parent is never disposed; an unobserved one's may be, and is skipped.
 *  4. The details, if there are any, are the first item of the list, alone in it when unobserved. A token with an origin
 *     and without details is unobserved, and `head` is the origin.
 *  5. A token whose epoch equals the module's, and that is not CANCELLED, has been found not cancelled since the last
 *     cancellation of a token with dependents anywhere, and has no UNDER: what an ancestor learns only when asked (a foreign signal, several tokens)
 *     may not be cached over. Its own origin, if it has one, is asked each time; of deadlines its own is the earliest. A walk leaves its answer at
 *     every 64th token, yes or no. So one long chain is asked token by token, from either end, in O(length).
 *  6. Between marking and firing, a notification stands in `queue`, linked to nothing but its neighbours there, its
 *     `owner` still its token. Who finds an owner that is CANCELLED therefore knows in which list the item is.
 *  7. A token with the TIMED bit counts in `held` its waiters and those of its linked children that hold in their turn;
 *     its origin is told when that becomes more than none, and none again. Only waiters hold the process, not callbacks.
 *  8. A deadline is copied by the children. Of tokens that share one, the topmost is cancelled, and alone sets the timer.
 *
 * Guarantees not given: the order between the callbacks of a `cancel` that is called inside a callback and those that
 * are still due (the inner ones come last); `token.signal.aborted` before the signal's turn; that a `cancel` in which the stack
 * overflows reaches all that is below its own token (everybody else is unharmed).
 */

import { epoch, settle } from './cancel.ts';
import {
  ASKS,
  CANCELLED,
  DISPOSED,
  HAS_DEPENDENTS,
  LINKED,
  type Origin,
  originate,
  originOf,
  type Reason,
  shorten,
  TIMED,
  type TreeNode,
  takenOver,
  UNDER,
} from './node.ts';

/** From this bit on stands the epoch in which it was last found not cancelled. */
const EPOCH_SHIFT = 11;
const EPOCH_MASK = -1 << EPOCH_SHIFT;
/** The last epoch that fits into a small integer of every engine; from then on nothing is cached. */
const EPOCH_END = 2 ** 19 - 1;
/** A walk leaves its answer at every so many tokens (less one): often enough for those who walk there later. */
const MARKS = 63;

/** Makes `child`, which was just made, a child of `parent`. */
export function adopt(child: TreeNode, parent: TreeNode | undefined): void {
  child.up = parent;
  if (parent === undefined) return;
  const bits = parent.bits;
  if (!(bits & HAS_DEPENDENTS)) parent.bits = bits | HAS_DEPENDENTS;
  if (bits & (ASKS | UNDER)) {
    const origin = originOf(parent);
    const isInherited = origin?.isInherited === true;
    // Its own copy of a deadline is the earliest there is, so nobody above need be asked about time.
    const isUnder = bits & UNDER || (bits & ASKS && !isInherited);
    child.bits |= (bits & TIMED) | (isUnder ? UNDER : 0);
    if (isInherited) originate(child, origin, 0);
  } else if (bits & LINKED) {
    // Invariant 2: it is not cancelled, and so its child is not.
    remember(child);
  } else if (!(bits & CANCELLED)) {
    // Nor is it if the parent was found not to be in this epoch.
    child.bits |= bits & EPOCH_MASK;
  }
}

/** Whether the token is cancelled. O(1) when observed or asked before, else O(distance to the nearest that knows). */
export function isCancelled(node: TreeNode): boolean {
  const bits = node.bits;
  if (bits & (CANCELLED | DISPOSED)) return (bits & CANCELLED) !== 0;
  if (bits & (ASKS | UNDER)) return askFirst(node);
  return bits >>> EPOCH_SHIFT === epoch || bits & LINKED ? false : look(node);
}

/** The same for a token of which more than the tree decides. */
function askFirst(node: TreeNode): boolean {
  const isSettled = !(node.bits & UNDER) && originOf(node)?.ask() === undefined;
  // Asking may have run callbacks.
  const bits = node.bits;
  if (bits & (CANCELLED | DISPOSED)) return (bits & CANCELLED) !== 0;
  return isSettled && (bits & LINKED || bits >>> EPOCH_SHIFT === epoch) ? false : look(node);
}

/** The reason of a cancelled token. */
export function reasonOf(node: TreeNode): unknown {
  return (node.up as Reason).value;
}

/** What a walk has to look at more closely than a glance. */
const SPECIAL = CANCELLED | DISPOSED | LINKED | ASKS | UNDER;

/** Walks up to the nearest token that knows, and remembers its answer, here and (invariant 5) along the way. */
function look(node: TreeNode): boolean {
  const now = epoch;
  let asks = node.bits & ASKS;
  let steps = 0;
  let marks: TreeNode[] | undefined;
  for (let at = node.up as TreeNode | undefined; at !== undefined; at = at.up as TreeNode | undefined) {
    const bits = at.bits;
    if (bits & SPECIAL) {
      if (bits & CANCELLED) {
        learn(node, at.up as Reason);
        if (marks !== undefined) for (const mark of marks) learn(mark, at.up as Reason);
        return true;
      }
      // A disposed token only passes the question on.
      if (bits & DISPOSED) continue;
      asks |= bits & ASKS;
      // Invariant 2, unless somebody above it asks.
      if ((bits & (LINKED | UNDER)) === LINKED) break;
    }
    if (bits >>> EPOCH_SHIFT === now) break;
    if ((++steps & MARKS) === 0) {
      marks ??= [];
      marks.push(at);
    }
  }
  shorten(node);
  if (asks) {
    // Asking may cancel others, whose callbacks may cancel what was passed already.
    if (!askAll(node) && epoch !== now) return isCancelled(node);
    // Or disposed by one of them, and frozen as it was.
    if (node.bits & (CANCELLED | DISPOSED)) return (node.bits & CANCELLED) !== 0;
  }
  remember(node);
  if (marks !== undefined && epoch === now) marks.forEach(remember);
  return false;
}

/** Gives a token the reason of one above it, so that it answers at once from now on. */
function learn(node: TreeNode, reason: Reason): void {
  if (node.bits & (DISPOSED | CANCELLED)) return;
  node.bits |= CANCELLED;
  node.up = takenOver(node, reason);
}

/** Whether the token is known to be cancelled, without asking anybody: nothing of the user's runs, and no time passes. */
export function isMarked(node: TreeNode): boolean {
  for (let at: TreeNode | undefined = node; at !== undefined; at = at.up as TreeNode | undefined) {
    if (at.bits & CANCELLED) {
      inherit(node, at);
      return true;
    }
    if (at.bits & LINKED) return false;
  }
  return false;
}

/** Writes down that the token was found not cancelled, unless somebody above it has to be asked each time. */
function remember(node: TreeNode): void {
  if (epoch >= EPOCH_END || node.bits & UNDER) return;
  node.bits = (node.bits & ~EPOCH_MASK) | (epoch << EPOCH_SHIFT);
}

/** Asks every origin from `node` on upwards. None of them is cancelled: a reason that is there already goes first. */
function askAll(node: TreeNode): boolean {
  let last: Origin | undefined;
  for (let at: TreeNode | undefined = node; at !== undefined; at = at.up as TreeNode | undefined) {
    const origin: Origin | undefined = (at.bits & (ASKS | DISPOSED)) === ASKS ? originOf(at) : undefined;
    // All below a deadline share it.
    if (origin !== undefined && origin !== last && ask(at, origin)) {
      inherit(node, at);
      return true;
    }
    last = origin;
    if (!(at.bits & (UNDER | DISPOSED))) break;
  }
  return false;
}

/** Asks a token's origin; cancels it there and then if that says so. */
function ask(node: TreeNode, origin: Origin): boolean {
  const reason = origin.ask();
  // It may have been cancelled or disposed meanwhile, by the callbacks of what its origin asked.
  if (reason === undefined || node.bits & (CANCELLED | DISPOSED)) return false;
  const top = topmost(node, origin, reason);
  settle(top, reason);
  inherit(node, top);
  return true;
}

/** The topmost of the tokens that a deadline cancels for the same reason (invariant 8). */
function topmost(node: TreeNode, origin: Origin, reason: Reason): TreeNode {
  let top = node;
  for (let up = shorten(top); up !== undefined && origin.isInherited; up = shorten(top)) {
    const above = originOf(up);
    if (above !== origin && !(above?.isInherited && above.ask() === reason)) break;
    top = up;
  }
  return top;
}

/** Hands the reason of `from` down the path to `node`, so that each token on it answers at once from now on. */
function inherit(node: TreeNode, from: TreeNode): void {
  const reason = from.up as Reason;
  let at = node;
  while (at !== from && !(at.bits & CANCELLED)) {
    const up = at.up as TreeNode;
    learn(at, reason);
    at = up;
  }
}
