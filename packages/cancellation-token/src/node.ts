/**
 * The records of the cancellation tree: the fields of a token. Their meaning and their invariants are documented in tree.ts.
 */

import { append, type Chain, type Link } from '@quiesce/internal';
import { CancelledError, type CancelledSource } from './errors.ts';
import { guarded } from './uncaught.ts';

/** The token and everything below it are cancelled; set once. `parentOrReason` is then the reason. */
export const CANCELLED = 1;
/** The token has left the tree; set once. Its state is frozen. */
export const DISPOSED = 2;
/** The token is observed (invariant 1). */
export const OBSERVED = 4;
/** An observed child was added to the list since the list was last empty. */
export const HAS_CHILD = 8;
/** A callback or waiter was added to the list since the list was last empty. */
export const HAS_LISTENER = 16;
/** `head` is the details (invariant 4); set once. */
export const HAS_DETAILS = 32;
/** The token has a trigger, in its details, or in `head` when it has none. Set at birth; each read of the state polls it. */
export const HAS_TRIGGER = 64;
/** A token above has a trigger, so that a negative result is never cached; set at birth. */
export const BELOW_TRIGGER = 128;
/** A timer may run for the token or for one above it, so that its waiters are counted (invariant 7); set at birth. */
export const COUNTS_WAITERS = 256;
/** A child was born below the token: others may have cached that they are not cancelled. */
export const HAS_DEPENDENTS = 512;
/** A group depends on the token, or on one below it: groups may have cached that they are not cancelled. */
export const HAS_GROUP = 1024;
/** An entry of a token's list: an observed child, a callback or a waiter. The details, if any, come first. */
export interface Item extends Link<Item> {}

/** Distinguishes tokens from waiters, which belong to users and may have any field. Set on the prototype of tokens. */
export const NODE: unique symbol = Symbol('quiesce.node') as never;

/** Marks tokens, so that tokens of a second copy of this package are recognised. */
export const brand: unique symbol = Symbol.for('quiesce.token') as never;

/** The five fields of a token. */
export interface TreeNode extends Link<Item>, Chain<Item> {
  readonly [NODE]?: true;
  /** The parent, or the reason once cancelled (invariant 3); `undefined`: a root. */
  parentOrReason: TreeNode | Reason | undefined;
  /** The flags above and, from EPOCH_SHIFT on, an epoch. */
  flags: number;
}

/** The reason of a cancelled subtree; one for each `cancel`. */
export class Reason {
  /** `undefined` when it was not read yet, and the deadline has to make it, or a signal of another library has no reason. */
  #value: unknown;
  /** Where the cancellation came from. */
  readonly #source: CancelledSource;
  /** The number of reasons that were created before. */
  readonly #order: number = reasons++;
  /** The deadline that has passed, which may have been noticed later; `undefined`: it was no deadline. */
  readonly deadline: PassedDeadline | undefined;

  constructor(value: unknown, source: CancelledSource, deadline?: PassedDeadline) {
    this.#value = value;
    this.#source = source;
    this.deadline = deadline;
  }

  /** Whether this came before `other`. Two deadlines compare by their time, all else by the order of detection. */
  isBefore(other: Reason): boolean {
    if (this.deadline === undefined || other.deadline === undefined) return this.#order < other.#order;
    return this.deadline.wall < other.deadline.wall;
  }

