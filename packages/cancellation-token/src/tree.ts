/**
 * The cancellation tree: the state machine of `CancellationToken`, as functions over a plain record of five fields.
 *
 *                    observe                       cancel (here or above)
 *     unobserved ───────────────► observed ──────────────────────────────► cancelled
 *         ▲   └──────────────────────┘ │                                      ▲
 *         │        unobserve           │ dispose                              │ cancel, or the first read after
 *         └──────────────┐             ▼                                      │ a cancel above
 *                        └──────── disposed (state is frozen) ◄── dispose ── unobserved
 *
 * A token is *observed* when its list holds a callback, a waiter, a signal that was read, or an observed child.
 *
 * Invariants
 *  1. Observed ⇔ OBSERVED ⇔ the list holds more than the details ⇔ the token is in its parent's list (if it has one). All
 *     ancestors of an observed token are therefore observed, up to the root.
 *  2. The CANCELLED flag of an observed token is exact, because `cancel` marks the whole observed subtree before it notifies.
 *     The state of an unobserved token is resolved by walking up to the nearest token whose state is known.
 *  3. `parentOrReason` is the parent until the token is cancelled, and the `Reason` from then on. A subtree shares one `Reason`,
 *     except tokens whose own deadline passed earlier. The parent of a linked token is never disposed. The parent of an
 *     unobserved token may be disposed, and is skipped.
 *  4. The details, if there are any, are the first item of the list, and its only item when the token is unobserved. A token
 *     with a trigger and without details is unobserved, and `head` is the trigger.
 *  5. A token whose epoch equals the module's, and that is not CANCELLED, was found not cancelled since the last cancellation of
 *     any token with dependents. It has no BELOW_TRIGGER: the state of a trigger above (a foreign signal, several tokens) is
 *     only known when it is polled, so nothing below it is cached. Its own trigger is polled each time; of several deadlines
 *     its own is the earliest. A walk caches its result on every 64th token, and a negative one also on the parent, for the
 *     parent's next children. Reading a long chain token by token, from either end, therefore takes O(length).
 *  6. Between marking and notification, an item is in `queue`, linked only to its neighbours there, and its `owner` is still its
 *     token. An item whose owner is CANCELLED is therefore in the queue.
 *  7. A token with the COUNTS_WAITERS flag counts in `waiterRefs` its waiters and those linked children whose own count is not
 *     zero. Its trigger is notified when the count leaves zero, and when it returns to zero. Only waiters keep the process
 *     alive, not callbacks.
 *  8. Children copy a deadline. Of the tokens that share one, the topmost is cancelled, and only that one sets the timer.
 *
 * Guarantees not given: the order between callbacks that are already queued and those of a `cancel` inside a callback (the
 * inner ones come last); the value of `token.signal.aborted` before the signal is notified; that a `cancel` in which the stack
 * overflows reaches everything below its own token (all other tokens are unharmed).
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

/** From this bit on, the flags hold the epoch in which the token was last found not cancelled. */
const EPOCH_SHIFT = 11;
const EPOCH_MASK = -1 << EPOCH_SHIFT;
/** The last epoch that fits into a small integer of every engine; from then on nothing is cached. */
const EPOCH_END = 2 ** 19 - 1;
/** A walk caches its result at every 64th token (mask 63): often enough for later walks along the same path. */
const CACHE_EVERY = 63;

/** Makes the new token `child` a child of `parent`. */
export function adopt(child: TreeNode, parent: TreeNode | undefined): void {
  child.parentOrReason = parent;
  if (parent === undefined) return;
  const flags = parent.flags;
  if (!(flags & HAS_DEPENDENTS)) parent.flags = flags | HAS_DEPENDENTS;
  if (flags & (HAS_TRIGGER | BELOW_TRIGGER)) {
    const trigger = triggerOf(parent);
    const isInherited = trigger?.isInherited === true;
    // Its own copy of a deadline is the earliest, so no token above has to be polled for time.
    const isUnder = flags & BELOW_TRIGGER || (flags & HAS_TRIGGER && !isInherited);
    child.flags |= (flags & COUNTS_WAITERS) | (isUnder ? BELOW_TRIGGER : 0);
    if (isInherited) attachTrigger(child, trigger, 0);
  } else if (flags & OBSERVED) {
    // By invariant 2 the parent is not cancelled, so the child is not either.
    cacheNotCancelled(child);
  } else if (!(flags & CANCELLED) && parent.parentOrReason === undefined) {
    // The root was found not cancelled in this epoch, so the child is not either. Below other tokens, the first read of a child
    // must walk: it also unlinks the child from a parent that was disposed meanwhile.
    child.flags |= flags & EPOCH_MASK;
  }
}

/** Whether the token is cancelled. O(1) when observed or read before, else O(distance to the nearest known state). */
export function isCancelled(node: TreeNode): boolean {
  const flags = node.flags;
  if (flags & (CANCELLED | DISPOSED)) return (flags & CANCELLED) !== 0;
  if (flags & (HAS_TRIGGER | BELOW_TRIGGER)) return resolveWithTriggers(node);
  return flags >>> EPOCH_SHIFT === epoch || flags & OBSERVED ? false : resolveState(node);
}

