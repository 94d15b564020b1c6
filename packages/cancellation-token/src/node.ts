/**
 * The records of the cancellation tree: what a token is made of. What it all means stands at the head of tree.ts.
 */

import { append, type Chain, type Link } from '@quiesce/internal';
import { CancelledError, type CancelledSource } from './errors.ts';

/** It and what is below it are cancelled; set once; `up` is then the reason. */
export const CANCELLED = 1;
/** It has left the tree; set once; its answers are frozen. */
export const DISPOSED = 2;
/** Observed (invariant 1). */
export const LINKED = 4;
/** An observed child was put into its list since the list was last empty. */
export const PARENT = 8;
/** A callback or waiter was put into its list since the list was last empty. */
export const WAITED = 16;
/** `head` is the details (invariant 4); set once. */
export const DETAILED = 32;
/** Its state must be asked for: it follows a foreign signal; set at birth. */
export const ASKS = 64;
/** A token above it asks: its negative answers are never cached; set at birth. */
export const UNDER = 128;
/** What can stand in a token's list: observed children, callbacks, waiters, and first of all the details. */
export interface Item extends Link<Item> {}

/** The five fields of a token. */
export interface TreeNode extends Link<Item>, Chain<Item> {
  /** The parent, or (invariant 3) the reason; `undefined`: a root, or free-standing. */
  up: TreeNode | Reason | undefined;
  /** The flags above and, from EPOCH_SHIFT on, an epoch. */
  bits: number;
}

/** Why a subtree was cancelled; one for each `cancel`, so that the default error is made once and only when read. */
export class Reason {
  /** What the user gave, or the error that was made for the first reader; `undefined`: nobody has read it. */
  #value: unknown;
  readonly #source: CancelledSource;

  constructor(value: unknown, source: CancelledSource) {
    this.#value = value;
    this.#source = source;
  }

  get value(): unknown {
    if (this.#value === undefined) this.#value = new CancelledError(undefined, { source: this.#source });
    return this.#value;
  }
}

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
  /** The callback that aborts it, which stands among the others in the list; set together with `signal`. */
  registration: object | undefined = undefined;
  /** The foreign signal that a root follows; set at birth together with ASKS. */
  follows: Follower | undefined = undefined;
}

/** How a root hears of a cancellation that happens outside the tree. */
export interface Follower {
  readonly signal: AbortSignal;
  /** Starts when the root becomes observed, stops when it becomes unobserved or is cancelled. */
  listen(on: boolean): void;
}

/** The details, if there are any. */
export function detailsOf(node: TreeNode): Details | undefined {
  return node.bits & DETAILED ? (node.head as Details) : undefined;
}

/** The details, made on first need. They go to the front of the list, which stays in order behind them. */
export function needDetails(node: TreeNode): Details {
  if (node.bits & DETAILED) return node.head as Details;
  const details = new Details();
  // head ──► a ⇄ b ⇄ (a)   becomes   head ──► details ⇄ a ⇄ b ⇄ (details)
  append<Item>(node, details);
  node.head = details;
  node.bits |= DETAILED;
  return details;
}

/** Makes a root follow something outside the tree. Only for a root that was just made. */
export function follow(root: TreeNode, follower: Follower): void {
  needDetails(root).follows = follower;
  root.bits |= ASKS;
}
