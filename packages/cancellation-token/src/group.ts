import { groupEpoch, isDue, rounds } from './cancel.ts';
import { hold, type Listener, observe, Registration, unobserve } from './links.ts';
import { CANCELLED, DISPOSED, GROUPED, type Origin, originOf, type Reason, type TreeNode, UNDER } from './node.ts';
import { isCancelled } from './tree.ts';
import { guarded } from './uncaught.ts';

/**
 * Several tokens that together cancel one: `any` with the first, `all` with the last of them.
 *
 * Groups of groups may be nested as deep and as widely shared as anybody likes: neither asking nor listening recurses.
 *
 * Invariants
 *  1. Within one round of asking a group answers "no" once. A round ends when callbacks of the user's run.
 *  2. Before a group is asked, all unobserved groups that its sources depend on have answered in the same round.
 *  3. What a group should do (listen, hold) is said at once and done by the outermost that is at it, before that returns.
 *
 * Guarantee not given: when nobody observes, a foreign signal counts as aborted from when it was noticed, since it does
 * not say when it was.
 */
export class Group implements Origin, Listener {
  readonly isInherited = false;
  readonly #root: TreeNode;
  readonly #sources: readonly TreeNode[];
  readonly #isAll: boolean;
  /** Whether all that it depends on is told to it by cancellations: no deadline and no foreign signal is among it. */
  readonly #isPlain: boolean;
  /** The round in which it answered "no" last (invariant 1). */
  #answered = 0;
  /** The epoch in which it did; a plain one need not be asked again in the same. */
  #epoch = 0;
  /** `all`: how many of the sources, from the first on, are known to be cancelled. */
  #known = 0;
  /** Whether it should listen; set by the tree. */
  #isWanted = false;
  /** Whether somebody waits for the root; set by the tree. */
  #isHoldWanted = false;
  /** The callbacks on the sources while it listens. */
  #registrations: Registration[] | undefined = undefined;
  /** `all`, while it listens: how many of the sources have yet to be cancelled. */
  #left = 0;
  /** Whether the sources are told that somebody waits. */
  #isHolding = false;

  constructor(root: TreeNode, sources: readonly TreeNode[], isAll: boolean) {
    this.#root = root;
    this.#sources = sources;
    this.#isAll = isAll;
    for (const source of sources) markGrouped(source);
    this.#isPlain = sources.every((source) => every(source, (origin) => origin instanceof Group && origin.#isPlain));
  }

  listen(_node: TreeNode, on: boolean): void {
    this.#isWanted = on;
    change(this);
  }

  /** Somebody waits for the root: then a deadline of a source must not let the process end before. */
  hold(_node: TreeNode, on: boolean): void {
    this.#isHoldWanted = on;
    change(this);
  }