/** Resolves the state of a token that has a trigger, or is below one. */
function resolveWithTriggers(node: TreeNode): boolean {
  const isSettled = !(node.flags & BELOW_TRIGGER) && triggerOf(node)?.pollReason() === undefined;
  // Polling may have run callbacks.
  const flags = node.flags;
  if (flags & (CANCELLED | DISPOSED)) return (flags & CANCELLED) !== 0;
  return isSettled && (flags & OBSERVED || flags >>> EPOCH_SHIFT === epoch) ? false : resolveState(node);
}

/** Returns the reason of a cancelled token. */
export function reasonOf(node: TreeNode): unknown {
  return (node.parentOrReason as Reason).value;
}

/** Flags that need a closer look during a walk. */
const SPECIAL = CANCELLED | DISPOSED | OBSERVED | HAS_TRIGGER | BELOW_TRIGGER;

/** Walks up to the nearest token whose state is known, and caches the result here and (invariant 5) along the path. */
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
      // A disposed token has no state of its own; the walk passes it.
      if (flags & DISPOSED) continue;
      triggerFlag |= flags & HAS_TRIGGER;
      // Invariant 2, unless a token above has a trigger.
      if ((flags & (OBSERVED | BELOW_TRIGGER)) === OBSERVED) break;
    }
    if (flags >>> EPOCH_SHIFT === now) break;
    if ((++steps & CACHE_EVERY) === 0) {
      cachePoints ??= [];
      cachePoints.push(at);
    }
  }
  const parent = skipDisposed(node);
  if (triggerFlag) {
    // Polling may cancel other tokens, whose callbacks may cancel a token that the walk has already passed.
    if (!pollTriggers(node) && epoch !== now) return isCancelled(node);
    // Such a callback may also have disposed and frozen the token.
    if (node.flags & (CANCELLED | DISPOSED)) return (node.flags & CANCELLED) !== 0;
  }
  cacheNotCancelled(node);
  if (epoch === now) {
    // The walks of its other children end there, and the next children of a root need none.
    if (parent !== undefined) cacheNotCancelled(parent);
    cachePoints?.forEach(cacheNotCancelled);
  }
  return false;
}

/** Gives a token the reason of one above it, so that later reads are O(1). */
function setReason(node: TreeNode, reason: Reason): void {
  if (node.flags & (DISPOSED | CANCELLED)) return;
  node.flags |= CANCELLED;
  node.parentOrReason = reasonFor(node, reason);
}

/** Whether the token is known to be cancelled, without polling a trigger: no user code runs, and no time passes. */
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

/** Caches that the token was found not cancelled, unless a trigger above has to be polled each time. */
function cacheNotCancelled(node: TreeNode): void {
  if (epoch >= EPOCH_END || node.flags & BELOW_TRIGGER) return;
  node.flags = (node.flags & ~EPOCH_MASK) | (epoch << EPOCH_SHIFT);
}

/** Polls the triggers from `node` upwards. No token on the path is cancelled: an existing reason takes precedence. */
function pollTriggers(node: TreeNode): boolean {
  let last: Trigger | undefined;
  for (let at: TreeNode | undefined = node; at !== undefined; at = at.parentOrReason as TreeNode | undefined) {
    const trigger: Trigger | undefined =
      (at.flags & (HAS_TRIGGER | DISPOSED)) === HAS_TRIGGER ? triggerOf(at) : undefined;
    // All tokens below a deadline share it.
    if (trigger !== undefined && trigger !== last && pollTrigger(at, trigger)) {
      propagateReason(node, at);
      return true;
    }
    last = trigger;
    if (!(at.flags & (BELOW_TRIGGER | DISPOSED))) break;
  }
  return false;
}

/** Polls a token's trigger, and cancels the token if the trigger has a reason. */
function pollTrigger(node: TreeNode, trigger: Trigger): boolean {
  const reason = trigger.pollReason();
  // The callbacks of the polled sources may have cancelled or disposed the token.
  if (reason === undefined || node.flags & (CANCELLED | DISPOSED)) return false;
  const top = topmostWithDeadline(node, trigger, reason);
  // So may the reason of a deadline above, which was polled to compare it.
  if ((node.flags | top.flags) & (CANCELLED | DISPOSED)) return false;
  cancelSubtree(top, reason);
  propagateReason(node, top);
  return true;
}

/** Returns the topmost of the tokens that a deadline cancels for the same reason (invariant 8). */
function topmostWithDeadline(node: TreeNode, trigger: Trigger, reason: Reason): TreeNode {
  let top = node;
  for (let parent = skipDisposed(top); parent !== undefined && trigger.isInherited; parent = skipDisposed(top)) {
    const above = triggerOf(parent);
    if (above !== trigger && !(above?.isInherited && above.pollReason() === reason)) break;
    top = parent;
  }
  return top;
}

/** Sets the reason of `from` on each token of the path down to `node`, so that later reads are O(1). */
function propagateReason(node: TreeNode, from: TreeNode): void {
  const reason = from.parentOrReason as Reason;
  let at = node;
  while (at !== from && !(at.flags & CANCELLED)) {
    const parent = at.parentOrReason as TreeNode;
    setReason(at, reason);
    at = parent;
  }
}
