// Timers and immediates of one run. Time moves only when a timer fires or a late event comes.
//
// Invariants
// 1. Timers fire in due order. Of those with one due time, timers of one duration fire in the order in which they were set.
// 2. A cleared timer never fires. A timer of an earlier run never fires.
// 3. Immediates run in order. While one is pending that an operation, a stream or a signal set, no timer fires.

import { type AsyncContext, node } from './host.ts';
import type { Run } from './run.ts';
import type { Alternative, ChoiceSource } from './source.ts';

/** The longest time that the platform's timers wait; with a longer one they fire after 1 ms. */
const LONGEST = 2 ** 31 - 1;

/** Returns the milliseconds that the platform makes of a delay. */
export function platformDelay(delay: unknown): number {
  const ms = Number(delay);
  return ms >= 1 && ms <= LONGEST ? Math.trunc(ms) : 1;
}

/** Keeps the asynchronous context of the code that sets a timer, as the platform does. */
function makeAsyncContext(): AsyncContext | undefined {
  const { AsyncResource } = node.asyncHooks ?? {};
  return AsyncResource === undefined ? undefined : new AsyncResource('QuiesceTimer');
}

/** A timer or an interval. */
export class VirtualTimer implements ChoiceSource {
  readonly kind = 'timer';
  readonly id: number;
  readonly ms: number;
  readonly alternative: Alternative;
  readonly repeats: boolean;
  /** Where it was set, in audited runs. */
  readonly place: string;
  due = 0;
  /** Orders the timers of one due time. */
  order = 0;
  isRef = true;
  readonly #run: Run;
  readonly #fn: () => void;
  readonly #asyncContext: AsyncContext | undefined = makeAsyncContext();

  constructor(run: Run, ms: number, fn: () => void, repeats: boolean) {
    this.#run = run;
    this.ms = ms;
    this.id = run.intern(`timer ${ms}`);
    this.#fn = fn;
    this.repeats = repeats;
    this.place = run.story?.place() ?? '';
    this.alternative = { source: this, variant: 0 };
  }

  name(): string {
    return `${this.repeats ? 'interval' : 'timer'} of ${this.ms} ms fires`;
  }

  isPossible(): boolean {
    return this.#run.timers.isSet(this);
  }

  perform(): void {
    const { timers } = this.#run;
    this.#run.moveTo(this.due);
    this.#run.firings++;
    timers.clear(this);
    try {
      this.#run.runInAsyncContext(this.#asyncContext, this.#fn);
    } finally {
      if (this.repeats && !this.#isStopped) timers.set(this);
    }
  }

  #isStopped = false;

  stop(): void {
    this.#isStopped = true;
    this.#run.timers.clear(this);
  }

  /** Starts it anew, also after it has fired. */
  refresh(): void {
    if (this.#isStopped) return;
    this.#run.timers.clear(this);
    this.#run.timers.set(this);
  }
}

export class VirtualImmediate implements ChoiceSource {
  readonly kind = 'immediate';
  readonly id: number;
  readonly alternative: Alternative;
  readonly place: string;
  /** Whether it comes before every timer. */
  readonly blocksTimers: boolean;
  isRef = true;
  readonly #run: Run;
  readonly #fn: () => void;
  readonly #asyncContext: AsyncContext | undefined = makeAsyncContext();

  constructor(run: Run, fn: () => void) {
    this.#run = run;
    this.#fn = fn;
    this.id = run.intern('an immediate');
    this.place = run.story?.place() ?? '';
    this.blocksTimers = run.stepOf === 'operation' || run.stepOf === 'stream' || run.stepOf === 'signal';
    this.alternative = { source: this, variant: 0 };
  }

  name(): string {
    return 'an immediate runs';
  }

  isPossible(): boolean {
    return this.#run.timers.firstImmediate === this;
  }

  perform(): void {
    this.#run.timers.clearImmediate(this);
    this.#run.runInAsyncContext(this.#asyncContext, this.#fn);
  }

  stop(): void {
    this.#run.timers.clearImmediate(this);
  }
}

/** The timers and immediates of one run. */
export class TimerQueue {
  /** In the order in which they fire. */
  readonly timers: VirtualTimer[] = [];
  readonly immediates: VirtualImmediate[] = [];
  readonly #run: Run;
  #count = 0;

  constructor(run: Run) {
    this.#run = run;
  }

  get firstImmediate(): VirtualImmediate | undefined {
    return this.immediates[0];
  }

  /** The time of the next timer, or `Infinity`. */
  get due(): number {
    return this.timers[0]?.due ?? Number.POSITIVE_INFINITY;
  }

  isSet(timer: VirtualTimer): boolean {
    return this.timers.includes(timer);
  }

  set(timer: VirtualTimer): void {
    this.#run.trace.observe();
    if (this.#run.isOver) return;
    timer.due = this.#run.now + timer.ms;
    timer.order = this.#count++;
    // A timer with a later number comes after those of the same time.
    let at = this.timers.length;
    while (at > 0 && (this.timers[at - 1]?.due ?? 0) > timer.due) at--;
    this.timers.splice(at, 0, timer);
  }

  clear(timer: VirtualTimer): void {
    const at = this.timers.indexOf(timer);
    if (at >= 0) this.timers.splice(at, 1);
  }

  addImmediate(immediate: VirtualImmediate): void {
    if (!this.#run.isOver) this.immediates.push(immediate);
  }

  clearImmediate(immediate: VirtualImmediate): void {
    const at = this.immediates.indexOf(immediate);
    if (at >= 0) this.immediates.splice(at, 1);
  }

  /** Adds the timers that may fire next, none later than `deadline`. */
  addPossible(list: Alternative[], deadline: number): void {
    const { due } = this;
    if (due > deadline || due === Number.POSITIVE_INFINITY) return;
    if (this.immediates.some((immediate) => immediate.blocksTimers)) return;
    const first = list.length;
    for (const timer of this.timers) {
      if (timer.due !== due) return;
      const isBehind = list.some(({ source }, i) => i >= first && (source as VirtualTimer).ms === timer.ms);
      if (!isBehind) list.push(timer.alternative);
    }
  }

  /** Whether anything is set that keeps a process alive. */
  get isEmpty(): boolean {
    return this.immediates.every(({ isRef }) => !isRef) && this.timers.every(({ isRef }) => !isRef);
  }
}