  get value(): unknown {
    if (this.#value !== undefined) return this.#value;
    const made = this.deadline?.makeReason() ?? new CancelledError(undefined, { source: this.#source });
    // Making it runs user code, which may have read it.
    this.#value ??= made;
    return this.#value;
  }
}

/** A deadline that has passed, as its reason refers to it. */
interface PassedDeadline {
  /** When it passed, in ms since 1970. */
  readonly wall: number;
  /** Makes the value of the reason; never `undefined`. */
  makeReason(): unknown;
}

let reasons = 0;

/** Fields that few tokens need; kept apart, so that the others pay nothing for them. */
export class Details implements Item {
  next: Item | undefined = undefined;
  prev: Item | undefined = undefined;
  /** The name given at birth. */
  name: string | undefined = undefined;
  /** The object that `cancelled()` returns; created at its first call. */
  awaitable: object | undefined = undefined;
  /** The native signal; created when `signal` is first read. */
  signal: AbortSignal | undefined = undefined;
  /** The trigger that can cancel the token from outside the tree. Set at birth, together with HAS_TRIGGER. */
  trigger: Trigger | undefined = undefined;
  /** The number of waiters in the list, plus the number of linked children that have waiters (invariant 7). */
  waiterRefs = 0;
}

/**
 * Something outside the tree that can cancel a token: a foreign signal, a deadline, other tokens. Called a trigger, because
 * "source" is the protocol of source.ts.
 */
export interface Trigger {
  /** A deadline: children copy it, so that they keep it when their parent is disposed. */
  readonly isInherited: boolean;
  /** Starts to listen when `node` becomes observed; stops when `node` becomes unobserved or is cancelled. */
  setObserved(node: TreeNode, on: boolean): void;
  /** Called when the first waiter for `node` parks, and when the last one leaves: a waiter keeps the process alive. */
  setAwaited(node: TreeNode, on: boolean): void;
  /** Returns the reason if `node` has to be cancelled now, else `undefined`. */
  pollReason(): Reason | undefined;
  /** Returns the reason of an own deadline that passed before `reason`, which is the reason of the token above. */
  earlierReason?(reason: Reason): Reason | undefined;
}

/** Returns the details, if there are any. */
export function detailsOf(node: TreeNode): Details | undefined {
  return node.flags & HAS_DETAILS ? (node.head as Details) : undefined;
}

/** Returns the trigger; `undefined`: none. */
export function triggerOf(node: TreeNode): Trigger | undefined {
  if (node.flags & HAS_DETAILS) return (node.head as Details).trigger;
  return node.flags & HAS_TRIGGER ? (node.head as unknown as Trigger) : undefined;
}

/** Returns the details, created on first need. They become the head of the list; the order of the other items stays. */
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

/** Gives a new token its trigger, which takes the place of the list until there is one (invariant 4). */
export function attachTrigger(node: TreeNode, trigger: Trigger, flags: number): void {
  if (node.flags & HAS_DETAILS) (node.head as Details).trigger = trigger;
  else node.head = trigger as object as Item;
  node.flags |= HAS_TRIGGER | flags;
}

/** Adds an item to a token's list. */
export function addItem(node: TreeNode, item: Item): void {
  if ((node.flags & (HAS_TRIGGER | HAS_DETAILS)) === HAS_TRIGGER) needDetails(node);
  append<Item>(node, item);
}

/**
 * Reports to a token's trigger whether the token is observed. Errors of a hostile clock or signal must not leave the tree half
 * updated.
 */
export function notifyTrigger(node: TreeNode, on: boolean): void {
  guarded(() => triggerOf(node)?.setObserved(node, on));
}

/** Returns the reason that a token takes over from the one above: its own, if its own deadline passed earlier. */
export function reasonFor(node: TreeNode, reason: Reason): Reason {
  return (node.flags & HAS_TRIGGER && triggerOf(node)?.earlierReason?.(reason)) || reason;
}

/** Releases the trigger of a token that has ended, which may retain many other tokens. A deadline stays readable. */
export function dropTrigger(node: TreeNode): void {
  if (triggerOf(node)?.isInherited === false) needDetails(node).trigger = undefined;
}

/** Skips disposed tokens between `node` and its parent, so that they can be collected. A cancelled token is not skipped. */
export function skipDisposed(node: TreeNode): TreeNode | undefined {
  let parent = node.parentOrReason as TreeNode | undefined;
  // Nearly always there is none, and then nothing is written: creating and disposing a child takes 14 ns instead of 16.
  if (parent === undefined || !(parent.flags & DISPOSED)) return parent;
  while (parent !== undefined && (parent.flags & (DISPOSED | CANCELLED)) === DISPOSED)
    parent = parent.parentOrReason as TreeNode | undefined;
  node.parentOrReason = parent;
  return parent;
}

/**
 * Returns the token whose state counts for the waiters of `node`, and below which its children are born. That is `node`, or,
 * when `node` was disposed without being cancelled, the nearest ancestor that was not.
 */
export function liveAncestor(node: TreeNode): TreeNode | undefined {
  return (node.flags & (DISPOSED | CANCELLED)) === DISPOSED ? skipDisposed(node) : node;
}
