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
 *  3. `up` is the parent until the token is cancelled and the `Reason` from then on; a whole subtree shares one `Reason`.
 *     A linked token's parent is never disposed; an unobserved one's may be, and is skipped.
 *  4. The details, if there are any, are the first item of the list, alone in it when unobserved. A token with an origin
 *     and without details is unobserved, and `head` is the origin.
 *  5. A token whose epoch equals the module's, and that is not CANCELLED, has been found not cancelled since the last
 *     cancellation anywhere, and has no UNDER: what an ancestor learns only when asked (a foreign signal, several tokens)
 *     may not be cached over. Its own origin, if it has one, is asked each time; of deadlines its own is the earliest. A walk leaves its answer at
 *     every 64th token, yes or no. So one long chain is asked token by token, from either end, in O(length).
 *  6. Between marking and firing, a notification stands in `queue`, linked to nothing but its neighbours there, its
 *     `owner` still its token. Who finds an owner that is CANCELLED therefore knows in which list the item is.
 *  7. A token with the TIMED bit counts in `held` its waiters and those of its linked children that hold in their turn;
 *     its origin is told when that becomes more than none, and none again. Only waiters hold the process, not callbacks.
 *  8. A deadline is copied by the children. Of tokens that share one, the topmost is cancelled, and alone sets the timer.
 *
 * Guarantees not given: the order between the callbacks of a `cancel` that is called inside a callback and those that
 * are still due (the inner ones come last); `token.signal.aborted` before the signal's turn.
 */

import { append, defineDispose, detach, remove } from '@quiesce/internal';
import {
  ASKS,
  attach,
  CANCELLED,
  DETAILED,
  DISPOSED,
  detailsOf,
  forget,
  type Item,
  LINKED,
  needDetails,
  type Origin,
  originate,
  originOf,
  PARENT,
  type Reason,
  TIMED,
  type TreeNode,
  tell,
  UNDER,
  WAITED,
} from './node.ts';
import { mark, takeDue } from './queue.ts';
import type { Waiter } from './source.ts';
import { reportUncaught } from './uncaught.ts';

/** From this bit on stands the epoch in which it was last found not cancelled. */
const EPOCH_SHIFT = 9;
const EPOCH_MASK = -1 << EPOCH_SHIFT;
/** The last epoch that fits into a small integer of every engine; from then on nothing is cached. */
const EPOCH_END = 2 ** 21 - 1;
/** A walk leaves its answer at every so many tokens (less one): often enough for those who walk there later. */
const MARKS = 63;

/** One more at each cancellation, so that cached negative answers expire all at once; 0: not cached. */
let epoch = 1;

/** The parent of a child that is born now below `node`: the nearest that is not disposed, unless cancelled (invariant 3). */
export function parentFor(node: TreeNode): TreeNode | undefined {
  return (node.bits & (DISPOSED | CANCELLED)) === DISPOSED ? living(node.up as TreeNode | undefined) : node;
}

/** Makes `child`, which was just made, a child of `parent`. */
export function adopt(child: TreeNode, parent: TreeNode | undefined): void {
  child.up = parent;
  if (parent === undefined) return;
  const bits = parent.bits;
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
  } else {
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
  node.up = reason;
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
  if (epoch < EPOCH_END && !(node.bits & UNDER))
    node.bits = (node.bits & ((1 << EPOCH_SHIFT) - 1)) | (epoch << EPOCH_SHIFT);
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
  const top = topmost(node);
  settle(top, reason);
  inherit(node, top);
  return true;
}

/** The topmost of the tokens that share the origin of `node` (invariant 8). */
function topmost(node: TreeNode): TreeNode {
  const origin = originOf(node);
  let top = node;
  for (let up = shorten(top); up !== undefined && originOf(up) === origin; up = shorten(top)) top = up;
  return top;
}

/** Counts a waiter in or out, here and as far up as that makes a difference (invariant 7). */
export function hold(node: TreeNode, change: 1 | -1): void {
  for (let at: TreeNode | undefined = node; at !== undefined; at = at.up as TreeNode | undefined) {
    if ((at.bits & (TIMED | CANCELLED | DISPOSED)) !== TIMED) return;
    const details = needDetails(at);
    const before = details.held;
    details.held += change;
    if (before > 0 === details.held > 0) return;
    holdOrigin(at, details.origin, change > 0);
  }
}

function holdOrigin(node: TreeNode, origin: Origin | undefined, on: boolean): void {
  try {
    origin?.hold(node, on);
  } catch (error) {
    // As in `tell`.
    reportUncaught(error);
  }
}

