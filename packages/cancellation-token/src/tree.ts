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

import { cancelSubtree, epoch } from './cancel.ts';
import {
  attachTrigger,
  BELOW_TRIGGER,
  CANCELLED,
  COUNTS_WAITERS,
  DISPOSED,
  HAS_DEPENDENTS,
  HAS_TRIGGER,
  OBSERVED,
  type Reason,
  reasonFor,
  skipDisposed,
  type TreeNode,
  type Trigger,
  triggerOf,
} from './node.ts';

/** From this bit on stands the epoch in which it was last found not cancelled. */
const EPOCH_SHIFT = 11;
const EPOCH_MASK = -1 << EPOCH_SHIFT;
/** The last epoch that fits into a small integer of every engine; from then on nothing is cached. */
const EPOCH_END = 2 ** 19 - 1;
/** A walk leaves its answer at every so many tokens (less one): often enough for those who walk there later. */
const CACHE_EVERY = 63;

/** Makes `child`, which was just made, a child of `parent`. */
export function adopt(child: TreeNode, parent: TreeNode | undefined): void {
  child.parentOrReason = parent;
  if (parent === undefined) return;
  const flags = parent.flags;
  if (!(flags & HAS_DEPENDENTS)) parent.flags = flags | HAS_DEPENDENTS;
  if (flags & (HAS_TRIGGER | BELOW_TRIGGER)) {
    const trigger = triggerOf(parent);
    const isInherited = trigger?.isInherited === true;
    // Its own copy of a deadline is the earliest there is, so nobody above need be asked about time.
    const isUnder = flags & BELOW_TRIGGER || (flags & HAS_TRIGGER && !isInherited);
    child.flags |= (flags & COUNTS_WAITERS) | (isUnder ? BELOW_TRIGGER : 0);
    if (isInherited) attachTrigger(child, trigger, 0);
  } else if (flags & OBSERVED) {
    // Invariant 2: it is not cancelled, and so its child is not.
    cacheNotCancelled(child);
  } else if (!(flags & CANCELLED)) {
    // Nor is it if the parent was found not to be in this epoch.
    child.flags |= flags & EPOCH_MASK;
  }
}

/** Whether the token is cancelled. O(1) when observed or asked before, else O(distance to the nearest that knows). */
export function isCancelled(node: TreeNode): boolean {
  const flags = node.flags;
  if (flags & (CANCELLED | DISPOSED)) return (flags & CANCELLED) !== 0;
  if (flags & (HAS_TRIGGER | BELOW_TRIGGER)) return resolveWithTriggers(node);
  return flags >>> EPOCH_SHIFT === epoch || flags & OBSERVED ? false : resolveState(node);
}

/** The same for a token of which more than the tree decides. */
function resolveWithTriggers(node: TreeNode): boolean {
  const isSettled = !(node.flags & BELOW_TRIGGER) && triggerOf(node)?.pollReason() === undefined;
  // Asking may have run callbacks.
  const flags = node.flags;
  if (flags & (CANCELLED | DISPOSED)) return (flags & CANCELLED) !== 0;
  return isSettled && (flags & OBSERVED || flags >>> EPOCH_SHIFT === epoch) ? false : resolveState(node);
}

/** The reason of a cancelled token. */
export function reasonOf(node: TreeNode): unknown {
  return (node.parentOrReason as Reason).value;
}

/** What a walk has to look at more closely than a glance. */
const SPECIAL = CANCELLED | DISPOSED | OBSERVED | HAS_TRIGGER | BELOW_TRIGGER;

