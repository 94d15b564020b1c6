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
 * Groups of groups may be nested to any depth and shared at will: neither polling nor listening recurses.
 *
 * Invariants
 *  1. Within one round of polling a group resolves to "not cancelled" at most once. A round ends when user callbacks run.
 *  2. Before a group is polled, all unobserved groups that its sources depend on have been polled in the same round.
 *  3. Changes of what a group should do (listen, keep alive) are recorded immediately. The outermost call applies them all
 *     before it returns.
 *
 * Guarantee not given: for an unobserved group, a foreign signal counts as aborted from when that was detected, since a signal
 * does not record when it was aborted.
 */
export class Group implements Trigger, Listener {
  readonly isInherited = false;
  readonly #root: TreeNode;
  readonly #sources: readonly TreeNode[];
  readonly #isAll: boolean;
  /** Whether cancellations notify it of everything it depends on: no deadline and no foreign signal is among that. */
  readonly #isPlain: boolean;
  /** The last round in which it was not cancelled (invariant 1). */
  #notCancelledRound = 0;
  /** The group epoch of that round; a plain group need not be polled again in the same epoch. */
  #epoch = 0;
  /** `all`: the number of sources, from the first on, that are known to be cancelled. */
  #cancelledCount = 0;
  /** Whether the root is observed, so that the group should listen; set by the tree. */
  #isObserved = false;
  /** Whether a waiter waits for the root; set by the tree. */
  #isAwaited = false;
  /** The callbacks on the sources while it listens. */
  #registrations: Registration[] | undefined = undefined;
  /** While it listens: the number of sources that are not cancelled yet. */
  #pendingCount = 0;
  /** Whether the sources count this group as a waiter. */
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

  /** A waiter on the root also keeps a source's deadline alive. */
  setAwaited(_node: TreeNode, on: boolean): void {
    this.#isAwaited = on;
    scheduleUpdate(this);
  }

  /** Applies the recorded changes (invariant 3). */
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
      // A disposed source is frozen and never notifies.
      else if (!(source.flags & DISPOSED)) {
        const registration = new Registration(this);
        registrations.push(registration);
        observe(source, registration);
      }
    }
    // A source may have been cancelled since it was polled. This call is the last step of linking a root.
    this.#resolveRoot();
  }

  onCancel(): void {
    this.#pendingCount--;
    this.#resolveRoot();
  }

  /** While listening: cancels the root if enough of the sources are cancelled. */
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

  /** Polls the groups it depends on before itself, each after its own dependencies (invariant 2). */
  #pollDependencies(): Reason | undefined {
    const stack: Group[] = [this];
    for (;;) {
      const at = stack.at(-1) as Group;
      if (!at.#isResolved() && !at.#canPoll(stack)) continue;
      if (at === this) return at.#pollSources();
      stack.pop();
      // If it is cancelled now, its state must be set before its dependents poll it.
      isCancelled(at.#root);
    }
  }

  #isKnownNotCancelled(): boolean {
    if (this.#isPlain) {
      if (this.#epoch === groupEpoch) return true;
      // A listening group is notified by its sources, once the notification queue is empty.
      if (this.#registrations !== undefined && !this.#isDecided() && !hasPending()) return true;
    }
    return rounds.now !== 0 && this.#notCancelledRound === rounds.now;
  }

  /** Whether polling is unnecessary: it is cancelled, or known not to be. */
  #isResolved(): boolean {
    return (this.#root.flags & CANCELLED) !== 0 || this.#isKnownNotCancelled();
  }

  /** Whether it can be polled now; otherwise the groups that must be polled before are pushed on the stack. */
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

  /** Polls the sources. */
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

/** Flags a source and its ancestors, up to those that were flagged with another source. */
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

/** Whether all triggers that `source` depends on, from itself upwards, pass the test. */
function everyTrigger(source: TreeNode, test: (trigger: Trigger) => boolean): boolean {
  for (let at: TreeNode | undefined = source; at !== undefined; at = at.parentOrReason as TreeNode | undefined) {
    if (at.flags & CANCELLED) break;
    const trigger = at.flags & DISPOSED ? undefined : triggerOf(at);
    if (trigger !== undefined && !test(trigger)) return false;
    if (!(at.flags & (BELOW_TRIGGER | DISPOSED))) break;
  }
  return true;
}

/** The groups with recorded changes (invariant 3). */
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

/** Runs `act` in the current round, or in a new one. */
function inRound<T>(act: () => T): T {
  if (rounds.now !== 0) return act();
  rounds.now = ++rounds.last;
  try {
    return act();
  } finally {
    rounds.now = 0;
  }
}