function isHeld(node: TreeNode): boolean {
  return (node.bits & TIMED) !== 0 && (detailsOf(node)?.held ?? 0) > 0;
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

/** The nearest token from `node` on that is not disposed; a cancelled one counts, disposed or not. */
function living(node: TreeNode | undefined): TreeNode | undefined {
  let at = node;
  while (at !== undefined && (at.bits & (DISPOSED | CANCELLED)) === DISPOSED) at = at.up as TreeNode | undefined;
  return at;
}

/** Drops disposed tokens between `node` and its parent, so that they can be collected. */
function shorten(node: TreeNode): TreeNode | undefined {
  const up = node.up as TreeNode | undefined;
  if (up !== undefined && up.bits & DISPOSED) node.up = living(up);
  return node.up as TreeNode | undefined;
}

/** The token whose state answers for the waiters of `node`: itself, or when it is disposed the one they moved to. */
export function answering(node: TreeNode): TreeNode | undefined {
  return (node.bits & (DISPOSED | CANCELLED)) === DISPOSED ? shorten(node) : node;
}

/** Puts a callback or waiter into the list of a token that is neither cancelled nor disposed. */
export function observe(node: TreeNode, item: Registration | Waiter): void {
  item.owner = node;
  attach(node, item as Item);
  node.bits |= WAITED;
  if (!(node.bits & LINKED)) link(node);
  if (node.bits & TIMED && !(item instanceof Registration)) hold(node, 1);
}

/** Takes a callback or waiter out again, before its token was cancelled or while it is still due (invariant 6). */
export function unobserve(item: Registration | Waiter): void {
  const node = item.owner as TreeNode;
  item.owner = undefined;
  if (node.bits & CANCELLED) {
    detach(item as Item);
    return;
  }
  if (node.bits & TIMED && !(item instanceof Registration)) hold(node, -1);
  remove(node, item as Item);
  if (isBare(node)) unlink(node);
}

/** Links an unobserved token with all that is above it (invariant 1). */
function link(node: TreeNode): void {
  let at = node;
  for (;;) {
    at.bits |= LINKED;
    const up = shorten(at);
    if (at.bits & ASKS) tell(at, true);
    if (up === undefined) return;
    attach(up, at);
    up.bits |= PARENT;
    if (up.bits & LINKED) return;
    at = up;
  }
}

/** Unlinks a token whose list has run empty, and the ancestors that it alone had kept observed. */
function unlink(node: TreeNode): void {
  let at = node;
  for (;;) {
    at.bits &= ~(LINKED | PARENT | WAITED);
    if (at.bits & ASKS) tell(at, false);
    const up = at.up as TreeNode | undefined;
    if (up === undefined) return;
    remove<Item>(up, at);
    if (!isBare(up)) return;
    at = up;
  }
}

/** Whether nothing but the details is in the list. */
function isBare(node: TreeNode): boolean {
  const head = node.head;
  return head === undefined || (head.next === head && (node.bits & DETAILED) !== 0);
}

/** Cancels a token that is neither cancelled nor disposed: marks everything below it, then notifies. */
export function settle(node: TreeNode, reason: Reason): void {
  epoch++;
  if (!(node.bits & LINKED)) {
    node.bits |= CANCELLED;
    node.up = reason;
    if (node.bits & ASKS) forget(node);
    return;
  }
  leave(node);
  mark(node, reason);
  if (!firing) fire();
}

/** Takes a linked token out of its parent's list; its own list stays as it is. */
function leave(node: TreeNode): void {
  const up = node.up as TreeNode | undefined;
  if (up === undefined) return;
  if (isHeld(node)) hold(up, -1);
  remove<Item>(up, node);
  if (isBare(up)) unlink(up);
}

/** The round of asking that is under way (0: none) and the last there was; see group.ts. */
export const rounds: { now: number; last: number } = { now: 0, last: 0 };

/** An outer `cancel` is notifying, and will also notify whatever becomes due meanwhile. */
let firing = false;

/** Notifies everything that is due, first come, first served, also what comes in meanwhile. */
function fire(): void {
  const round = rounds.now;
  rounds.now = 0;
  firing = true;
  try {
    for (let item = takeDue(); item !== undefined; item = takeDue()) notify(item as Registration | Waiter);
  } finally {
    // Only a stack that overflows gets here with something due left, which then goes out with the next cancel.
    firing = false;
    if (round !== 0) rounds.now = ++rounds.last;
  }
}

function notify(due: Registration | Waiter): void {
  const node = due.owner as TreeNode;
  due.owner = undefined;
  try {
    if (due instanceof Registration) due.fire(node);
    // A token stands here only when the stack overflowed before its turn to be marked.
    else (due as Partial<Waiter>).wake?.();
  } catch (error) {
    reportUncaught(error);
  }
}

/**
 * A callback that waits for a token's cancellation; what `onCancelled` returns.
 *
 * @example
 * ```ts
 * const token = new CancellationToken();
 * const registration = token.onCancelled(() => console.log('never'));
 * console.log(registration.unregister()); // => true
 * token.cancel();
 * ```
 */
export class Registration implements Disposable {
  /** @internal */
  next: Item | undefined = undefined;
  /** @internal */
  prev: Item | undefined = undefined;
  /** @internal The token; `undefined`: it has run, or can no longer run. */
  owner: object | undefined = undefined;
  /** @internal Dropped together with `owner`, or a kept registration would keep what the callback refers to. */
  fn: ((reason: unknown) => void) | undefined;
  /** The same as `unregister`. */
  declare readonly [Symbol.dispose]: () => void;

  /** @internal */
  constructor(fn: (reason: unknown) => void) {
    this.fn = fn;
  }

  /**
   * Takes the callback back. Synchronous, O(1), idempotent.
   *
   * @returns whether this prevented the call: `false` when it has run, is running, or had been taken back before
   */
  unregister(): boolean {
    this.fn = undefined;
    if (this.owner === undefined) return false;
    // One that is due, on a token that was disposed meanwhile, would not have been called.
    const wouldRun = !((this.owner as TreeNode).bits & DISPOSED);
    unobserve(this);
    return wouldRun;
  }

  /** @internal Runs it, unless its token was disposed between cancellation and its turn. May throw. */
  fire(node: TreeNode): void {
    const fn = this.fn;
    this.fn = undefined;
    if (node.bits & DISPOSED && detailsOf(node)?.registration !== this) return;
    fn?.(reasonOf(node));
  }
}
defineDispose(Registration.prototype, 'unregister');

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
    if ((item as Partial<TreeNode>).bits !== undefined) {
      move(item as TreeNode, up);
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
  if (item instanceof Registration) item.fn = undefined;
  else if (up !== undefined) observe(up, item);
}