/** Walks up to the nearest token that knows, and remembers its answer, here and (invariant 5) along the way. */
function resolveState(node: TreeNode): boolean {
  const now = epoch;
  let triggerFlag = node.flags & HAS_TRIGGER;
  let steps = 0;
  let cachePoints: TreeNode[] | undefined;
  for (
    let at = node.parentOrReason as TreeNode | undefined;
    at !== undefined;
    at = at.parentOrReason as TreeNode | undefined
  ) {
    const flags = at.flags;
    if (flags & SPECIAL) {
      if (flags & CANCELLED) {
        setReason(node, at.parentOrReason as Reason);
        if (cachePoints !== undefined) for (const point of cachePoints) setReason(point, at.parentOrReason as Reason);
        return true;
      }
      // A disposed token only passes the question on.
      if (flags & DISPOSED) continue;
      triggerFlag |= flags & HAS_TRIGGER;
      // Invariant 2, unless somebody above it asks.
      if ((flags & (OBSERVED | BELOW_TRIGGER)) === OBSERVED) break;
    }
    if (flags >>> EPOCH_SHIFT === now) break;
    if ((++steps & CACHE_EVERY) === 0) {
      cachePoints ??= [];
      cachePoints.push(at);
    }
  }
  skipDisposed(node);
  if (triggerFlag) {
    // Asking may cancel others, whose callbacks may cancel what was passed already.
    if (!pollTriggers(node) && epoch !== now) return isCancelled(node);
    // Or disposed by one of them, and frozen as it was.
    if (node.flags & (CANCELLED | DISPOSED)) return (node.flags & CANCELLED) !== 0;
  }
  cacheNotCancelled(node);
  if (cachePoints !== undefined && epoch === now) cachePoints.forEach(cacheNotCancelled);
  return false;
}

/** Gives a token the reason of one above it, so that it answers at once from now on. */
function setReason(node: TreeNode, reason: Reason): void {
  if (node.flags & (DISPOSED | CANCELLED)) return;
  node.flags |= CANCELLED;
  node.parentOrReason = reasonFor(node, reason);
}

/** Whether the token is known to be cancelled, without asking anybody: nothing of the user's runs, and no time passes. */
export function isMarkedCancelled(node: TreeNode): boolean {
  for (let at: TreeNode | undefined = node; at !== undefined; at = at.parentOrReason as TreeNode | undefined) {
    if (at.flags & CANCELLED) {
      propagateReason(node, at);
      return true;
    }
    if (at.flags & OBSERVED) return false;
  }
  return false;
}

/** Writes down that the token was found not cancelled, unless somebody above it has to be asked each time. */
function cacheNotCancelled(node: TreeNode): void {
  if (epoch >= EPOCH_END || node.flags & BELOW_TRIGGER) return;
  node.flags = (node.flags & ~EPOCH_MASK) | (epoch << EPOCH_SHIFT);
}

/** Asks every origin from `node` on upwards. None of them is cancelled: a reason that is there already goes first. */
function pollTriggers(node: TreeNode): boolean {
  let last: Trigger | undefined;
  for (let at: TreeNode | undefined = node; at !== undefined; at = at.parentOrReason as TreeNode | undefined) {
    const trigger: Trigger | undefined =
      (at.flags & (HAS_TRIGGER | DISPOSED)) === HAS_TRIGGER ? triggerOf(at) : undefined;
    // All below a deadline share it.
    if (trigger !== undefined && trigger !== last && pollTrigger(at, trigger)) {
      propagateReason(node, at);
      return true;
    }
    last = trigger;
    if (!(at.flags & (BELOW_TRIGGER | DISPOSED))) break;
  }
  return false;
}

/** Asks a token's origin; cancels it there and then if that says so. */
function pollTrigger(node: TreeNode, trigger: Trigger): boolean {
  const reason = trigger.pollReason();
  // It may have been cancelled or disposed meanwhile, by the callbacks of what its origin asked.
  if (reason === undefined || node.flags & (CANCELLED | DISPOSED)) return false;
  const top = topmostWithDeadline(node, trigger, reason);
  cancelSubtree(top, reason);
  propagateReason(node, top);
  return true;
}

/** The topmost of the tokens that a deadline cancels for the same reason (invariant 8). */
function topmostWithDeadline(node: TreeNode, trigger: Trigger, reason: Reason): TreeNode {
  let top = node;
  for (let parent = skipDisposed(top); parent !== undefined && trigger.isInherited; parent = skipDisposed(top)) {
    const above = triggerOf(parent);
    if (above !== trigger && !(above?.isInherited && above.pollReason() === reason)) break;
    top = parent;
  }
  return top;
}

/** Hands the reason of `from` down the path to `node`, so that each token on it answers at once from now on. */
function propagateReason(node: TreeNode, from: TreeNode): void {
  const reason = from.parentOrReason as Reason;
  let at = node;
  while (at !== from && !(at.flags & CANCELLED)) {
    const parent = at.parentOrReason as TreeNode;
    setReason(at, reason);
    at = parent;
  }
}
