import { append, type Chain, type Link, remove } from '@quiesce/internal';

/** An entry of a priority queue. */
export interface QueueEntry extends Link<QueueEntry> {
  readonly priority: number;
  /** The level that holds the entry, set by `add`, or `undefined` while the entry is in no queue. */
  level: PriorityLevel | undefined;
}

/** All entries of one priority, first in, first out. */
export interface PriorityLevel extends Chain<QueueEntry> {
  readonly priority: number;
}

/**
 * A queue that serves higher priorities first. `add` compares the priority with each one in use; all else is O(1).
 *
 * Rejected: a heap. It can only mark an entry in its middle as removed, so a queue that never advances would retain every
 * entry that has left it.
 */
export class PriorityQueue<E extends QueueEntry> {
  /** Highest priority first; no level is empty. */
  readonly #levels: PriorityLevel[] = [];
  size = 0;

  add(entry: E): void {
    let at = this.#levels.findIndex((level) => level.priority <= entry.priority);
    if (at < 0) at = this.#levels.length;
    let level = this.#levels[at];
    if (level?.priority !== entry.priority) {
      level = { priority: entry.priority, head: undefined };
      this.#levels.splice(at, 0, level);
    }
    entry.level = level;
    append<QueueEntry>(level, entry);
    this.size++;
  }

  /** Removes the first entry and returns it. */
  shift(): E | undefined {
    const first = this.#levels[0]?.head as E | undefined;
    if (first !== undefined) this.delete(first);
    return first;
  }

  /** Removes an entry of this queue. Does nothing for an entry that is in no queue. */
  delete(entry: E): void {
    const { level } = entry;
    if (level === undefined) return;
    entry.level = undefined;
    remove<QueueEntry>(level, entry);
    this.size--;
    if (level.head === undefined) this.#levels.splice(this.#levels.indexOf(level), 1);
  }
}
