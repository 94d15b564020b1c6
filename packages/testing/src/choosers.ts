import { pairsOf } from './overlap.ts';
import type { Chooser, Run } from './run.ts';
import { type Decision, START } from './schedule.ts';
import type { Alternative, ChoiceSource } from './source.ts';
import { NOT_LATE } from './trace.ts';

/** Follows a list of decisions, and the default order elsewhere. */
export class Follow implements Chooser {
  readonly #decisions: readonly Decision[];
  #next = 0;

  constructor(decisions: readonly Decision[]) {
    this.#decisions = decisions;
  }

  start(): Decision | undefined {
    return this.choose(START);
  }

  choose(point: number): Decision | undefined {
    const next = this.#decisions[this.#next];
    if (next?.point !== point) return undefined;
    this.#next++;
    return next;
  }

  /** Decisions for points that the run did not reach. */
  get left(): readonly Decision[] {
    return this.#decisions.slice(this.#next);
  }
}

/** Mulberry32. */
export function randomNumbers(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** How often a random walk takes a variant of an event. */
const VARIANTS = 1 / 8;
/** The rounds among which a random walk chooses. */
const ROUNDS = 12;

/** A uniform walk: each alternative with one probability. */
export class RandomWalk implements Chooser {
  readonly #random: () => number;

  constructor(random: () => number) {
    this.#random = random;
  }

  choose(point: number, list: readonly Alternative[] | number, run: Run): Decision {
    const count = typeof list === 'number' ? list : list.length;
    return withVariants(point, Math.floor(this.#random() * count), list, run, this.#random);
  }
}

/**
 * Probabilistic concurrency testing: each source gets a random priority, and the highest runs, except at `depth - 1` points where
 * the present one becomes the lowest.
 *
 * @see A Randomized Scheduler with Probabilistic Guarantees of Finding Bugs, Burckhardt et al. 2010
 */
export class Priorities implements Chooser {
  readonly #random: () => number;
  readonly #priorities = new Map<ChoiceSource, number>();
  readonly #changes: ReadonlySet<number>;
  #lowest = 0;

  /** @param length the expected number of points of a run */
  constructor(random: () => number, depth: number, length: number) {
    this.#random = random;
    this.#changes = new Set(Array.from({ length: depth - 1 }, () => Math.floor(random() * Math.max(1, length))));
  }

  choose(point: number, list: readonly Alternative[] | number, run: Run): Decision {
    if (typeof list === 'number') return plainDecision(point, Math.floor(this.#random() * list));
    let best = this.#best(list);
    if (this.#changes.has(point)) {
      const { source } = list[best] as Alternative;
      this.#priorities.set(source, --this.#lowest);
      best = this.#best(list);
    }
    const { source } = list[best] as Alternative;
    // A source with several outcomes takes any of them.
    const same = list.flatMap((alternative, i) => (alternative.source === source ? [i] : []));
    const choice = same[Math.floor(this.#random() * same.length)] ?? best;
    return withVariants(point, choice, list, run, this.#random);
  }

  #best(list: readonly Alternative[]): number {
    let best = 0;
    for (let i = 1; i < list.length; i++) if (this.#priority(list[i]) > this.#priority(list[best])) best = i;
    return best;
  }

  #priority(alternative: Alternative | undefined): number {
    if (alternative === undefined) return Number.NEGATIVE_INFINITY;
    const known = this.#priorities.get(alternative.source);
    if (known !== undefined) return known;
    const made = 1 + this.#random();
    this.#priorities.set(alternative.source, made);
    return made;
  }
}

function plainDecision(point: number, choice: number): Decision {
  return { point, choice, late: false, overlap: undefined };
}

/** Makes the event late, or lets another one overlap it, now and then. */
function withVariants(
  point: number,
  choice: number,
  list: readonly Alternative[] | number,
  run: Run,
  random: () => number,
): Decision {
  if (typeof list === 'number') return plainDecision(point, choice);
  const isTimer = list[choice]?.source.kind === 'timer';
  const late = !isTimer && run.trace.late[point] !== NOT_LATE && random() < VARIANTS;
  const pairs = random() < VARIANTS ? pairsOf(list, choice, run.settings.overlap) : undefined;
  const pair = pairs?.[Math.floor(random() * pairs.length)];
  if (pair === undefined) return { point, choice, late, overlap: undefined };
  const round = Math.floor(random() * (ROUNDS + 1));
  const where = pair.from === 'first round' || round > 0 ? (`m${Math.max(1, round)}` as const) : '0';
  return { point, choice, late, overlap: { choice: pair.choice, where } };
}
