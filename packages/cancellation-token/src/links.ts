/**
 * What hangs on a token and links it with those above: callbacks, waiters, observed children, and who holds the process.
 * Invariants are cited from the head of tree.ts.
 */

import { defineDispose, defineInspect, detach, misused, remove, reserveStack } from '@quiesce/internal';
import {
  addItem,
  BELOW_TRIGGER,
  CANCELLED,
  COUNTS_WAITERS,
  DISPOSED,
  detailsOf,
  HAS_CHILD,
  HAS_DETAILS,
  HAS_LISTENER,
  HAS_TRIGGER,
  type Item,
  needDetails,
  notifyTrigger,
  OBSERVED,
  type Reason,
  skipDisposed,
  type TreeNode,
} from './node.ts';
import type { Waiter } from './source.ts';
import { guarded } from './uncaught.ts';

/** Puts a callback or waiter into the list of a token that is neither cancelled nor disposed. */
export function observe(node: TreeNode, item: Registration | Waiter): void {
  // Groups and deadlines are told, which takes many calls.
  if (!(node.flags & OBSERVED) && node.flags & (HAS_TRIGGER | BELOW_TRIGGER)) reserveStack();
  item.owner = node;
  addItem(node, item as Item);
  node.flags |= HAS_LISTENER;
  if (!(node.flags & OBSERVED)) becomeObserved(node);
  if (node.flags & COUNTS_WAITERS && !(item instanceof Registration)) addWaiterRef(node, 1);
}

/** Takes a callback or waiter out again, before its token was cancelled or while it is still due (invariant 6). */
export function unobserve(item: Registration | Waiter): void {
  const node = item.owner as TreeNode;
  item.owner = undefined;
  if (node.flags & CANCELLED) {
    detach(item as Item);
    return;
  }
  // First: what follows calls the clock, which may run anything, a cancellation too.
  remove(node, item as Item);
  if (node.flags & COUNTS_WAITERS && !(item instanceof Registration)) addWaiterRef(node, -1);
  if ((node.flags & (OBSERVED | CANCELLED)) === OBSERVED && hasEmptyList(node)) becomeUnobserved(node);
}

/** Links an unobserved token with all that is above it (invariant 1). */
function becomeObserved(node: TreeNode): void {
  let at = node;
  for (;;) {
    at.flags |= OBSERVED;
    const parent = skipDisposed(at);
    if (at.flags & HAS_TRIGGER) notifyTrigger(at, true);
    if (parent === undefined) return;
    addItem(parent, at);
    parent.flags |= HAS_CHILD;
    if (parent.flags & OBSERVED) return;
    at = parent;
  }
}

/** Unlinks a token whose list has run empty, and the ancestors that it alone had kept observed. */
export function becomeUnobserved(node: TreeNode): void {
  let at = node;
  for (;;) {
    at.flags &= ~(OBSERVED | HAS_CHILD | HAS_LISTENER);
    if (at.flags & HAS_TRIGGER) notifyTrigger(at, false);
    const parent = at.parentOrReason as TreeNode | undefined;
    if (parent === undefined) return;
    remove<Item>(parent, at);
    if (!hasEmptyList(parent)) return;
    at = parent;
  }
}

/** Whether nothing but the details is in the list. */
export function hasEmptyList(node: TreeNode): boolean {
  const head = node.head;
  return head === undefined || (head.next === head && (node.flags & HAS_DETAILS) !== 0);
}

/** Takes a linked token out of its parent's list; its own list stays as it is. */
export function unlinkFromParent(node: TreeNode): void {
  const parent = node.parentOrReason as TreeNode | undefined;
  if (parent === undefined) return;
  if (hasWaiterRef(node)) addWaiterRef(parent, -1);
  remove<Item>(parent, node);
  if (hasEmptyList(parent)) becomeUnobserved(parent);
}

/** Counts a waiter in or out, here and as far up as that makes a difference (invariant 7). */
export function addWaiterRef(node: TreeNode, change: 1 | -1): void {
  for (let at: TreeNode | undefined = node; at !== undefined; at = at.parentOrReason as TreeNode | undefined) {
    if ((at.flags & (COUNTS_WAITERS | CANCELLED | DISPOSED)) !== COUNTS_WAITERS) return;
    const details = needDetails(at);
    const before = details.waiterRefs;
    details.waiterRefs += change;
    if (before > 0 === details.waiterRefs > 0) return;
    const holder = at;
    // As in `tell`.
    guarded(() => details.trigger?.setAwaited(holder, change > 0));
  }
}

export function hasWaiterRef(node: TreeNode): boolean {
  return (node.flags & COUNTS_WAITERS) !== 0 && (detailsOf(node)?.waiterRefs ?? 0) > 0;
}

/** Something of ours that hears of a cancellation in its turn, whatever was disposed before: a signal, a group. */
export interface Listener {
  onCancel(reason: Reason): void;
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
  /** @internal See `defineDispose`. */
  static readonly completed: object = /* @__PURE__ */ defineDispose(Registration, 'unregister');
  /** @internal See `defineInspect`. */
  static readonly described: object = /* @__PURE__ */ defineInspect(Registration, (registration) => ({
    isRegistered: registration.#fn !== undefined,
  }));
  /** @internal */
  next: Item | undefined = undefined;
  /** @internal */
  prev: Item | undefined = undefined;
  /** @internal The token; `undefined`: it has run, or can no longer run. */
  owner: object | undefined = undefined;
  /** Dropped together with `owner`, or a kept registration would keep what the callback refers to. */
  #fn: ((reason: unknown) => void) | Listener | undefined;
  /** The same as `unregister`. */
  declare readonly [Symbol.dispose]: () => void;

  /** @internal */
  constructor(fn: ((reason: unknown) => void) | Listener) {
    this.#fn = fn;
  }

  /**
   * Takes the callback back. Synchronous, O(1), idempotent.
   *
   * @returns whether this prevented the call: `false` when it has run, is running, or had been taken back before
   * @throws TypeError when it is called without its registration
   */
  unregister(): boolean {
    try {
      this.#fn = undefined;
    } catch {
      throw misused(Registration.prototype, 'registration', 'unregister', this);
    }
    if (this.owner === undefined) return false;
    // One that is due, on a token that was disposed meanwhile, would not have been called.
    const wouldRun = !((this.owner as TreeNode).flags & DISPOSED);
    unobserve(this);
    return wouldRun;
  }

  /** @internal Drops the callback of a token that was disposed. */
  drop(): void {
    this.#fn = undefined;
  }

  /** @internal Runs it, unless it is the user's and its token was disposed before its turn. May throw. */
  fire(node: TreeNode): void {
    const fn = this.#fn;
    const reason = node.parentOrReason as Reason;
    this.#fn = undefined;
    if (typeof fn !== 'function') fn?.onCancel(reason);
    else if (!(node.flags & DISPOSED)) fn(reason.value);
  }
}
