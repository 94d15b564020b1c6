// Systematic search: all schedules with 0 deviations from the default order, then those with 1, up to the bound, each once.
//
// A schedule is a list of decisions. A run is extended only behind its last decision, so that no two runs have one list:
//
//   -  →  3:1  →  3:1~  →  3:1~+2@m1          at the point of the last decision: late, then overlap
//         3:1  →  3:1,7:2                     at any later point
//
// A choice or a late event costs one deviation, an overlap one more. The cancellation of `cancelEverywhere` costs none.
// The waiting list contains generators, one for each run. A schedule is made only when it is run.

import type { Settings } from './options.ts';
import { type Decision, START, type Where } from './schedule.ts';
import { OBSERVED, type Pair, positions, type Trace, UNOBSERVED } from './trace.ts';

/** A schedule, as the last decision and those before it. */
export interface Plan {
  readonly decision: Decision | undefined;
  readonly before: Plan | undefined;
  readonly cost: number;
  readonly isCancelled: boolean;
  /** The possibilities of the extended run at the point of the decision. */
  readonly hash: number;
}

const defaultPlan: Plan = { decision: undefined, before: undefined, cost: 0, isCancelled: false, hash: 0 };

/** Returns the decisions of a plan in order. */
export function decisionsOf(plan: Plan): Decision[] {
  const found: Decision[] = [];
  for (let at: Plan | undefined = plan; at !== undefined; at = at.before)
    if (at.decision !== undefined) found.push(at.decision);
  return found.reverse();
}

/** The part of a trace behind the last decision, in as little memory as possible. */
class Tail {
  readonly first: number;
  readonly counts: Uint16Array;
  readonly hashes: Int32Array;
  readonly late: Uint8Array;
  readonly rounds: Int16Array;
  readonly free: Int16Array;
  readonly ticks: readonly boolean[] | undefined;
  readonly pairs: readonly (readonly Pair[] | undefined)[] | undefined;
  readonly asleep: readonly (ReadonlySet<number> | undefined)[] | undefined;

  constructor(trace: Trace, first: number) {
    this.first = first;
    this.counts = Uint16Array.from(trace.counts.slice(first));
    this.hashes = Int32Array.from(trace.hashes.slice(first));
    this.late = Uint8Array.from(trace.late.slice(first));
    this.rounds = Int16Array.from(trace.rounds.slice(first));
    this.free = Int16Array.from(trace.free.slice(first));
    const hasPairs = trace.pairs.some((pairs, i) => i >= first && pairs !== undefined);
    this.ticks = hasPairs ? trace.ticks.slice(first) : undefined;
    this.pairs = hasPairs ? trace.pairs.slice(first) : undefined;
    this.asleep = trace.asleep.some((set) => set !== undefined) ? trace.asleep.slice(first) : undefined;
  }

  get length(): number {
    return this.counts.length;
  }
}

/** The schedules that wait, by their number of deviations. */
export class Search {
  readonly #settings: Settings;
  readonly #levels: Generator<Plan>[][] = [[]];
  readonly #heads: number[] = [0];
  #level = 0;
  #isStarted = false;
  /** How many schedules were left out because they equal others. */
  prunedCount = 0;
  /** Whether schedules beyond the bound exist. */
  isCut = false;

  constructor(settings: Settings) {
    this.#settings = settings;
  }

  /** The largest number of deviations whose schedules have all been taken, or -1. */
  get finished(): number {
    return this.#level - 1;
  }

  /** Takes the next schedule, or `undefined` when none is left within the bound. */
  next(): Plan | undefined {
    if (!this.#isStarted) {
      this.#isStarted = true;
      return defaultPlan;
    }
    for (; this.#level < this.#levels.length; this.#level++) {
      const waiting = this.#levels[this.#level] as (Generator<Plan> | undefined)[];
      for (let head = this.#heads[this.#level] ?? 0; head < waiting.length; head++) {
        this.#heads[this.#level] = head;
        const found = waiting[head]?.next();
        if (found?.done === false) return found.value;
        waiting[head] = undefined;
        this.#heads[this.#level] = head + 1;
      }
    }
    return undefined;
  }

  /** Adds the schedules that extend one that has run. */
  extend(plan: Plan, trace: Trace): void {
    const tail = new Tail(trace, Math.max(0, plan.decision?.point ?? 0));
    this.#add(plan.cost, this.#withoutCost(plan, tail));
    if (plan.decision === undefined) this.#addStart(trace);
    const { cost } = plan;
    if (cost < this.#settings.bound) {
      this.#add(cost + 1, this.#withCost(plan, tail));
    } else if (!this.isCut) {
      // Counted again for the schedules that are run: only the answer is needed here.
      const { prunedCount } = this;
      this.isCut = this.#withCost(plan, tail).next().done === false;
      this.prunedCount = prunedCount;
    }
  }

