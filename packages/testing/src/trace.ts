import type { Where } from './schedule.ts';

/** An event that can start inside the step of the chosen one. */
export interface Pair {
  readonly choice: number;
  /** Whether it is the signal of `cancelEverywhere`, which costs no deviation. */
  readonly isFree: boolean;
  /** The first position: earlier ones are those of the opposite pair. */
  readonly from: 'before' | 'right after' | 'first round';
}

export const NOT_LATE = 0;
/** The event can come late, and no clock was read and no timer was set since. */
export const UNOBSERVED = 1;
export const OBSERVED = 2;

/** Records the choice points of a run, as far as the search needs them to extend it. */
export class Trace {
  /** The number of alternatives at each point. */
  readonly counts: number[] = [];
  /** Numbers that depend on all possibilities and choices up to each point. */
  readonly hashes: number[] = [];
  readonly late: number[] = [];
  /** The number of rounds in each step, where it was counted; otherwise -1. */
  readonly rounds: number[] = [];
  /** Whether a step went on after a `nextTick`. */
  readonly ticks: boolean[] = [];
  readonly pairs: (readonly Pair[] | undefined)[] = [];
  /** The alternative that cancels without costs, or -1. */
  readonly free: number[] = [];
  /** Alternatives that `commutes` makes superfluous. */
  readonly asleep: (ReadonlySet<number> | undefined)[] = [];
  /** The rounds of the first step, and the signals that can abort inside it. */
  startRounds = -1;
  startPairs: readonly Pair[] = [];
  /** The first point of the present virtual time, and the first that no code observed. */
  #unobserved = 0;

  get length(): number {
    return this.counts.length;
  }

  add(count: number, hash: number, late: boolean, free: number): void {
    this.counts.push(count);
    this.hashes.push(hash);
    this.late.push(late ? UNOBSERVED : NOT_LATE);
    this.rounds.push(-1);
    this.ticks.push(false);
    this.pairs.push(undefined);
    this.free.push(free);
    this.asleep.push(undefined);
  }

  /** A clock was read, or a timer set: late variants of the events since time moved would differ. */
  observe(): void {
    for (; this.#unobserved < this.late.length; this.#unobserved++) {
      if (this.late[this.#unobserved] === UNOBSERVED) this.late[this.#unobserved] = OBSERVED;
    }
  }

  /** Time moves at the latest point: what is read from now on says nothing about the points before. */
  timeMoved(): void {
    this.#unobserved = Math.max(this.#unobserved, this.late.length - 1);
  }
}

/** The positions inside a step, in the order in which they are tried. */
export function positions(pair: Pair, rounds: number, ticks: boolean): Where[] {
  const found: Where[] = [];
  if (pair.from === 'before') found.push('<');
  if (pair.from !== 'first round') found.push('0');
  for (let round = 1; round <= rounds; round++) found.push(`m${round}`);
  if (ticks) found.push('t1');
  return found;
}
