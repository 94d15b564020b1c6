/**
 * The machine under a broadcast channel: a ring of values, and the receivers that wait for the next one.
 *
 * Positions count all values ever sent. The ring keeps those from `tail - size` on:
 *
 *        cursor of a        cursor of b           tail = next to be sent
 *             ▼                   ▼                    ▼
 *     … │ (released) │ value │ value │ value │ value │ …        remaining:  1  2  2  2
 *
 * Invariants
 *  1. `size` is a power of two; the value at position p stands at `p & mask`.
 *  2. A slot's `remaining` is the number of receivers that have yet to read it: those that were there when it was sent,
 *     whose cursor is not past it. At 0 the value is released. From older to newer it never falls, but for the zeros
 *     at the beginning: who has not read a value has not read those behind it.
 *  3. A receiver whose cursor is before `tail - size` has lagged; its slots were overwritten, so it is no longer in
 *     their `remaining`.
 *  4. A cursor stands in one of the three queues exactly while somebody waits on it, but for the moment in which it is
 *     being woken and nobody is left; its `place` is where.
 *  5. `waking` holds those whom the latest send or close has yet to wake. It is emptied before another value is stored:
 *     so a receive that waits in the slot of its cursor finds its value, and cannot lag.
 *  6. User code runs only in `wakeTold`, and one at a time: a send inside of a wake-up serves the slots and leaves the lists
 *     to the loop that is under way. So a thousand receivers that send when they are woken do not overflow the stack.
 *
 * Not guaranteed: in which order several receivers are woken (first come, first served, but that a receiver that leaves
 * is replaced in the queue by the last); positions beyond 2^53.
 */

import { reserveStack, show, type WaiterItem, type WaiterList } from '@quiesce/internal';
import type { Cursor } from './cursor.ts';

/** The largest capacity: the ring is made as a whole, 12 bytes a value. */
const CAPACITY_END = 2 ** 24;
/** The `place` of a cursor that is in no queue. */
export const NOWHERE = -1;

/**
 * Cursors on which somebody waits, at the indices from `from` to before `end`; what is outside is `undefined`.
 *
 * Rejected: an intrusive list. Its writes from one old object to another cost 20 of the 110 ns of a delivery.
 */
class Queue<T> {
  readonly cursors: (Cursor<T> | undefined)[] = [];
  /** The next to be woken; more than 0 only in `waking`. */
  from = 0;
  end = 0;
}

/** What all handles of one channel share. As a list, it holds who waits until there is no receiver any more. */
export class Ring<T> implements WaiterList {
  head: WaiterItem | undefined = undefined;
  readonly size: number;
  readonly mask: number;
  readonly values: (T | undefined)[];
  readonly remaining: Int32Array;
  /** The position of the next value; only ever grows. */
  tail = 0;
  /** Open senders; the channel is closed at 0, for good. */
  senders = 0;
  /** Open weak senders. */
  weakSenders = 0;
  /** Open receivers. */
  receivers = 0;
  /** For the next send; `wakeQueue` swaps the two. */
  waiting: Queue<T> = new Queue();
  /** Being woken (invariant 5). */
  waking: Queue<T> = new Queue();
  /** Those whose lists have yet to be woken (invariant 6). */
  told: Queue<T> = new Queue();
  /** Set while `wakeTold` is at work. */
  isTelling = false;

  constructor(call: string, capacity: number) {
    if (!Number.isInteger(capacity) || capacity < 1 || capacity > CAPACITY_END) {
      throw new RangeError(`${call}: the capacity must be an integer from 1 to 2^24, got ${show(capacity)}`);
    }
    this.size = 2 ** Math.ceil(Math.log2(capacity));
    this.mask = this.size - 1;
    this.values = new Array<T | undefined>(this.size).fill(undefined);
    this.remaining = new Int32Array(this.size);
  }
}

