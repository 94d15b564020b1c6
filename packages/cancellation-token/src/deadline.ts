import { checkNumber, remainingTime, withFramesOf } from '@quiesce/internal';
import type { Clock, Timer } from './clock.ts';
import { ofToken, TimeoutError } from './errors.ts';
import { attachTrigger, COUNTS_WAITERS, detailsOf, Reason, type TreeNode, type Trigger, triggerOf } from './node.ts';
import { isCancelled } from './tree.ts';
import { guarded } from './uncaught.ts';

/** The fields of a deadline. */
interface Start {
  /** The length, in ms; `Infinity`: it never passes, until it is renewed. */
  readonly ms: number;
  /** From when the length counts, on the clock's `now()` scale. */
  readonly since: number;
  /** When it passes, on the clock's `wall()` scale; `undefined`: it can be renewed. */
  readonly wall: number | undefined;
  readonly clock: Clock;
  /** The name of the token that it is created for. */
  readonly name: string | undefined;
  /** The reason; `undefined`: it is made when the deadline has passed. Its stack shows where the deadline was set. */
  readonly error: TimeoutError | undefined;
}

/** The additional fields of a renewable deadline. */
export interface Renewal {
  /** Makes the reason; `undefined`: a `TimeoutError`. */
  readonly reason: (() => unknown) | undefined;
  /** Whether it also passes by the wall clock. */
  readonly usesWall: boolean;
}

/**
 * A point in time at which tokens are cancelled. The token that it was created for shares it with all tokens below that are
 * created later. It is fixed, or it moves when it is renewed, until it has passed.
 *
 * Invariants
 *  1. `#tops` holds the observed tokens that have this deadline and whose parent does not. A timer is set exactly while
 *     `#tops` is not empty, and keeps the process alive exactly while a waiter waits for one of them.
 *  2. All tokens that it cancels get the same reason, even if a deadline above is detected earlier.
 *  3. The timer is set for a time that is not later than `#time`. After a renewal it may be set for an earlier time: then it is
 *     set again when it fires.
 *  4. `renew` reads the clock before it writes, and writes nothing at or after `#time`. A deadline that has passed stays passed.
 */
export class Deadline implements Trigger {
  readonly isInherited = true;
  readonly clock: Clock;
  // The numbers that change are numbers from the start, so that engines store them in place and `renew` allocates nothing.
  /** When it passes, on the clock's `now()` scale. Set by `renew`; brought forward when the wall clock has passed it. */
  #time: number = Number.NaN;
  /** The same; `-Infinity` once the timer has fired, which may be slightly early on that scale. */
  #fireAt: number = Number.NaN;
  /** When it passes, on the clock's `wall()` scale; `undefined` for a deadline that can be renewed: it is computed. */
  readonly #wall: number | undefined;
  /** The wall clock's lead over `now()` when the deadline was last set; `NaN`: the wall clock does not count. */
  #wallLead = Number.NaN;
  /** The length that was set last, in ms. */
  #ms: number = Number.NaN;
  /**
   * Itself, and the deadlines above that cannot be compared with it once and for all: the earliest on each other clock, those
   * that can be renewed, and for one that can be renewed all.
   */
  readonly all: readonly Deadline[];
  /** Created together with the deadline, so that its stack shows where the deadline was set; `undefined` with `#makeReason`. */
  readonly #error: TimeoutError | undefined;
  readonly #name: string | undefined;
  /** Makes the reason instead of `#error`; cleared when it is called. */
  #makeReason: (() => unknown) | undefined;
  /** Set while `#makeReason` runs: until it returns, the deadline has not passed. */
  #isMakingReason = false;
  /** Created when the first token is cancelled by it, and shared by all that are. */
  #reason: Reason | undefined = undefined;
  readonly #tops: Set<TreeNode> = new Set();
  /** Those tops for which, or below which, a waiter waits. */
  readonly #awaitedTops: Set<TreeNode> = new Set();
  /** The latest timer, which is set while `#hasTimer`: a clock may return any value as a timer. */
  #timer: Timer | undefined = undefined;
  #hasTimer = false;
  /** The time for which the timer was set. */
  #timerTime: number = Number.POSITIVE_INFINITY;
  /** Whether the current timer keeps the process alive. */
  #isTimerHeld = false;
  /** When the timer was first set, if it fired early and is set again. */
  #firstSet: number | undefined = undefined;
  /** Set while the timer is being replaced. */
  #isUpdating = false;

