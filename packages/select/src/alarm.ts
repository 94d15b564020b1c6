import {
  type Clock,
  consumeSlice,
  PENDING,
  type SourceProtocol,
  type Timer,
  type Waiter,
} from '@quiesce/cancellation-token';
import { parkOn, unparkFrom, type WaiterItem, type WaiterList, wakeAll } from '@quiesce/internal';

/** When the alarm is due next, from when it was due and what the time is. */
export type Next = (due: number, now: number) => number;

/**
 * The machine under `sleep` and `interval`: a moment, and who waits for it. With a `Next` each poll that finds it due moves
 * it on, and its value is when it was due; without one it comes once.
 *
 * Invariant: a timer is set exactly while somebody waits.
 */
export class Alarm<T> implements WaiterList, SourceProtocol<T> {
  /** Who waits, first come, first served. */
  head: WaiterItem | undefined = undefined;
  /** Set at birth: it comes once. */
  readonly once?: true;
  readonly clock: Clock;
  /** On the clock's `now()` scale; whoever owns the alarm may move it on. */
  due: number;
  readonly #next: Next | undefined;
  /** The moment for which the timer has fired last, which may be a little early by that scale. */
  #rang: number | undefined = undefined;
  /** Set by the first waiter, cleared when it fires and when the last waiter leaves. */
  #timer: Timer | undefined = undefined;

  constructor(clock: Clock, after: number, next?: Next) {
    this.clock = clock;
    this.due = clock.now() + after;
    this.#next = next;
    if (next === undefined) this.once = true;
  }

  get isDue(): boolean {
    return this.#rang === this.due || this.clock.now() >= this.due;
  }

  poll(): T | typeof PENDING {
    if (!this.isDue) return PENDING;
    // Whatever computes for longer than a period finds each tick ready. Who delivers this one waits for the turn.
    void consumeSlice();
    const { due } = this;
    if (this.#next === undefined) return undefined as T;
    this.due = this.#next(due, this.clock.now());
    return due as T;
  }

  park(waiter: Waiter): void {
    parkOn(this, waiter);
    if (this.#timer !== undefined) return;
    const { due } = this;
    const fire = (): void => {
      this.#timer = undefined;
      this.#rang = due;
      wakeAll(this);
    };
    this.#timer = this.clock.setTimer(Math.max(0, due - this.clock.now()), fire, { ref: true });
  }

  unpark(waiter: Waiter): void {
    if (!unparkFrom(this, waiter) || this.head !== undefined || this.#timer === undefined) return;
    this.clock.clearTimer(this.#timer);
    this.#timer = undefined;
  }
}
