import { leftOf } from '@quiesce/internal';
import type { Clock, Timer } from './clock.ts';
import { ofToken, TimeoutError } from './errors.ts';
import { detailsOf, type Origin, originate, originOf, Reason, TIMED, type TreeNode } from './node.ts';
import { isCancelled } from './tree.ts';

/**
 * A moment at which tokens are cancelled. Shared by the token that it was made for and everything below that was born later.
 *
 * Invariants
 *  1. `tops` holds the observed tokens that have this deadline and whose parent has not; the timer is set exactly while
 *     there is one, and holds the process exactly while somebody waits for one.
 *  2. All tokens that it cancels get the same reason. A deadline above that is noticed before does not change that.
 */
class Deadline implements Origin {
  readonly isInherited = true;
  readonly clock: Clock;
  /** On the clock's `now()` scale. */
  readonly #due: number;
  /** The same; `-Infinity` once the timer has fired, which may be a little before by that scale. */
  #at: number;
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
  readonly #heldTops: Set<TreeNode> = new Set();
  /** The latest timer, which is set while `#isTimed`: a clock may call anything a timer. */
  #timer: Timer | undefined = undefined;
  #isTimed = false;
  /** Whether the timer that is set holds the process. */
  #isHeld = false;
  /** Since when there is a timer, if it fired early and is set again. */
  #since: number | undefined = undefined;
  /** Set while the timer is being changed. */
  #isSetting = false;

  constructor(ms: number, clock: Clock, wall: number, others: readonly Deadline[], error: TimeoutError) {
    this.clock = clock;
    this.#due = clock.now() + ms;
    this.#at = this.#due;
    this.all = [this, ...others];
    this.wall = Math.min(wall, ...others.map((other) => other.wall));
    this.#error = error;
  }

  /** How long until then, in ms; negative: past. */
  get left(): number {
    return this.#at - this.clock.now();
  }

  ask(): Reason | undefined {
    for (const deadline of this.all) if (deadline.left <= 0) return deadline.#over();
    return undefined;
  }

  before({ deadline }: Reason): Reason | undefined {
    if (!(deadline instanceof Deadline)) return undefined;
    // Without asking the clock, which is the user's: what is before a moment that has passed has passed.
    const isBefore = (own: Deadline): boolean => own.clock === deadline.clock && own.#due < deadline.#due;
    const own = this.all.find(isBefore);
    return own === undefined ? undefined : own.#over();
  }

  #over(): Reason {
    this.#reason ??= new Reason(this.#error, 'explicit', this);
    return this.#reason;
  }

  listen(node: TreeNode, on: boolean): void {
    for (const deadline of this.all) deadline.#listen(node, on);
  }

  #listen(node: TreeNode, on: boolean): void {
    const up = node.up as TreeNode | undefined;
    const above = on && up !== undefined ? originOf(up) : undefined;
    const isTop = on && !(above instanceof Deadline && above.all.includes(this));
    if (isTop) this.#tops.add(node);
    else this.#tops.delete(node);
    this.#hold(node, (detailsOf(node)?.held ?? 0) > 0);
  }

  hold(node: TreeNode, on: boolean): void {
    for (const deadline of this.all) deadline.#hold(node, on);
  }

  #hold(node: TreeNode, on: boolean): void {
    if (on && this.#tops.has(node)) this.#heldTops.add(node);
    else this.#heldTops.delete(node);
    this.#set();
  }

  /** Sets, takes back or changes the timer (invariant 1), again if that has changed what is wanted: a clock may run anything. */
  #set(): void {
    if (this.#isSetting) return;
    this.#isSetting = true;
    try {
      while (!this.#isRight) this.#change();
    } finally {
      this.#isSetting = false;
    }
  }

  get #isRight(): boolean {
    return this.#tops.size > 0 === this.#isTimed && this.#heldTops.size > 0 === this.#isHeld;
  }

  #change(): void {
    const wasTimed = this.#isTimed;
    this.#isTimed = false;
    this.#isHeld = this.#heldTops.size > 0;
    if (wasTimed) this.clock.clearTimer(this.#timer as Timer);
    if (this.#tops.size === 0) return;
    let isSet = false;
    const now = this.clock.now();
    // A clock that calls back at once would find the tree half linked.
    const since = this.#since ?? now;
    this.#since = undefined;
    const fire = (): void => (isSet ? this.#fire(since, now) : queueMicrotask(fire));
    this.#timer = this.clock.setTimer(Math.max(0, this.#at - now), fire, { ref: this.#isHeld });
    this.#isTimed = true;
    isSet = true;
  }

  /** The timer, which was set first and last at these moments, has fired. */
  #fire(since: number, armed: number): void {
    this.#isTimed = false;
    if (leftOf(since, armed, this.#at, this.clock.now()) > 0) {
      this.#since = since;
      this.#set();
      return;
    }
    this.#at = Number.NEGATIVE_INFINITY;
    // Asking is enough: it is past the deadline.
    for (const top of [...this.#tops]) isCancelled(top);
  }
}

/** The deadline of a token; `undefined`: none. */
export function deadlineOf(node: TreeNode): Deadline | undefined {
  const origin = originOf(node);
  return origin instanceof Deadline ? origin : undefined;
}

/** Gives a token that was just made a deadline, unless it has inherited an earlier one of the same clock. */
export function setDeadline(node: TreeNode, ms: number, wall: number, clock: Clock, name: string | undefined): void {
  const inherited = deadlineOf(node)?.all ?? [];
  const isLater = inherited.some((other) => other.clock === clock && other.left <= ms);
  if (ms === Number.POSITIVE_INFINITY || isLater) return;
  const others = inherited.filter((other) => other.clock !== clock);
  const error = new TimeoutError(ms, `Timed out after ${ms} ms${ofToken(name)}`);
  originate(node, new Deadline(ms, clock, wall, others, error), TIMED);
}