  constructor(
    { ms, since, wall, clock, name, error }: Start,
    others: readonly Deadline[],
    renewal: Renewal | undefined,
  ) {
    this.clock = clock;
    this.#time = since + ms;
    this.#fireAt = this.#time;
    this.#wall = wall;
    if (renewal?.usesWall) this.#wallLead = clock.wall() - clock.now();
    this.#ms = ms;
    this.all = [this, ...others];
    this.#name = name;
    this.#makeReason = renewal?.reason;
    this.#error = error;
  }

  /** Whether it can be renewed, so that no other deadline is always earlier or later. */
  get isRenewable(): boolean {
    return this.#wall === undefined;
  }

  /** When it passes, on the clock's `wall()` scale. */
  get wall(): number {
    return this.#wall ?? this.clock.wall() + this.#time - this.#toNow(this.clock.now());
  }

  /** The time left, in ms; negative: the deadline has passed. */
  get remaining(): number {
    return this.#fireAt - this.#toNow(this.clock.now());
  }

  /** Returns the time that counts: the wall clock's, if that has advanced further, as it does while a machine sleeps. */
  #toNow(now: number): number {
    const slept = this.#drift(now);
    return slept > 0 ? now + slept : now;
  }

  /** How much further than `now()` the wall clock has advanced since the deadline was set; `NaN` if it does not count. */
  #drift(now: number): number {
    return Number.isNaN(this.#wallLead) ? Number.NaN : this.clock.wall() - now - this.#wallLead;
  }

  /** Moves the deadline, unless it has passed (invariant 4). Allocates nothing: it may run for each message that arrives. */
  renew(ms: number, since: number | undefined): boolean {
    const now = this.clock.now();
    const drift = this.#drift(now);
    const slept = Math.max(0, drift || 0);
    if (this.#reason !== undefined || this.#fireAt <= now + slept) return false;
    // Whether the machine slept before `since` or after is not known. If it was before, the deadline is early, this once.
    this.#time = since === undefined ? now + ms : since + ms - slept;
    this.#fireAt = this.#time;
    this.#wallLead += drift;
    this.#ms = ms;
    this.#updateTimer();
    return true;
  }

  pollReason(): Reason | undefined {
    let first: Deadline | undefined;
    let clock: Clock | undefined;
    let now = 0;
    for (const deadline of this.all) {
      // Times of different clocks cannot be compared.
      if (first !== undefined && first.clock !== deadline.clock) continue;
      if (clock !== deadline.clock) {
        clock = deadline.clock;
        now = clock.now();
      }
      if (deadline.#hasPassed(now) && !(first !== undefined && first.#time <= deadline.#time)) first = deadline;
    }
    return first === undefined ? undefined : first.#toReason(true);
  }

  #hasPassed(now: number): boolean {
    if (this.#fireAt <= now) return true;
    // False if the wall clock does not count.
    if (!(this.#fireAt <= now + this.#drift(now))) return false;
    // Only the wall clock has passed it. From now on it counts as passed for every comparison.
    this.#time = now;
    this.#fireAt = now;
    return true;
  }

  earlierReason({ deadline }: Reason): Reason | undefined {
    if (!(deadline instanceof Deadline)) return undefined;
    // Without reading the clock, which runs user code: a deadline before one that has passed has passed, too.
    let first = deadline;
    for (const own of this.all) if (own.clock === deadline.clock && own.#time < first.#time) first = own;
    return first === deadline ? undefined : first.#toReason(false);
  }

  /** @param now whether user code may run, so that the reason is made now, and not when it is first read */
  #toReason(now: boolean): Reason | undefined {
    if (this.#isMakingReason) return undefined;
    const value = now && this.#reason === undefined ? this.makeReason() : undefined;
    this.#reason ??= new Reason(value, 'explicit', this);
    return this.#reason;
  }

  makeReason(): unknown {
    const make = this.#makeReason;
    this.#makeReason = undefined;
    this.#isMakingReason = make !== undefined;
    let value: unknown;
    if (make !== undefined) {
      guarded(() => {
        value = make();
      });
    }
    this.#isMakingReason = false;
    if (value !== undefined) return value;
    const error = this.#error;
    if (error?.ms === this.#ms) return error;
    // It was renewed with another length.
    const latest = timeoutError(this.#ms, this.#name);
    return error === undefined ? latest : withFramesOf(latest, error);
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
    if (!this.#hasTimer) return !this.#needsTimer;
    const isInTime = this.#timerTime <= this.#fireAt;
    return this.#tops.size > 0 && isInTime && this.#awaitedTops.size > 0 === this.#isTimerHeld;
  }

  /** A timer that never fires would only keep the process alive. */
  get #needsTimer(): boolean {
    return this.#tops.size > 0 && this.#fireAt < Number.POSITIVE_INFINITY;
  }

  #replaceTimer(): void {
    const hadTimer = this.#hasTimer;
    this.#hasTimer = false;
    this.#isTimerHeld = this.#awaitedTops.size > 0;
    if (hadTimer) this.clock.clearTimer(this.#timer as Timer);
    if (!this.#needsTimer) return;
    let isSet = false;
    const now = this.clock.now();
    // A clock that calls back synchronously would find the tree half linked.
    const firstSet = this.#firstSet ?? now;
    this.#firstSet = undefined;
    const fire = (): void => (isSet ? this.#onTimer(firstSet, now) : queueMicrotask(fire));
    this.#timerTime = this.#fireAt;
    this.#timer = this.clock.setTimer(Math.max(0, this.#fireAt - now), fire, { ref: this.#isTimerHeld });
    this.#hasTimer = true;
    isSet = true;
  }

  /** Called by the timer, which was set first and last at these times. */
  #onTimer(firstSet: number, lastSet: number): void {
    this.#hasTimer = false;
    const isEarly = remainingTime(firstSet, lastSet, this.#timerTime, this.clock.now()) > 0;
    if (isEarly) this.#firstSet = firstSet;
    if (isEarly || (this.#timerTime < this.#fireAt && this.remaining > 0)) {
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

/** Gives a new token a deadline that is fixed, unless it has inherited an earlier one of the same clock that is fixed, too. */
export function setDeadline(node: TreeNode, ms: number, wall: number, clock: Clock, name: string | undefined): void {
  const inherited = deadlineOf(node)?.all ?? [];
  const isFixed = (other: Deadline): boolean => other.clock === clock && !other.isRenewable;
  const isLater = inherited.some((other) => isFixed(other) && other.remaining <= ms);
  if (ms === Number.POSITIVE_INFINITY || isLater) return;
  const others = inherited.filter((other) => !isFixed(other));
  const error = timeoutError(ms, name);
  const deadline = new Deadline({ ms, since: clock.now(), wall, clock, name, error }, others, undefined);
  attachTrigger(node, deadline, COUNTS_WAITERS);
}

/** Gives a new token a deadline that can be renewed, in addition to those that it has inherited. */
export function setRenewable(node: TreeNode, start: Omit<Start, 'wall' | 'error'>, renewal: Renewal): Deadline {
  const error = renewal.reason === undefined ? timeoutError(start.ms, start.name) : undefined;
  const deadline = new Deadline({ ...start, wall: undefined, error }, deadlineOf(node)?.all ?? [], renewal);
  attachTrigger(node, deadline, COUNTS_WAITERS);
  return deadline;
}

function timeoutError(ms: number, name: string | undefined): TimeoutError {
  return new TimeoutError(ms, `Timed out after ${ms} ms${ofToken(name)}`);
}

/** Returns the time left until the earliest deadline of a token, in ms; `undefined`: it has none. */
export function timeLeft(node: TreeNode): number | undefined {
  const all = deadlineOf(node)?.all;
  return all && Math.max(0, Math.min(...all.map(({ remaining }) => remaining)));
}

/** Returns the earliest deadline of a token, in ms since 1970; `undefined`: it has none. */
export function wallOf(node: TreeNode): number | undefined {
  const all = deadlineOf(node)?.all;
  return all && Math.min(...all.map(({ wall }) => wall));
}

/** @throws TypeError unless `since` is a number; RangeError when it is in the future. `undefined` stands for now */
export function checkSince(call: string, since: number | undefined, now: number): void {
  if (since === undefined || (Number.isFinite(since) && since <= now)) return;
  const hint = ': pass what the now() of its clock returned, not Date.now()';
  checkNumber(false, `${call}: since`, `a time until now (${now})`, since, hint);
}
