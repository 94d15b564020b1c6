/**
 * Callbacks, waiters and observed children of a token, and how they link it with its ancestors. Invariants are cited from the
 * head of tree.ts.
 */

import { defineDispose, defineInspect, misused, remove, removeInner, reserveStack } from '@quiesce/internal';
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

/** Adds a callback or waiter to a token that is neither cancelled nor disposed. */
export function observe(node: TreeNode, item: Registration | Waiter): void {
  // Notifying groups and deadlines takes many nested calls.
  if (!(node.flags & OBSERVED) && node.flags & (HAS_TRIGGER | BELOW_TRIGGER)) reserveStack();
  item.owner = node;
  addItem(node, item as Item);
  node.flags |= HAS_LISTENER;
  if (!(node.flags & OBSERVED)) becomeObserved(node);
  if (node.flags & COUNTS_WAITERS && !(item instanceof Registration)) addWaiterRef(node, 1);
}

/** Removes a callback or waiter, before its token was cancelled or while it is queued for notification (invariant 6). */
export function unobserve(item: Registration | Waiter): void {
  const node = item.owner as TreeNode;
  item.owner = undefined;
  if (node.flags & CANCELLED) {
    removeInner(item as Item);
    return;
  }
  // First, because the following calls reach the clock, which may run any code, including a cancellation.
  remove(node, item as Item);
  if (node.flags & COUNTS_WAITERS && !(item instanceof Registration)) addWaiterRef(node, -1);
  if ((node.flags & (OBSERVED | CANCELLED)) === OBSERVED && hasEmptyList(node)) becomeUnobserved(node);
}

/** Links an unobserved token with all its ancestors (invariant 1). */
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

/** Unlinks a token whose list has become empty, and the ancestors that only this token kept observed. */
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

/** Whether the list holds nothing but the details. */
export function hasEmptyList(node: TreeNode): boolean {
  const head = node.head;
  return head === undefined || (head.next === head && (node.flags & HAS_DETAILS) !== 0);
}

/** Removes a linked token from its parent's list; its own list is unchanged. */
export function unlinkFromParent(node: TreeNode): void {
  const parent = node.parentOrReason as TreeNode | undefined;
  if (parent === undefined) return;
  if (hasWaiterRef(node)) addWaiterRef(parent, -1);
  remove<Item>(parent, node);
  if (hasEmptyList(parent)) becomeUnobserved(parent);
}

/** Counts a waiter in or out, here and on each ancestor for which the count leaves zero or returns to it (invariant 7). */
export function addWaiterRef(node: TreeNode, change: 1 | -1): void {
  for (let at: TreeNode | undefined = node; at !== undefined; at = at.parentOrReason as TreeNode | undefined) {
    if ((at.flags & (COUNTS_WAITERS | CANCELLED | DISPOSED)) !== COUNTS_WAITERS) return;
    const details = needDetails(at);
    const before = details.waiterRefs;
    details.waiterRefs += change;
    if (before > 0 === details.waiterRefs > 0) return;
    const holder = at;
    // As in `notifyTrigger`.
    guarded(() => details.trigger?.setAwaited(holder, change > 0));
  }
}

export function hasWaiterRef(node: TreeNode): boolean {
  return (node.flags & COUNTS_WAITERS) !== 0 && (detailsOf(node)?.waiterRefs ?? 0) > 0;
}

/** Internal listener, such as a signal or a group: notified in registration order, even if its token was disposed before. */
export interface Listener {
  onCancel(reason: Reason): void;
}

/**
 * A registered cancellation callback; returned by `onCancelled`.
 *
 * @example
 * ```ts
 * const token = new CancellationToken();
 * const registration = token.onCancelled(() => console.log('never'));
 * console.log(registration.dispose()); // => true
 * token.cancel();
 * ```
 */
export class Registration implements Disposable {
  /** @internal See `defineDispose`. */
  static readonly completed: object = /* @__PURE__ */ defineDispose(Registration, 'dispose');
  /** @internal See `defineInspect`. */
  static readonly described: object = /* @__PURE__ */ defineInspect(Registration, (registration) => ({
    isRegistered: registration.#fn !== undefined,
  }));
  /** @internal */
  next: Item | undefined = undefined;
  /** @internal */
  prev: Item | undefined = undefined;
  /** @internal The token; `undefined`: the callback has run, or can no longer run. */
  owner: object | undefined = undefined;
  /** Dropped together with `owner`, because a kept registration would retain the callback's closure. */
  #fn: ((reason: unknown) => void) | Listener | undefined;
  /** Does the same as `dispose`. */
  declare readonly [Symbol.dispose]: () => void;

  /** @internal */
  constructor(fn: ((reason: unknown) => void) | Listener) {
    this.#fn = fn;
  }

  /**
   * Removes the callback. Synchronous, O(1), idempotent.
   *
   * @returns whether this prevented the call: `false` when the callback has run, is running, or was removed before
   * @throws TypeError when it is called without its registration
   */
  dispose(): boolean {
    try {
      this.#fn = undefined;
    } catch {
      throw misused(Registration.prototype, 'registration', 'dispose', this);
    }
    if (this.owner === undefined) return false;
    // A queued callback of a token that has been disposed would not have run.
    const wouldRun = !((this.owner as TreeNode).flags & DISPOSED);
    unobserve(this);
    return wouldRun;
  }

  /** @internal Clears the callback of a token that was disposed. */
  clearCallback(): void {
    this.#fn = undefined;
  }

  /** @internal Runs the callback. A user's callback is skipped when its token was disposed before. May throw. */
  fire(node: TreeNode): void {
    const fn = this.#fn;
    const reason = node.parentOrReason as Reason;
    this.#fn = undefined;
    if (typeof fn !== 'function') fn?.onCancel(reason);
    else if (!(node.flags & DISPOSED)) fn(reason.value);
  }
}
