/** One timer of a virtual clock. */
export class VirtualTimer {
  readonly time: number;
  readonly fn: () => void;
  /** Its position among the timers of the same time. */
  readonly order: number;
  /** Its index in the heap; -1: it is in none. */
  index = -1;

  constructor(time: number, order: number, fn: () => void) {
    this.time = time;
    this.order = order;
    this.fn = fn;
  }
}

/**
 * Timers in a binary heap, so that a clock with many of them finds the first in O(1), and adds and removes in O(log n).
 *
 * Invariant: no timer fires before its parent, which is at half its index.
 */
export class TimerHeap {
  readonly #timers: VirtualTimer[] = [];

  get size(): number {
    return this.#timers.length;
  }

  /** The timer that fires first; of several, the one that was set first. */
  get first(): VirtualTimer | undefined {
    return this.#timers[0];
  }

  add(timer: VirtualTimer): void {
    this.#rise(timer, this.#timers.length);
  }

  /** Removes a timer; a timer that is not in the heap is left alone. */
  remove(timer: VirtualTimer): void {
    const { index } = timer;
    if (this.#timers[index] !== timer) return;
    timer.index = -1;
    const last = this.#timers.pop() as VirtualTimer;
    if (last !== timer) this.#sink(last, index);
  }

  /** Puts a timer at an index that is free, or above it. */
  #rise(timer: VirtualTimer, free: number): void {
    let index = free;
    while (index > 0) {
      const half = (index - 1) >> 1;
      const parent = this.#timers[half] as VirtualTimer;
      if (!isBefore(timer, parent)) break;
      this.#put(parent, index);
      index = half;
    }
    this.#put(timer, index);
  }

  /** Puts a timer at an index that is free, or below it, or above it. */
  #sink(timer: VirtualTimer, free: number): void {
    let index = free;
    for (;;) {
      let child = this.#timers[2 * index + 1];
      const other = this.#timers[2 * index + 2];
      if (child !== undefined && other !== undefined && isBefore(other, child)) child = other;
      if (child === undefined || !isBefore(child, timer)) break;
      const next = child.index;
      this.#put(child, index);
      index = next;
    }
    this.#rise(timer, index);
  }

  #put(timer: VirtualTimer, index: number): void {
    this.#timers[index] = timer;
    timer.index = index;
  }
}

function isBefore(a: VirtualTimer, b: VirtualTimer): boolean {
  return a.time < b.time || (a.time === b.time && a.order < b.order);
}
