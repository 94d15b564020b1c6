import { groupEpoch, hasPending, rounds } from './cancel.ts';
import { addWaiterRef, type Listener, observe, Registration, unobserve } from './links.ts';
import {
  BELOW_TRIGGER,
  CANCELLED,
  DISPOSED,
  HAS_GROUP,
  type Reason,
  type TreeNode,
  type Trigger,
  triggerOf,
} from './node.ts';
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
export class Group implements Trigger, Listener {
  readonly isInherited = false;
  readonly #root: TreeNode;
  readonly #sources: readonly TreeNode[];
  readonly #isAll: boolean;
  /** Whether all that it depends on is told to it by cancellations: no deadline and no foreign signal is among it. */
  readonly #isPlain: boolean;
  /** The round in which it answered "no" last (invariant 1). */
  #notCancelledRound = 0;
  /** The epoch in which it did; a plain one need not be asked again in the same. */
  #epoch = 0;
  /** `all`: how many of the sources, from the first on, are known to be cancelled. */
  #cancelledCount = 0;
  /** Whether it should listen; set by the tree. */
  #isObserved = false;
  /** Whether somebody waits for the root; set by the tree. */
  #isAwaited = false;
  /** The callbacks on the sources while it listens. */
  #registrations: Registration[] | undefined = undefined;
  /** `all`, while it listens: how many of the sources have yet to be cancelled. */
  #pendingCount = 0;
  /** Whether the sources are told that somebody waits. */
  #holdsSources = false;

  constructor(root: TreeNode, sources: readonly TreeNode[], isAll: boolean) {
    this.#root = root;
    this.#sources = sources;
    this.#isAll = isAll;
    for (const source of sources) markGrouped(source);
    this.#isPlain = sources.every((source) =>
      everyTrigger(source, (trigger) => trigger instanceof Group && trigger.#isPlain),
    );
  }

  setObserved(_node: TreeNode, on: boolean): void {
    this.#isObserved = on;
    scheduleUpdate(this);
  }

  /** Somebody waits for the root: then a deadline of a source must not let the process end before. */
  setAwaited(_node: TreeNode, on: boolean): void {
    this.#isAwaited = on;
    scheduleUpdate(this);
  }

  /** Does what was said (invariant 3). */
  update(): void {
    const isOn = this.#registrations !== undefined;
    if (this.#isObserved !== isOn) isOn ? this.#stopListening() : this.#startListening();
    const isAwaited = this.#isAwaited && this.#isObserved;
    if (isAwaited === this.#holdsSources) return;
    this.#holdsSources = isAwaited;
    for (const source of this.#sources) addWaiterRef(source, isAwaited ? 1 : -1);
  }

  #startListening(): void {
    const registrations: Registration[] = [];
    this.#registrations = registrations;
    this.#pendingCount = this.#sources.length;
    for (const source of this.#sources) {
      // A deadline may have passed just now: then callbacks run here.
      if (isCancelled(source)) this.#pendingCount--;
      // A disposed source is frozen: it will never say anything again.
      else if (!(source.flags & DISPOSED)) {
        const registration = new Registration(this);
        registrations.push(registration);
        observe(source, registration);
      }
    }
    // Between the asking and now. To be told so is the last that happens to a root when it is linked.
    this.#resolveRoot();
  }

  onCancel(): void {
    this.#pendingCount--;
    this.#resolveRoot();
  }

  /** Of those that listen: enough of the sources are cancelled. */
  #resolveRoot(): void {
    if (this.#isDecided()) isCancelled(this.#root);
  }

  #isDecided(): boolean {
    return this.#isAll ? this.#pendingCount === 0 : this.#pendingCount < this.#sources.length;
  }

  #stopListening(): void {
    for (const registration of this.#registrations ?? []) if (registration.owner !== undefined) unobserve(registration);
    this.#registrations = undefined;
  }

  pollReason(): Reason | undefined {
    if (this.#isKnownNotCancelled()) return undefined;
    return inRound(() => (this.#isKnownNotCancelled() ? undefined : this.#pollDependencies()));
  }

  /** Asks first whom it depends on, those on whom they depend before them, and so on; then itself (invariant 2). */
  #pollDependencies(): Reason | undefined {
    const stack: Group[] = [this];
    for (;;) {
      const at = stack.at(-1) as Group;
      if (!at.#isResolved() && !at.#canPoll(stack)) continue;
      if (at === this) return at.#pollSources();
      stack.pop();
      // If it is cancelled now, it has to know before those that depend on it ask.
      isCancelled(at.#root);
    }
  }

  #isKnownNotCancelled(): boolean {
    if (this.#isPlain) {
      if (this.#epoch === groupEpoch) return true;
      // One that listens is told by its sources, once all that is due has been notified.
      if (this.#registrations !== undefined && !this.#isDecided() && !hasPending()) return true;
    }
    return rounds.now !== 0 && this.#notCancelledRound === rounds.now;
  }

  /** Whether it need not be asked: it is cancelled, or has answered. */
  #isResolved(): boolean {
    return (this.#root.flags & CANCELLED) !== 0 || this.#isKnownNotCancelled();
  }

  /** Whether it can answer at once; else it puts the groups that have to answer before on the stack. */
  #canPoll(stack: Group[]): boolean {
    const length = stack.length;
    for (let i = this.#cancelledCount; i < this.#sources.length; i++) {
      const source = this.#sources[i] as TreeNode;
      everyTrigger(source, (trigger) => {
        if (trigger instanceof Group && !trigger.#isResolved()) stack.push(trigger);
        return true;
      });
      if (!this.#isAll) continue;
      if (stack.length > length || !isCancelled(source)) break;
      this.#cancelledCount = i + 1;
    }
    return stack.length === length;
  }

  /** Asks the sources. */
  #pollSources(): Reason | undefined {
    const cancelled =
      this.#isAll && this.#cancelledCount < this.#sources.length ? [] : this.#sources.filter(isCancelled);
    if (cancelled.length === 0) {
      this.#notCancelledRound = rounds.now;
      this.#epoch = groupEpoch;
      return undefined;
    }
    return cancelled
      .map((source) => source.parentOrReason as Reason)
      .reduce((a, b) => (a.isBefore(b) === this.#isAll ? b : a));
  }
}

/** Marks a source and what is above it, but for what was marked together with another source. */
function markGrouped(source: TreeNode): void {
  for (
    let at: TreeNode | undefined = source;
    at !== undefined && !(at.flags & HAS_GROUP);
    at = at.parentOrReason as TreeNode | undefined
  ) {
    at.flags |= HAS_GROUP;
    if (at.flags & CANCELLED) break;
  }
}

/** Whether all that `source` depends on beside its parents' own cancellation, from itself upwards, passes the test. */
function everyTrigger(source: TreeNode, test: (trigger: Trigger) => boolean): boolean {
  for (let at: TreeNode | undefined = source; at !== undefined; at = at.parentOrReason as TreeNode | undefined) {
    if (at.flags & CANCELLED) break;
    const trigger = at.flags & DISPOSED ? undefined : triggerOf(at);
    if (trigger !== undefined && !test(trigger)) return false;
    if (!(at.flags & (BELOW_TRIGGER | DISPOSED))) break;
  }
  return true;
}

/** The groups that have something to do (invariant 3). */
const updateQueue: Group[] = [];

function scheduleUpdate(group: Group): void {
  updateQueue.push(group);
  if (updateQueue.length > 1) return;
  try {
    inRound(() => {
      for (const next of updateQueue) guarded(() => next.update());
    });
  } finally {
    updateQueue.length = 0;
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