  #add(level: number, plans: Generator<Plan>): void {
    while (this.#levels.length <= level) {
      this.#levels.push([]);
      this.#heads.push(0);
    }
    this.#levels[level]?.push(plans);
  }

  /** The signals that abort inside the first step. */
  #addStart({ startPairs, startRounds }: Trace): void {
    for (const isFree of [true, false]) {
      const pairs = startPairs.filter((pair) => pair.isFree === isFree);
      const cost = isFree ? 0 : 1;
      if (pairs.length > 0 && cost <= this.#settings.bound) this.#add(cost, startPlans(pairs, startRounds, cost));
    }
  }

  /** The cancellation at each position, and the late variant of the last decision, which replaces it. */
  *#withoutCost(plan: Plan, tail: Tail): Generator<Plan> {
    const { decision } = plan;
    if (decision !== undefined && decision.choice !== 0 && !decision.late && decision.overlap === undefined) {
      if (this.#isObserved(tail, 0)) yield replaced(plan, { ...decision, late: true }, 0, tail);
    }
    if (!this.#settings.cancel || plan.isCancelled) return;
    for (let i = firstBehind(plan); i < tail.length; i++) {
      const free = tail.free[i] ?? -1;
      if (free > 0) yield extended(plan, choose(tail.first + i, free), 0, tail, i, true);
    }
    for (let i = 0; i < tail.length; i++) yield* this.#overlaps(plan, tail, i, true);
  }

  *#withCost(plan: Plan, tail: Tail): Generator<Plan> {
    const start = firstBehind(plan);
    for (let i = start; i < tail.length; i++) {
      const free = plan.isCancelled || !this.#settings.cancel ? -1 : tail.free[i];
      for (let choice = 1; choice < (tail.counts[i] ?? 0); choice++) {
        if (choice === free) continue;
        if (tail.asleep?.[i]?.has(choice) === true) this.prunedCount++;
        else yield extended(plan, choose(tail.first + i, choice), 1, tail, i, false);
      }
    }
    for (let i = start; i < tail.length; i++) {
      if (this.#isObserved(tail, i)) {
        yield extended(plan, { ...choose(tail.first + i, 0), late: true }, 1, tail, i, false);
      }
    }
    for (let i = 0; i < tail.length; i++) yield* this.#overlaps(plan, tail, i, false);
  }

  /** The overlaps in the step of one point. */
  *#overlaps(plan: Plan, tail: Tail, i: number, isFree: boolean): Generator<Plan> {
    const pairs = tail.pairs?.[i];
    if (pairs === undefined) return;
    const own = i < firstBehind(plan) ? plan.decision : undefined;
    const base = own ?? choose(tail.first + i, 0);
    for (const pair of pairs) {
      if ((pair.isFree && this.#settings.cancel) !== isFree) continue;
      const rounds = tail.rounds[i] ?? 0;
      for (const where of positions(pair, rounds, tail.ticks?.[i] === true)) {
        const decision = overlapping(base, pair.choice, where);
        if (own === undefined) yield extended(plan, decision, isFree ? 0 : 1, tail, i, isFree);
        else yield replaced(plan, decision, isFree ? 0 : 1, tail, isFree);
      }
    }
  }

  #isObserved(tail: Tail, i: number): boolean {
    const late = tail.late[i];
    if (late === UNOBSERVED) this.prunedCount++;
    return late === OBSERVED;
  }
}

/** The first index of a tail that is behind the last decision. */
function firstBehind({ decision }: Plan): 0 | 1 {
  return decision === undefined || decision.point === START ? 0 : 1;
}

function* startPlans(pairs: readonly Pair[], rounds: number, cost: number): Generator<Plan> {
  for (const pair of pairs) {
    for (const where of positions(pair, rounds, false)) {
      const decision = overlapping(choose(START, 0), pair.choice, where);
      yield { decision, before: undefined, cost, isCancelled: pair.isFree, hash: 0 };
    }
  }
}

function choose(point: number, choice: number): Decision {
  return { point, choice, late: false, overlap: undefined };
}

function overlapping(base: Decision, choice: number, where: Where): Decision {
  return { ...base, overlap: { choice, where } };
}

function extended(plan: Plan, decision: Decision, cost: number, tail: Tail, i: number, isCancelled: boolean): Plan {
  const before = plan.decision === undefined ? plan.before : plan;
  return {
    decision,
    before,
    cost: plan.cost + cost,
    isCancelled: plan.isCancelled || isCancelled,
    hash: tail.hashes[i] ?? 0,
  };
}

/** The same schedule with another last decision. */
function replaced(plan: Plan, decision: Decision, cost: number, tail: Tail, isCancelled = false): Plan {
  return {
    decision,
    before: plan.before,
    cost: plan.cost + cost,
    isCancelled: plan.isCancelled || isCancelled,
    hash: tail.hashes[0] ?? 0,
  };
}