/** Puts a value behind the others and wakes who waits. Returns how many receivers will see it. */
export function send<T>(ring: Ring<T>, value: T): number {
  if (ring.waking.end > 0) wakeRest(ring);
  const { receivers } = ring;
  // As Tokio: without a receiver the value is not kept for a later one. Who was woken just now may have closed the channel.
  if (receivers === 0 || ring.senders === 0) return 0;
  const slot = ring.tail++ & ring.mask;
  ring.values[slot] = value;
  ring.remaining[slot] = receivers;
  wakeQueue(ring);
  wakeTold(ring);
  return receivers;
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

/** A sender goes; with the last one everybody who waits learns of it. */
export function closeSender<T>(ring: Ring<T>): void {
  if (--ring.senders > 0) return;
  wakeRest(ring);
  wakeQueue(ring);
  wakeTold(ring);
}

/** Where the values begin that somebody has yet to read. */
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

/** Puts a cursor, which is in no queue, behind those that wait for the next send. */
export function enqueue<T>(ring: Ring<T>, cursor: Cursor<T>): void {
  pushCursor(ring.waiting, cursor);
}

/** Puts a cursor, which is in no queue, behind those whose lists `wakeTold` is to wake. */
export function tell<T>(ring: Ring<T>, cursor: Cursor<T>): void {
  pushCursor(ring.told, cursor);
}

function pushCursor<T>(queue: Queue<T>, cursor: Cursor<T>): void {
  cursor.place = queue.end;
  queue.cursors[queue.end++] = cursor;
}

/** Takes a cursor out of its queue. The last one takes its place. */
export function dequeue<T>(ring: Ring<T>, cursor: Cursor<T>): void {
  const { place } = cursor;
  const { waiting, waking, told } = ring;
  const isIn = ({ cursors }: Queue<T>): boolean => cursors[place] === cursor;
  const queue = isIn(waiting) ? waiting : isIn(waking) ? waking : told;
  const last = queue.cursors[--queue.end] as Cursor<T>;
  queue.cursors[place] = last;
  last.place = place;
  queue.cursors[queue.end] = undefined;
  cursor.place = NOWHERE;
}

/** Wakes everybody who waits now; who waits again meanwhile waits for the next time. */
function wakeQueue<T>(ring: Ring<T>): void {
  const { waiting, waking } = ring;
  if (waiting.end === 0) return;
  ring.waiting = waking;
  ring.waking = waiting;
  wakeRest(ring);
}

/** Finishes what a send or close has begun, in which somebody who was woken now sends or closes. */
function wakeRest<T>(ring: Ring<T>): void {
  // Read anew at each turn: a send inside of it finishes this queue and swaps the two.
  for (let queue = ring.waking; queue.from < queue.end; queue = ring.waking) {
    const cursor = queue.cursors[queue.from] as Cursor<T>;
    queue.cursors[queue.from++] = undefined;
    cursor.place = NOWHERE;
    try {
      cursor.wake();
    } catch (error) {
      // The end of the stack: the next send goes on with this one. No calls here, for which there is no room.
      if (
        queue === ring.waking &&
        cursor.place === NOWHERE &&
        (cursor.resolve !== undefined || cursor.head !== undefined)
      ) {
        cursor.place = --queue.from;
        queue.cursors[queue.from] = cursor;
      }
      throw error;
    }
  }
  ring.waking.from = 0;
  ring.waking.end = 0;
}

/** Wakes the lists, one after the other; inside of a wake-up it leaves that to the one that is under way (invariant 6). */
export function wakeTold<T>(ring: Ring<T>): void {
  const queue = ring.told;
  if (ring.isTelling || queue.end === 0) return;
  // Before anything changes. Where it throws, the next send goes on from here.
  if (queue.end > 1) reserveStack();
  ring.isTelling = true;
  try {
    while (queue.from < queue.end) {
      const cursor = queue.cursors[queue.from] as Cursor<T>;
      queue.cursors[queue.from++] = undefined;
      cursor.place = NOWHERE;
      cursor.wakeList();
    }
    queue.from = 0;
    queue.end = 0;
  } finally {
    ring.isTelling = false;
  }
}
