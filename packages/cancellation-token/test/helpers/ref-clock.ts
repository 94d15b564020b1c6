import type { Clock } from '@quiesce/cancellation-token';

interface Waiting {
  readonly due: number;
  readonly ref: boolean;
  readonly fn: () => void;
}

/** A clock that is moved synchronously, and that says how each timer that is set treats the process. */
export class RefClock implements Clock {
  /** May also be set: then time has passed and no timer could fire. */
  time = 0;
  /** Called at each reading, before it answers. */
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
    this.#timers.set(timer, { due: this.time + ms, ref, fn });
    return timer as never;
  }

  clearTimer(timer: object): void {
    this.#timers.delete(timer);
  }

  /** Whether each timer that is set holds the process. */
  get refs(): boolean[] {
    return [...this.#timers.values()].map(({ ref }) => ref);
  }

  /** Moves time on and fires what is due by then. */
  fire(time: number): void {
    this.time = time;
    for (const [timer, { due, fn }] of [...this.#timers]) {
      if (due <= time && this.#timers.delete(timer)) fn();
    }
  }
}
