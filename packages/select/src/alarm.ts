import { type Clock, consumeSlice, PENDING, type Takeable, type Timer, type Waiter } from '@quiesce/cancellation-token';
import { parkOn, remainingTime, unparkFrom, type WaiterItem, type WaiterList, wakeAll } from '@quiesce/internal';

/** When the alarm is due next, from when it was due and what the time is. */
export type Next = (due: number, now: number) => number;

/**
 * The machine under `sleep` and `interval`: a moment, and who waits for it. With a `Next` each poll that finds it due moves
 * it on, and its value is when it was due; without one it comes once.
 *
 * Invariant: outside of `#arm` a timer is set exactly while somebody waits.
 */
export class Alarm<T> implements WaiterList, Takeable<T> {
  /** Who waits, first come, first served. */
  head: WaiterItem | undefined = undefined;
  /** Set at birth: it comes once. */
  readonly once?: true;
  readonly clock: Clock;
  /** On the clock's `now()` scale. */
  #due: number;
  readonly #next: Next | undefined;
  /** The moment for which the timer has fired last: a clock that is driven by hand may say that it is early. */
  #rang: number | undefined = undefined;
  /** Set by the first waiter, cleared when it fires and when the last waiter leaves. */
  #timer: Timer | undefined = undefined;
  /** Whether it is set: a clock may call anything a timer. */
  #isTimed = false;
  /** Set while a timer is being set, which may run anything. */
  #isArming = false;
  /** Grows with each tick that is taken and with each reset, so that only the latest tick can be put back. */
  mark = 0;
  /** The mark of the latest reset. */
  #resetMark = 0;

  constructor(clock: Clock, due: number, next?: Next) {
    this.clock = clock;
    this.#due = due;
    this.#next = next;
    if (next === undefined) this.once = true;
  }

  get due(): number {
    return this.#due;
  }

  get isDue(): boolean {
    return this.#rang === this.#due || this.clock.now() >= this.#due;
  }

  /** Moves the moment, also for those who wait already. */
  reset(due: number): void {
    this.#resetMark = ++this.mark;
    this.#move(due);
  }

  #move(due: number): void {
    this.#due = due;
    this.#rang = undefined;
    this.#disarm();
    this.#arm();
  }

  poll(): T | typeof PENDING {
    if (!this.isDue) return PENDING;
    // Whatever computes for longer than a period finds each tick ready. Who delivers this one waits for the turn.
    void consumeSlice();
    const due = this.#due;
    if (this.#next === undefined) return undefined as T;
    this.#due = this.#next(due, this.clock.now());
    this.mark++;
    return due as T;
  }

  /** A tick that was not wanted is due again, unless the next one was taken meanwhile. A reset has dropped it. */
  putBack(due: T | undefined, _error: unknown, mark: number): boolean {
    if (mark < this.#resetMark) return true;
    if (mark !== this.mark) return false;
    this.#move(due as number);
    return true;
  }

  park(waiter: Waiter): void {
    parkOn(this, waiter);
    this.#arm();
  }

  unpark(waiter: Waiter): void {
    if (unparkFrom(this, waiter) && this.head === undefined) this.#disarm();
  }

  /** @param since when the timer was set first, if it fired early */
  #arm(since?: number): void {
    while (this.head !== undefined && !this.#isTimed && !this.#isArming) {
      const due = this.#due;
      const now = this.clock.now();
      let hasFired = false;
      const fire = (): void => {
        hasFired = true;
        this.#isTimed = false;
        const set = since ?? now;
        if (remainingTime(set, now, due, this.clock.now()) > 0) {
          this.#arm(set);
          return;
        }
        this.#rang = due;
        wakeAll(this);
      };
      this.#isArming = true;
      try {
        this.#timer = this.clock.setTimer(Math.max(0, due - now), fire, { ref: true });
        this.#isTimed = !hasFired;
      } finally {
        this.#isArming = false;
      }
      if (this.head === undefined || this.#due !== due) this.#disarm();
    }
  }

  #disarm(): void {
    const wasTimed = this.#isTimed;
    this.#isTimed = false;
    if (wasTimed) this.clock.clearTimer(this.#timer as Timer);
  }
}
