/**
 * What hangs on a token and links it with those above: callbacks, waiters, observed children, and who holds the process.
 * Invariants are cited from the head of tree.ts.
 */

import { defineDispose, defineInspect, detach, misused, remove, reserveStack } from '@quiesce/internal';
import {
  ASKS,
  attach,
  CANCELLED,
  DETAILED,
  DISPOSED,
  detailsOf,
  type Item,
  LINKED,
  needDetails,
  PARENT,
  type Reason,
  shorten,
  TIMED,
  type TreeNode,
  tell,
  UNDER,
  WAITED,
} from './node.ts';
import type { Waiter } from './source.ts';
import { guarded } from './uncaught.ts';

/** Puts a callback or waiter into the list of a token that is neither cancelled nor disposed. */
export function observe(node: TreeNode, item: Registration | Waiter): void {
  // Groups and deadlines are told, which takes many calls.
  if (!(node.bits & LINKED) && node.bits & (ASKS | UNDER)) reserveStack();
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
  // First: what follows calls the clock, which may run anything, a cancellation too.
  remove(node, item as Item);
  if (node.bits & TIMED && !(item instanceof Registration)) hold(node, -1);
  if ((node.bits & (LINKED | CANCELLED)) === LINKED && isBare(node)) unlink(node);
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
export function unlink(node: TreeNode): void {
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
export function isBare(node: TreeNode): boolean {
  const head = node.head;
  return head === undefined || (head.next === head && (node.bits & DETAILED) !== 0);
}

/** Takes a linked token out of its parent's list; its own list stays as it is. */
export function leave(node: TreeNode): void {
  const up = node.up as TreeNode | undefined;
  if (up === undefined) return;
  if (isHeld(node)) hold(up, -1);
  remove<Item>(up, node);
  if (isBare(up)) unlink(up);
}

/** Counts a waiter in or out, here and as far up as that makes a difference (invariant 7). */
export function hold(node: TreeNode, change: 1 | -1): void {
  for (let at: TreeNode | undefined = node; at !== undefined; at = at.up as TreeNode | undefined) {
    if ((at.bits & (TIMED | CANCELLED | DISPOSED)) !== TIMED) return;
    const details = needDetails(at);
    const before = details.held;
    details.held += change;
    if (before > 0 === details.held > 0) return;
    const holder = at;
    // As in `tell`.
    guarded(() => details.origin?.hold(holder, change > 0));
  }
}

export function isHeld(node: TreeNode): boolean {
  return (node.bits & TIMED) !== 0 && (detailsOf(node)?.held ?? 0) > 0;
}

/** Something of ours that hears of a cancellation in its turn, whatever was disposed before: a signal, a group. */
export interface Listener {
  heard(reason: Reason): void;
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
    const wouldRun = !((this.owner as TreeNode).bits & DISPOSED);
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
    const reason = node.up as Reason;
    this.#fn = undefined;
    if (typeof fn !== 'function') fn?.heard(reason);
    else if (!(node.bits & DISPOSED)) fn(reason.value);
  }
}