  /** Does what was said (invariant 3). */
  follow(): void {
    const isOn = this.#registrations !== undefined;
    if (this.#isWanted !== isOn) isOn ? this.#rest() : this.#start();
    const isHoldWanted = this.#isHoldWanted && this.#isWanted;
    if (isHoldWanted === this.#isHolding) return;
    this.#isHolding = isHoldWanted;
    for (const source of this.#sources) hold(source, isHoldWanted ? 1 : -1);
  }

  #start(): void {
    const registrations: Registration[] = [];
    this.#registrations = registrations;
    this.#left = this.#sources.length;
    for (const source of this.#sources) {
      // A deadline may have passed just now: then callbacks run here.
      if (isCancelled(source)) this.#left--;
      // A disposed source is frozen: it will never say anything again.
      else if (!(source.bits & DISPOSED)) {
        const registration = new Registration(this);
        registrations.push(registration);
        observe(source, registration);
      }
    }
    // Between the asking and now. To be told so is the last that happens to a root when it is linked.
    this.#check();
  }

  heard(): void {
    this.#left--;
    this.#check();
  }

  /** Of those that listen: enough of the sources are cancelled. */
  #check(): void {
    if (this.#hasHeardEnough()) isCancelled(this.#root);
  }

  #hasHeardEnough(): boolean {
    return this.#isAll ? this.#left === 0 : this.#left < this.#sources.length;
  }

  #rest(): void {
    for (const registration of this.#registrations ?? []) if (registration.owner !== undefined) unobserve(registration);
    this.#registrations = undefined;
  }

  ask(): Reason | undefined {
    if (this.#hasAnswered()) return undefined;
    return inRound(() => (this.#hasAnswered() ? undefined : this.#askAll()));
  }

  /** Asks first whom it depends on, those on whom they depend before them, and so on; then itself (invariant 2). */
  #askAll(): Reason | undefined {
    const stack: Group[] = [this];
    for (;;) {
      const at = stack.at(-1) as Group;
      if (!at.#isOver() && !at.#isReady(stack)) continue;
      if (at === this) return at.#answer();
      stack.pop();
      // If it is cancelled now, it has to know before those that depend on it ask.
      isCancelled(at.#root);
    }
  }

  #hasAnswered(): boolean {
    if (this.#isPlain) {
      if (this.#epoch === groupEpoch) return true;
      // One that listens is told by its sources, once all that is due has been notified.
      if (this.#registrations !== undefined && !this.#hasHeardEnough() && !isDue()) return true;
    }
    return rounds.now !== 0 && this.#answered === rounds.now;
  }

  /** Whether it need not be asked: it is cancelled, or has answered. */
  #isOver(): boolean {
    return (this.#root.bits & CANCELLED) !== 0 || this.#hasAnswered();
  }

  /** Whether it can answer at once; else it puts the groups that have to answer before on the stack. */
  #isReady(stack: Group[]): boolean {
    const length = stack.length;
    for (let i = this.#known; i < this.#sources.length; i++) {
      const source = this.#sources[i] as TreeNode;
      every(source, (origin) => {
        if (origin instanceof Group && !origin.#isOver()) stack.push(origin);
        return true;
      });
      if (!this.#isAll) continue;
      if (stack.length > length || !isCancelled(source)) break;
      this.#known = i + 1;
    }
    return stack.length === length;
  }

  /** Asks the sources. */
  #answer(): Reason | undefined {
    const cancelled = this.#isAll && this.#known < this.#sources.length ? [] : this.#sources.filter(isCancelled);
    if (cancelled.length === 0) {
      this.#answered = rounds.now;
      this.#epoch = groupEpoch;
      return undefined;
    }
    return cancelled.map((source) => source.up as Reason).reduce((a, b) => (a.isBefore(b) === this.#isAll ? b : a));
  }
}

/** Marks a source and what is above it, but for what was marked together with another source. */
function markGrouped(source: TreeNode): void {
  for (
    let at: TreeNode | undefined = source;
    at !== undefined && !(at.bits & GROUPED);
    at = at.up as TreeNode | undefined
  ) {
    at.bits |= GROUPED;
    if (at.bits & CANCELLED) break;
  }
}

/** Whether all that `source` depends on beside its parents' own cancellation, from itself upwards, passes the test. */
function every(source: TreeNode, test: (origin: Origin) => boolean): boolean {
  for (let at: TreeNode | undefined = source; at !== undefined; at = at.up as TreeNode | undefined) {
    if (at.bits & CANCELLED) break;
    const origin = at.bits & DISPOSED ? undefined : originOf(at);
    if (origin !== undefined && !test(origin)) return false;
    if (!(at.bits & (UNDER | DISPOSED))) break;
  }
  return true;
}

/** The groups that have something to do (invariant 3). */
const changed: Group[] = [];

function change(group: Group): void {
  changed.push(group);
  if (changed.length > 1) return;
  try {
    inRound(() => {
      for (const next of changed) guarded(() => next.follow());
    });
  } finally {
    changed.length = 0;
  }
}

/** Runs something in the round that is under way, or in a new one. */
function inRound<T>(act: () => T): T {
  if (rounds.now !== 0) return act();
  rounds.now = ++rounds.last;
  try {
    return act();
  } finally {
    rounds.now = 0;
  }
}
