// Sleep sets (Godefroid 1996) over the relation that `commutes` declares. An event sleeps when it was chosen first at this point in
// another schedule, and everything since commutes with it: choosing it now gives an order that has been run. An event wakes when
// one happens that does not commute with it.

import type { Decision } from './schedule.ts';
import type { Alternative } from './source.ts';

/** How many pruned pairs are skipped for each one that is checked by running both orders. */
export const CHECKED = 20;

export class SleepSet {
  readonly #commutes: (a: string, b: string) => boolean;
  #asleep = new Set<string>();

  constructor(commutes: (a: string, b: string) => boolean) {
    this.#commutes = commutes;
  }

  /** The alternatives that sleep at this point, or `undefined` when none does. */
  sleeping(list: readonly Alternative[]): Set<number> | undefined {
    if (this.#asleep.size === 0) return undefined;
    const found = new Set<number>();
    for (const [i, { source, variant }] of list.entries()) if (this.#asleep.has(source.name(variant))) found.add(i);
    return found.size === 0 ? undefined : found;
  }

  /** The first alternative that is awake, or -1. */
  firstAwake(list: readonly Alternative[], asleep: ReadonlySet<number> | undefined): number {
    if (asleep === undefined) return 0;
    return list.findIndex((_, i) => !asleep.has(i));
  }

  /** Moves on: `decision` was taken. Returns the events that sleep because it commutes with them. */
  take(list: readonly Alternative[], { choice, late, overlap }: Decision): string[] {
    const chosen = list[choice];
    const next = new Set<string>();
    const added: string[] = [];
    if (chosen !== undefined && !late && overlap === undefined) {
      const name = chosen.source.name(chosen.variant);
      for (const other of this.#asleep) if (this.#commutes(other, name)) next.add(other);
      for (let i = 0; i < choice; i++) {
        const before = list[i] as Alternative;
        // Outcomes of one source exclude each other.
        if (before.source === chosen.source) continue;
        const other = before.source.name(before.variant);
        if (!this.#commutes(other, name)) continue;
        if (!next.has(other)) added.push(other);
        next.add(other);
      }
    }
    this.#asleep = next;
    return added;
  }
}
