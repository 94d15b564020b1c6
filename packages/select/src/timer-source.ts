import { type Clock, consumeSlice, PENDING, type Takeable, type Timer, type Waiter } from '@quiesce/cancellation-token';
import { parkOn, remainingTime, unparkFrom, type WaiterItem, type WaiterList, wakeAll } from '@quiesce/internal';

/** Computes the time of the next tick from the time of this tick and the current time. */
export type NextTick = (deadline: number, now: number) => number;

/**
 * The source behind `sleep` and `interval`: a deadline, and the waiters for it.
 *
 * Without `NextTick` it is ready once. With `NextTick`, each poll at or after the deadline takes a tick, whose value is that
 * deadline, and sets the next deadline.
 *
 * Invariant: outside `#setTimer`, a timer is set exactly while there are waiters.
 */
export class TimerSource<T> implements WaiterList, Takeable<T> {
  /** The waiters, served in order. */
  head: WaiterItem | undefined = undefined;
  /** Set by the constructor when there is no `NextTick`. */
  readonly once?: true;
  readonly clock: Clock;
  /** On the clock's `now()` scale. */
  #deadline: number;
  readonly #next: NextTick | undefined;
  /** The deadline for which the timer fired last. A clock that is driven by hand may still show an earlier time. */
  #firedFor: number | undefined = undefined;
  /** Set by the first waiter; cleared when it fires and when the last waiter is unparked. */
  #timer: Timer | undefined = undefined;
  /** Whether a timer is set. A clock may use any value as a timer. */
  #hasTimer = false;
  /** Set during `clock.setTimer`, which may run any code. */
  #isSettingTimer = false;
  /** Grows with each taken tick and each reset, so that only the latest tick can be put back. */
  mark = 0;
  /** The value of `mark` at the latest reset. */
  #resetMark = 0;

  constructor(clock: Clock, deadline: number, next?: NextTick) {
    this.clock = clock;
    this.#deadline = deadline;
    this.#next = next;
    if (next === undefined) this.once = true;
  }

  get deadline(): number {
    return this.#deadline;
  }

  get isElapsed(): boolean {
    return this.#firedFor === this.#deadline || this.clock.now() >= this.#deadline;
  }

  /** Sets a new deadline, also for present waiters. */
  reset(deadline: number): void {
    this.#resetMark = ++this.mark;
    this.#setDeadline(deadline);
  }

  #setDeadline(deadline: number): void {
    this.#deadline = deadline;
    this.#firedFor = undefined;
    this.#clearTimer();
    this.#setTimer();
  }

  poll(): T | typeof PENDING {
    if (!this.isElapsed) return PENDING;
    // A loop that computes for longer than a period finds each tick ready. The wait that delivers this one makes the pause.
    void consumeSlice();
    const deadline = this.#deadline;
    if (this.#next === undefined) return undefined as T;
    this.#deadline = this.#next(deadline, this.clock.now());
    this.mark++;
    return deadline as T;
  }

  /** Puts an undelivered tick back, unless a later tick was taken since. A reset drops the tick. */
  putBack(deadline: T | undefined, _error: unknown, mark: number): boolean {
    if (mark < this.#resetMark) return true;
    if (mark !== this.mark) return false;
    this.#setDeadline(deadline as number);
    return true;
  }

  park(waiter: Waiter): void {
    parkOn(this, waiter);
    this.#setTimer();
  }

  unpark(waiter: Waiter): void {
    if (unparkFrom(this, waiter) && this.head === undefined) this.#clearTimer();
  }

  /** @param firstSet the time when the timer was first set, if it fired early */
  #setTimer(firstSet?: number): void {
    while (this.head !== undefined && !this.#hasTimer && !this.#isSettingTimer) {
      const deadline = this.#deadline;
      const now = this.clock.now();
      let hasFired = false;
      const fire = (): void => {
        hasFired = true;
        this.#hasTimer = false;
        const set = firstSet ?? now;
        if (remainingTime(set, now, deadline, this.clock.now()) > 0) {
          this.#setTimer(set);
          return;
        }
        this.#firedFor = deadline;
        wakeAll(this);
      };
      this.#isSettingTimer = true;
      try {
        this.#timer = this.clock.setTimer(Math.max(0, deadline - now), fire, { ref: true });
        this.#hasTimer = !hasFired;
      } finally {
        this.#isSettingTimer = false;
      }
      if (this.head === undefined || this.#deadline !== deadline) this.#clearTimer();
    }
  }

  #clearTimer(): void {
    const hadTimer = this.#hasTimer;
    this.#hasTimer = false;
    if (hadTimer) this.clock.clearTimer(this.#timer as Timer);
  }
}
