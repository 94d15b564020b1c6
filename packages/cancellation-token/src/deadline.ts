import { remainingTime } from '@quiesce/internal';
import type { Clock, Timer } from './clock.ts';
import { ofToken, TimeoutError } from './errors.ts';
import { attachTrigger, COUNTS_WAITERS, detailsOf, Reason, type TreeNode, type Trigger, triggerOf } from './node.ts';
import { isCancelled } from './tree.ts';

/**
 * A moment at which tokens are cancelled. Shared by the token that it was made for and everything below that was born later.
 *
 * Invariants
 *  1. `tops` holds the observed tokens that have this deadline and whose parent has not; the timer is set exactly while
 *     there is one, and holds the process exactly while somebody waits for one.
 *  2. All tokens that it cancels get the same reason. A deadline above that is noticed before does not change that.
 */
class Deadline implements Trigger {
  readonly isInherited = true;
  readonly clock: Clock;
  /** On the clock's `now()` scale. */
  readonly #time: number;
  /** The same; `-Infinity` once the timer has fired, which may be a little before by that scale. */
  #fireAt: number;
  /** On the clock's `wall()` scale; that of the other one if that is earlier. */
  readonly wall: number;
  /** Itself, and the earliest deadlines above on other clocks, one for each, which cannot be compared with it. */
  readonly all: readonly Deadline[];
  /** Made together with the deadline, so that its stack shows where that was set. */
  readonly #error: TimeoutError;
  /** Made when the first token is cancelled by it, and shared by all that are. */
  #reason: Reason | undefined = undefined;
  readonly #tops: Set<TreeNode> = new Set();
  /** Those of them for which, or below which, somebody waits. */
  readonly #awaitedTops: Set<TreeNode> = new Set();
  /** The latest timer, which is set while `#isTimed`: a clock may call anything a timer. */
  #timer: Timer | undefined = undefined;
  #hasTimer = false;
  /** Whether the timer that is set holds the process. */
  #isTimerHeld = false;
  /** Since when there is a timer, if it fired early and is set again. */
  #firstSet: number | undefined = undefined;
  /** Set while the timer is being changed. */
  #isUpdating = false;

  constructor(ms: number, clock: Clock, wall: number, others: readonly Deadline[], error: TimeoutError) {
    this.clock = clock;
    this.#time = clock.now() + ms;
    this.#fireAt = this.#time;
    this.all = [this, ...others];
    this.wall = Math.min(wall, ...others.map((other) => other.wall));
    this.#error = error;
  }

  /** How long until then, in ms; negative: past. */
  get remaining(): number {
    return this.#fireAt - this.clock.now();
  }

  pollReason(): Reason | undefined {
    for (const deadline of this.all) if (deadline.remaining <= 0) return deadline.#toReason();
    return undefined;
  }

  earlierReason({ deadline }: Reason): Reason | undefined {
    if (!(deadline instanceof Deadline)) return undefined;
    // Without asking the clock, which is the user's: what is before a moment that has passed has passed.
    const isBefore = (own: Deadline): boolean => own.clock === deadline.clock && own.#time < deadline.#time;
    const own = this.all.find(isBefore);
    return own === undefined ? undefined : own.#toReason();
  }

  #toReason(): Reason {
    this.#reason ??= new Reason(this.#error, 'explicit', this);
    return this.#reason;
  }

  setObserved(node: TreeNode, on: boolean): void {
    for (const deadline of this.all) deadline.#setObserved(node, on);
  }

  #setObserved(node: TreeNode, on: boolean): void {
    const parent = node.parentOrReason as TreeNode | undefined;
    const above = on && parent !== undefined ? triggerOf(parent) : undefined;
    const isTop = on && !(above instanceof Deadline && above.all.includes(this));
    if (isTop) this.#tops.add(node);
    else this.#tops.delete(node);
    this.#setAwaited(node, (detailsOf(node)?.waiterRefs ?? 0) > 0);
  }

  setAwaited(node: TreeNode, on: boolean): void {
    for (const deadline of this.all) deadline.#setAwaited(node, on);
  }

  #setAwaited(node: TreeNode, on: boolean): void {
    if (on && this.#tops.has(node)) this.#awaitedTops.add(node);
    else this.#awaitedTops.delete(node);
    this.#updateTimer();
  }

  /** Sets, takes back or changes the timer (invariant 1), again if that has changed what is wanted: a clock may run anything. */
  #updateTimer(): void {
    if (this.#isUpdating) return;
    this.#isUpdating = true;
    try {
      while (!this.#isTimerRight) this.#replaceTimer();
    } finally {
      this.#isUpdating = false;
    }
  }

  get #isTimerRight(): boolean {
    return this.#tops.size > 0 === this.#hasTimer && this.#awaitedTops.size > 0 === this.#isTimerHeld;
  }

  #replaceTimer(): void {
    const hadTimer = this.#hasTimer;
    this.#hasTimer = false;
    this.#isTimerHeld = this.#awaitedTops.size > 0;
    if (hadTimer) this.clock.clearTimer(this.#timer as Timer);
    if (this.#tops.size === 0) return;
    let isSet = false;
    const now = this.clock.now();
    // A clock that calls back at once would find the tree half linked.
    const firstSet = this.#firstSet ?? now;
    this.#firstSet = undefined;
    const fire = (): void => (isSet ? this.#onTimer(firstSet, now) : queueMicrotask(fire));
    this.#timer = this.clock.setTimer(Math.max(0, this.#fireAt - now), fire, { ref: this.#isTimerHeld });
    this.#hasTimer = true;
    isSet = true;
  }

  /** The timer, which was set first and last at these moments, has fired. */
  #onTimer(firstSet: number, lastSet: number): void {
    this.#hasTimer = false;
    if (remainingTime(firstSet, lastSet, this.#fireAt, this.clock.now()) > 0) {
      this.#firstSet = firstSet;
      this.#updateTimer();
      return;
    }
    this.#fireAt = Number.NEGATIVE_INFINITY;
    // Asking is enough: it is past the deadline.
    for (const top of [...this.#tops]) isCancelled(top);
  }
}

/** The deadline of a token; `undefined`: none. */
export function deadlineOf(node: TreeNode): Deadline | undefined {
  const trigger = triggerOf(node);
  return trigger instanceof Deadline ? trigger : undefined;
}

/** Gives a token that was just made a deadline, unless it has inherited an earlier one of the same clock. */
export function setDeadline(node: TreeNode, ms: number, wall: number, clock: Clock, name: string | undefined): void {
  const inherited = deadlineOf(node)?.all ?? [];
  const isLater = inherited.some((other) => other.clock === clock && other.remaining <= ms);
  if (ms === Number.POSITIVE_INFINITY || isLater) return;
  const others = inherited.filter((other) => other.clock !== clock);
  const error = new TimeoutError(ms, `Timed out after ${ms} ms${ofToken(name)}`);
  attachTrigger(node, new Deadline(ms, clock, wall, others, error), COUNTS_WAITERS);
}
