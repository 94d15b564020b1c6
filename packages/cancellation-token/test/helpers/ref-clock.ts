import type { Clock } from '@quiesce/cancellation-token';

interface Waiting {
  readonly fireAt: number;
  readonly ref: boolean;
  readonly fn: () => void;
}

/** A clock that is advanced synchronously, and that records for each timer whether it keeps the process alive. */
export class RefClock implements Clock {
  /** May also be assigned: then time has passed and no timer could fire. */
  time = 0;
  /** Called at each read, before it returns. */
  onNow: () => void = () => {};
  readonly #timers: Map<object, Waiting> = new Map();

  now(): number {
    this.onNow();
    return this.time;
  }

  wall(): number {
    return this.time;
  }

  setTimer(ms: number, fn: () => void, { ref }: { ref: boolean }): ReturnType<Clock['setTimer']> {
    const timer = {};
    this.#timers.set(timer, { fireAt: this.time + ms, ref, fn });
    return timer as never;
  }

  clearTimer(timer: object): void {
    this.#timers.delete(timer);
  }

  /** For each timer that is set, whether it keeps the process alive. */
  get refs(): boolean[] {
    return [...this.#timers.values()].map(({ ref }) => ref);
  }

  /** Advances time and fires the timers until then. */
  fire(time: number): void {
    this.time = time;
    for (const [timer, { fireAt, fn }] of [...this.#timers]) {
      if (fireAt <= time && this.#timers.delete(timer)) fn();
    }
  }
}
