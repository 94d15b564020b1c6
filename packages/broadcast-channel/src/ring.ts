/**
 * The storage of a broadcast channel: a ring of values, each with the number of receivers that have yet to read it.
 *
 * Positions count all values ever sent. The ring keeps those from `tail - size` on:
 *
 *        cursor of a        cursor of b           tail: position of the next value
 *             ▼                   ▼                    ▼
 *     … │ (released) │ value │ value │ value │ value │ …        remaining:  1  2  2  2
 *
 * Invariants
 *  1. `size` is a power of two. The value at position p is at index `p & mask`.
 *  2. A slot's `remaining` counts the receivers that existed when the value was sent and whose cursor is not past it. At 0
 *     the value is released. From older to newer it never falls, except for the zeros at the beginning: a receiver that
 *     has not read a value has not read the later ones either.
 *  3. A receiver whose cursor is before `tail - size` has lagged. Its slots were overwritten, so their `remaining` no
 *     longer counts it.
 *
 * The ring knows no cursors and wakes nothing: see `channel-state.ts` and `wake-queue.ts`.
 *
 * Not guaranteed: positions beyond 2^53.
 */

import { checkNumber } from '@quiesce/internal';

/** The largest capacity: the ring is allocated as a whole, 12 bytes for each value. */
const MAX_CAPACITY = 2 ** 24;

/** The storage of one channel: members of its state, since a send and a receive read both. */
export interface Ring<T> {
  readonly size: number;
  /** `size - 1`. */
  readonly mask: number;
  readonly values: (T | undefined)[];
  readonly remaining: Int32Array;
  /** The position of the next value; only ever grows. */
  tail: number;
}

/** @throws TypeError when the capacity is not a number; RangeError when it is not an integer from 1 to 2^24 */
export function ringSize(call: string, capacity: number): number {
  const isRight = Number.isInteger(capacity) && capacity >= 1 && capacity <= MAX_CAPACITY;
  checkNumber(isRight, `${call}: the capacity`, 'an integer from 1 to 2^24', capacity);
  return 2 ** Math.ceil(Math.log2(capacity));
}

/** Stores a value after the others, to be read by this number of receivers. */
export function store<T>(ring: Ring<T>, value: T, receivers: number): void {
  const slot = ring.tail++ & ring.mask;
  ring.values[slot] = value;
  ring.remaining[slot] = receivers;
}

/** Takes a kept value for one receiver, and releases it after the last (invariant 2). */
export function read<T>(ring: Ring<T>, position: number): T {
  const slot = position & ring.mask;
  const value = ring.values[slot] as T;
  const left = (ring.remaining[slot] as number) - 1;
  ring.remaining[slot] = left;
  if (left === 0) ring.values[slot] = undefined;
  return value;
}

/** The same for several values, which are all kept. */
export function readMany<T>(ring: Ring<T>, position: number, count: number): T[] {
  const { values, remaining, mask } = ring;
  const taken = new Array<T>(count);
  for (let i = 0; i < count; i++) {
    const slot = (position + i) & mask;
    taken[i] = values[slot] as T;
    const left = (remaining[slot] as number) - 1;
    remaining[slot] = left;
    if (left === 0) values[slot] = undefined;
  }
  return taken;
}

/** Undoes the reading of values, which are all kept, by one receiver. */
export function unread<T>(ring: Ring<T>, position: number, values: readonly T[]): void {
  for (const [i, value] of values.entries()) {
    const slot = (position + i) & ring.mask;
    ring.values[slot] = value;
    ring.remaining[slot] = (ring.remaining[slot] as number) + 1;
  }
}

/** Returns the position of the oldest value that a receiver has yet to read. */
export function oldestUnread<T>(ring: Ring<T>): number {
  // The first whose `remaining` is not 0, by halves (invariant 2).
  let low = Math.max(0, ring.tail - ring.size);
  let high = ring.tail;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (ring.remaining[middle & ring.mask] === 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
