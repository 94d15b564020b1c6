import { append, type Chain, type Link, remove } from '@quiesce/internal';

/** Whoever stands in a line. */
export interface Place extends Link<Place> {
  readonly priority: number;
  /** Where it stands; set by `add`; `undefined`: in no line. */
  level: Level | undefined;
}

/** All of one priority, first come, first served. */
export interface Level extends Chain<Place> {
  readonly priority: number;
}

/**
 * A line in which higher priorities go first. Adding costs a look at each priority in use, everything else O(1).
 *
 * Rejected: a heap, in which who stands in the middle can only be marked as gone, so that a line which never moves keeps
 * everybody who has left it.
 */
export class PriorityLine<P extends Place> {
  /** Highest first; none is empty. */
  readonly #levels: Level[] = [];
  size = 0;

  add(place: P): void {
    let at = this.#levels.findIndex((level) => level.priority <= place.priority);
    if (at < 0) at = this.#levels.length;
    let level = this.#levels[at];
    if (level?.priority !== place.priority) {
      level = { priority: place.priority, head: undefined };
      this.#levels.splice(at, 0, level);
    }
    place.level = level;
    append<Place>(level, place);
    this.size++;
  }

  /** Takes the first out. */
  shift(): P | undefined {
    const first = this.#levels[0]?.head as P | undefined;
    if (first !== undefined) this.delete(first);
    return first;
  }

  /** Takes one out that stands in this line. */
  delete(place: P): void {
    const { level } = place;
    if (level === undefined) return;
    place.level = undefined;
    remove<Place>(level, place);
    this.size--;
    if (level.head === undefined) this.#levels.splice(this.#levels.indexOf(level), 1);
  }
}
