import { remainingTime } from '@quiesce/internal';
import type { Clock, Timer } from './clock.ts';
import { ofToken, TimeoutError } from './errors.ts';
import { attachTrigger, COUNTS_WAITERS, detailsOf, Reason, type TreeNode, type Trigger, triggerOf } from './node.ts';
import { isCancelled } from './tree.ts';

/**
 * A point in time at which tokens are cancelled. The token that it was created for shares it with all tokens below that are
 * created later.
 *
 * Invariants
 *  1. `#tops` holds the observed tokens that have this deadline and whose parent does not. The timer is set exactly while
 *     `#tops` is not empty, and keeps the process alive exactly while a waiter waits for one of them.
 *  2. All tokens that it cancels get the same reason, even if a deadline above is detected earlier.
 */
class Deadline implements Trigger {
  readonly isInherited = true;
  readonly clock: Clock;
  /** When it passes, on the clock's `now()` scale. */
  readonly #time: number;
  /** The same; `-Infinity` once the timer has fired, which may be slightly early on that scale. */
  #fireAt: number;
  /** When it passes, on the clock's `wall()` scale; the time of another clock's deadline if that is earlier. */
  readonly wall: number;
  /** Itself, and the earliest deadline above on each other clock; times of different clocks cannot be compared. */
  readonly all: readonly Deadline[];
  /** Created together with the deadline, so that its stack shows where the deadline was set. */
  readonly #error: TimeoutError;
  /** Created when the first token is cancelled by it, and shared by all that are. */
  #reason: Reason | undefined = undefined;
  readonly #tops: Set<TreeNode> = new Set();
  /** Those tops for which, or below which, a waiter waits. */
  readonly #awaitedTops: Set<TreeNode> = new Set();
  /** The latest timer, which is set while `#hasTimer`: a clock may return any value as a timer. */
  #timer: Timer | undefined = undefined;
  #hasTimer = false;
  /** Whether the current timer keeps the process alive. */
  #isTimerHeld = false;
  /** When the timer was first set, if it fired early and is set again. */
  #firstSet: number | undefined = undefined;
  /** Set while the timer is being replaced. */
  #isUpdating = false;

  constructor(ms: number, clock: Clock, wall: number, others: readonly Deadline[], error: TimeoutError) {
    this.clock = clock;
    this.#time = clock.now() + ms;
    this.#fireAt = this.#time;
    this.all = [this, ...others];
    this.wall = Math.min(wall, ...others.map((other) => other.wall));
    this.#error = error;
  }

  /** The time left, in ms; negative: the deadline has passed. */
  get remaining(): number {
    return this.#fireAt - this.clock.now();
  }

  pollReason(): Reason | undefined {
    for (const deadline of this.all) if (deadline.remaining <= 0) return deadline.#toReason();
    return undefined;
  }

  earlierReason({ deadline }: Reason): Reason | undefined {
    if (!(deadline instanceof Deadline)) return undefined;
    // Without reading the clock, which runs user code: a deadline before one that has passed has passed, too.
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

  /** Sets, clears or replaces the timer (invariant 1). Repeats if that has changed what is needed: a clock may run any code. */
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
    // A clock that calls back synchronously would find the tree half linked.
    const firstSet = this.#firstSet ?? now;
    this.#firstSet = undefined;
    const fire = (): void => (isSet ? this.#onTimer(firstSet, now) : queueMicrotask(fire));
    this.#timer = this.clock.setTimer(Math.max(0, this.#fireAt - now), fire, { ref: this.#isTimerHeld });
    this.#hasTimer = true;
    isSet = true;
  }

  /** Called by the timer, which was set first and last at these times. */
  #onTimer(firstSet: number, lastSet: number): void {
    this.#hasTimer = false;
    if (remainingTime(firstSet, lastSet, this.#fireAt, this.clock.now()) > 0) {
      this.#firstSet = firstSet;
      this.#updateTimer();
      return;
    }
    this.#fireAt = Number.NEGATIVE_INFINITY;
    // Reading the state is enough: the deadline has passed.
    for (const top of [...this.#tops]) isCancelled(top);
  }
}

/** Returns the deadline of a token; `undefined`: none. */
export function deadlineOf(node: TreeNode): Deadline | undefined {
  const trigger = triggerOf(node);
  return trigger instanceof Deadline ? trigger : undefined;
}

/** Gives a new token a deadline, unless it has inherited an earlier one of the same clock. */
export function setDeadline(node: TreeNode, ms: number, wall: number, clock: Clock, name: string | undefined): void {
  const inherited = deadlineOf(node)?.all ?? [];
  const isLater = inherited.some((other) => other.clock === clock && other.remaining <= ms);
  if (ms === Number.POSITIVE_INFINITY || isLater) return;
  const others = inherited.filter((other) => other.clock !== clock);
  const error = new TimeoutError(ms, `Timed out after ${ms} ms${ofToken(name)}`);
  attachTrigger(node, new Deadline(ms, clock, wall, others, error), COUNTS_WAITERS);
}
