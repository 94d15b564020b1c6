/**
 * The records of the cancellation tree: what a token is made of. What it all means stands at the head of tree.ts.
 */

import { append, type Chain, type Link } from '@quiesce/internal';
import { CancelledError, type CancelledSource } from './errors.ts';
import { guarded } from './uncaught.ts';

/** It and what is below it are cancelled; set once; `up` is then the reason. */
export const CANCELLED = 1;
/** It has left the tree; set once; its answers are frozen. */
export const DISPOSED = 2;
/** Observed (invariant 1). */
export const OBSERVED = 4;
/** An observed child was put into its list since the list was last empty. */
export const HAS_CHILD = 8;
/** A callback or waiter was put into its list since the list was last empty. */
export const HAS_LISTENER = 16;
/** `head` is the details (invariant 4); set once. */
export const HAS_DETAILS = 32;
/** Its state must be asked for: it has an origin, in its details, or without any in `head`; set at birth. */
export const HAS_TRIGGER = 64;
/** A token above it asks: its negative answers are never cached; set at birth. */
export const BELOW_TRIGGER = 128;
/** A timer may run for it or for what is above it, so that its waiters are counted (invariant 7); set at birth. */
export const COUNTS_WAITERS = 256;
/** A child was born below it: others may have cached that they are not cancelled. */
export const HAS_DEPENDENTS = 512;
/** A group depends on it, or on a token below it: groups may have cached that they are not cancelled. */
export const HAS_GROUP = 1024;
/** What can stand in a token's list: observed children, callbacks, waiters, and first of all the details. */
export interface Item extends Link<Item> {}

/** Tells tokens from waiters, which are the user's and may have any field; on the prototype of tokens. */
export const NODE: unique symbol = Symbol('quiesce.node') as never;

/** Marks tokens, so that those of a second copy of this package are recognised. */
export const brand: unique symbol = Symbol.for('quiesce.token') as never;

/** The five fields of a token. */
export interface TreeNode extends Link<Item>, Chain<Item> {
  readonly [NODE]?: true;
  /** The parent, or (invariant 3) the reason; `undefined`: a root, or free-standing. */
  parentOrReason: TreeNode | Reason | undefined;
  /** The flags above and, from EPOCH_SHIFT on, an epoch. */
  flags: number;
}

/** Why a subtree was cancelled; one for each `cancel`. */
export class Reason {
  /** `undefined`: a signal of another library has none, and nobody has read the error that stands for it. */
  #value: unknown;
  /** Where it came from. */
  readonly #source: CancelledSource;
  /** How many reasons there were before. */
  readonly #order: number = reasons++;
  /** The deadline that has passed, which may have been noticed later; `undefined`: not a deadline's. */
  readonly deadline: { readonly wall: number } | undefined;

  constructor(value: unknown, source: CancelledSource, deadline?: { readonly wall: number }) {
    this.#value = value;
    this.#source = source;
    this.deadline = deadline;
  }

  /** Whether this came before `other`: two deadlines by their moments, all else in the order in which it was noticed. */
  isBefore(other: Reason): boolean {
    if (this.deadline === undefined || other.deadline === undefined) return this.#order < other.#order;
    return this.deadline.wall < other.deadline.wall;
  }

