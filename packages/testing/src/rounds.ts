// A round ends when every job that was queued at its beginning has run. A job that is queued behind them marks the end, and
// queues the next mark.
//
// V8 shows the reactions of promises. Jobs that adopt a thenable, and those of `queueMicrotask`, show nowhere: the count
// continues until three rounds show none, and keeps two of them.

import { type Host, node } from './host.ts';

/** Rounds without a visible job that still count. */
const BEYOND = 2;

/** Counts the rounds of a step, and runs an event after a number of them. */
export class Rounds {
  readonly #host: Host;
  /** The number of visible jobs so far. */
  #jobs = 0;
  /** The jobs when the latest count ended; `undefined` while none has ended. */
  #jobsAtEnd: number | undefined;
  #stop: (() => void) | undefined;
  #last = 0;

  constructor(host: Host) {
    this.#host = host;
  }

  /** The number of visible jobs so far. */
  get jobs(): number {
    return this.#jobs;
  }

  start(): void {
    this.#stop ??= node.v8?.promiseHooks?.onBefore(() => {
      this.#jobs++;
    });
  }

  stop(): void {
    this.#stop?.();
    this.#stop = undefined;
  }

  /** Calls `fn` after `count` rounds from now. */
  after(count: number, fn: () => void): void {
    let round = 0;
    const mark = (): void => {
      if (++round === count) fn();
      else this.#host.queueMicrotask(mark);
    };
    this.#host.queueMicrotask(mark);
  }

  /** Calls `fn` behind the callbacks of `nextTick` that the jobs of this step queue. */
  afterTick(fn: () => void): void {
    this.#untilQuiet(() => this.#host.nextTick?.(fn));
  }

  /** Begins to count the rounds of the step whose callback has just run. */
  count(): void {
    this.#last = 0;
    this.#jobsAtEnd = undefined;
    this.#untilQuiet((last) => {
      this.#last = last;
      this.#jobsAtEnd = this.#jobs;
    });
  }

  /** Returns the rounds of the step that has just ended, and whether it went on after a `nextTick`. */
  counted(): { rounds: number; ticks: boolean } {
    return { rounds: this.#last + BEYOND, ticks: this.#jobsAtEnd !== undefined && this.#jobs > this.#jobsAtEnd };
  }

  #untilQuiet(then: (last: number) => void): void {
    let round = 0;
    let last = 0;
    let seen = this.#jobs;
    const mark = (): void => {
      round++;
      if (this.#jobs !== seen) {
        seen = this.#jobs;
        last = round;
      }
      if (round - last <= BEYOND) this.#host.queueMicrotask(mark);
      else then(last);
    };
    this.#host.queueMicrotask(mark);
  }
}
