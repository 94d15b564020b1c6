import type { Clock, Timer, Waiter } from '@quiesce/cancellation-token';
import { parkOn, unparkFrom, type WaiterItem, type WaiterList, wakeAll } from '@quiesce/internal';

/** A moment, and who waits for it. Invariant: a timer is set exactly while somebody waits. */
export class Alarm implements WaiterList {
  /** Who waits, first come, first served. */
  head: WaiterItem | undefined = undefined;
  readonly clock: Clock;
  /** On the clock's `now()` scale; whoever owns the alarm may move it on. */
  due: number;
  /** The moment for which the timer has fired last, which may be a little early by that scale. */
  #rang: number | undefined = undefined;
  /** Set by the first waiter, cleared when it fires and when the last waiter leaves. */
  #timer: Timer | undefined = undefined;

  constructor(due: number, clock: Clock) {
    this.due = due;
    this.clock = clock;
  }

  get isDue(): boolean {
    return this.#rang === this.due || this.clock.now() >= this.due;
  }

  park(waiter: Waiter): void {
    parkOn(this, waiter);
    if (this.#timer !== undefined) return;
    const due = this.due;
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

/** @throws RangeError when `ms` is no time that one can wait for */
export function checkTime(call: string, ms: number): void {
  if (typeof ms === 'number' && ms >= 0) return;
  throw new RangeError(`${call}: the time must be a number of milliseconds from 0 to Infinity, got ${String(ms)}`);
}