  get value(): unknown {
    if (this.#value === undefined) this.#value = new CancelledError(undefined, { source: this.#source });
    return this.#value;
  }
}

let reasons = 0;

/** What few tokens need: kept apart, so that the others pay nothing for it. */
export class Details implements Item {
  next: Item | undefined = undefined;
  prev: Item | undefined = undefined;
  /** The name given at birth. */
  name: string | undefined = undefined;
  /** The object that `cancelled()` returns; made at its first call. */
  awaitable: object | undefined = undefined;
  /** The native signal; made when `signal` is first read. */
  signal: AbortSignal | undefined = undefined;
  /** Where a cancellation can come from that the tree does not hear of by itself; there from birth, together with ASKS. */
  trigger: Trigger | undefined = undefined;
  /** How many waiters and children with waiters are in the list (invariant 7). */
  waiterRefs = 0;
}

/** A foreign signal, a deadline, other tokens: what can cancel a token from outside its tree. */
export interface Trigger {
  /** A deadline: children copy it, so that they keep it when their parent is disposed. */
  readonly isInherited: boolean;
  /** Starts to listen when `node` becomes observed, stops when it becomes unobserved or is cancelled. */
  setObserved(node: TreeNode, on: boolean): void;
  /** Says whether somebody waits for `node`, so that the process must not end before. */
  setAwaited(node: TreeNode, on: boolean): void;
  /** Why `node` is to be cancelled there and then; `undefined`: it is not. */
  pollReason(): Reason | undefined;
  /** The reason of a deadline that had passed before that of `reason`, which is the reason of the token above. */
  earlierReason?(reason: Reason): Reason | undefined;
}

/** The details, if there are any. */
export function detailsOf(node: TreeNode): Details | undefined {
  return node.flags & HAS_DETAILS ? (node.head as Details) : undefined;
}

/** Where else its cancellation can come from; `undefined`: nowhere. */
export function triggerOf(node: TreeNode): Trigger | undefined {
  if (node.flags & HAS_DETAILS) return (node.head as Details).trigger;
  return node.flags & HAS_TRIGGER ? (node.head as unknown as Trigger) : undefined;
}

/** The details, made on first need. They go to the front of the list, which stays in order behind them. */
export function needDetails(node: TreeNode): Details {
  if (node.flags & HAS_DETAILS) return node.head as Details;
  const details = new Details();
  if (node.flags & HAS_TRIGGER) {
    details.trigger = triggerOf(node);
    node.head = undefined;
  }
  // head ──► a ⇄ b ⇄ (a)   becomes   head ──► details ⇄ a ⇄ b ⇄ (details)
  append<Item>(node, details);
  node.head = details;
  node.flags |= HAS_DETAILS;
  return details;
}

/** Whether an item of a list is an observed child. */
export function isNode(item: Item): item is TreeNode {
  return (item as Partial<TreeNode>)[NODE] === true;
}

/** Gives a token that was just made its origin, which stands in the place of its list until there is one (invariant 4). */
export function attachTrigger(node: TreeNode, trigger: Trigger, flags: number): void {
  if (node.flags & HAS_DETAILS) (node.head as Details).trigger = trigger;
  else node.head = trigger as object as Item;
  node.flags |= HAS_TRIGGER | flags;
}

/** Puts something into a token's list. */
export function addItem(node: TreeNode, item: Item): void {
  if ((node.flags & (HAS_TRIGGER | HAS_DETAILS)) === HAS_TRIGGER) needDetails(node);
  append<Item>(node, item);
}

/** Tells a token's origin whether it is observed. What a hostile clock or signal throws must not leave the tree half done. */
export function notifyTrigger(node: TreeNode, on: boolean): void {
  guarded(() => triggerOf(node)?.setObserved(node, on));
}

/** The reason that a token takes over from the one above: its own, where its own deadline had passed before. */
export function reasonFor(node: TreeNode, reason: Reason): Reason {
  return (node.flags & HAS_TRIGGER && triggerOf(node)?.earlierReason?.(reason)) || reason;
}

/** A token that has ended needs its origin no more, which may hold many others. A deadline stays readable. */
export function dropTrigger(node: TreeNode): void {
  if (triggerOf(node)?.isInherited === false) needDetails(node).trigger = undefined;
}

/** Drops disposed tokens between `node` and its parent, so that they can be collected; a cancelled one is not dropped. */
export function skipDisposed(node: TreeNode): TreeNode | undefined {
  let parent = node.parentOrReason as TreeNode | undefined;
  // Nearly always there are none, and then nothing is written: a child made and disposed would take 16 ns and not 14.
  if (parent === undefined || !(parent.flags & DISPOSED)) return parent;
  while (parent !== undefined && (parent.flags & (DISPOSED | CANCELLED)) === DISPOSED)
    parent = parent.parentOrReason as TreeNode | undefined;
  node.parentOrReason = parent;
  return parent;
}

/**
 * The token whose state answers for the waiters of `node`, and below which its children are born: itself, or when it was
 * disposed without being cancelled the nearest above that was not.
 */
export function liveAncestor(node: TreeNode): TreeNode | undefined {
  return (node.flags & (DISPOSED | CANCELLED)) === DISPOSED ? skipDisposed(node) : node;
}
