import { Follow } from './choosers.ts';
import { SleepSet } from './prune.ts';
import type { Chooser, Run } from './run.ts';
import type { Decision } from './schedule.ts';
import type { Alternative } from './source.ts';

/** Two events that `commutes` declares, at the point where one of them was chosen before the other. */
export interface CommutingPair {
  readonly point: number;
  readonly first: string;
  readonly second: string;
}

/** Follows a plan of the search. Behind it, the default order; with `commutes`, the first event that does not sleep. */
export class Systematic implements Chooser {
  readonly #follow: Follow;
  readonly #sleep: SleepSet | undefined;
  readonly #last: number;
  /** Chooses by name at two points, to compare both orders. */
  readonly #both: { readonly point: number; readonly names: readonly string[] } | undefined;
  /** Whether all that is possible has been run in another order. */
  isRedundant = false;
  /** The pairs whose second order is left out from now on. */
  readonly pairs: CommutingPair[] = [];
  /** The possibilities after both events. */
  seen: string | undefined;

  constructor(
    decisions: readonly Decision[],
    commutes: ((a: string, b: string) => boolean) | undefined,
    both?: { readonly point: number; readonly names: readonly string[] },
  ) {
    this.#follow = new Follow(decisions);
    this.#sleep = commutes === undefined ? undefined : new SleepSet(commutes);
    this.#last = decisions.at(-1)?.point ?? -1;
    this.#both = both;
  }

  get left(): readonly Decision[] {
    return this.#follow.left;
  }

  start(): Decision | undefined {
    return this.#follow.start();
  }

  choose(point: number, list: readonly Alternative[] | number, run: Run): Decision | undefined {
    const planned = this.#follow.choose(point);
    if (typeof list === 'number') return planned;
    if (this.#both !== undefined) return planned ?? this.#byName(point, list);
    if (this.#sleep === undefined) return planned;
    const asleep = this.#sleep.sleeping(list);
    run.trace.asleep[point] = asleep;
    const choice = planned?.choice ?? this.#sleep.firstAwake(list, asleep);
    if (choice < 0) {
      this.isRedundant = true;
      run.misfit = 'every order from here has been run';
      return undefined;
    }
    const decision = planned ?? { point, choice, late: false, overlap: undefined };
    for (const other of this.#sleep.take(list, decision)) {
      const chosen = list[decision.choice] as Alternative;
      if (point === this.#last) this.pairs.push({ point, first: other, second: chosen.source.name(chosen.variant) });
    }
    return decision;
  }

  #byName(point: number, list: readonly Alternative[]): Decision | undefined {
    const { point: start = 0, names = [] } = this.#both ?? {};
    const names_ = list.map(({ source, variant }) => source.name(variant));
    if (point === start + names.length) this.seen = names_.sort().join(', ');
    const name = names[point - start];
    if (name === undefined) return undefined;
    const choice = names_.indexOf(name);
    return choice < 0 ? undefined : { point, choice, late: false, overlap: undefined };
  }
}
