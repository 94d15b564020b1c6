/**
 * The queues of cursors that wait for the next value, and the loops that wake them.
 *
 *     enqueue ──► waiting ──send──► waking ──a list is parked──► lists ──► (each list is woken)
 *                    ▲                │                            │
 *                    └── waits again ─┴────────────────────────────┘
 *
 * Calls go one way. A cursor calls these functions; they call back only `serveSlot` and `wakeList`.
 *
 * Invariants
 *  1. A cursor is in one of the three queues exactly while something waits on it, except while it is being woken. Its `place`
 *     is the index there.
 *  2. `waking` holds the cursors that the latest send or close has yet to wake. It is emptied before another value is
 *     stored. So a receive that waits in the slot of its cursor finds its value, and cannot lag.
 *  3. User code runs only in `wakeLists`, and one call at a time. A send inside a wake-up serves the slots and leaves the
 *     lists to the loop in progress. So a thousand receivers that send when they are woken do not overflow the stack.
 *
 * Not guaranteed: the order in which several cursors are woken. It is first come, first served, except that the last cursor
 * of a queue takes the place of one that leaves it.
 */

import { reserveStack } from '@quiesce/internal';

/** The `place` of a cursor that is in no queue. */
export const NOWHERE = -1;

/** A cursor as an item of a queue. One class implements it, so that calls on the hot path stay monomorphic. */
export interface QueuedCursor {
  /** The index in the queue that holds it, or `NOWHERE`. Written by the functions of this file only. */
  place: number;
  /** Set while a receive waits in the slot. */
  readonly resolve: unknown;
  /** Set while a waiter is parked in the list. */
  readonly head: unknown;
  /** Settles the receive in the slot, if it is ready. */
  serveSlot(): void;
  /** Wakes the waiters of the list for which there is something. */
  wakeList(): void;
}

/**
 * Cursors at the indices from `from` to before `end`. The others are `undefined`.
 *
 * Rejected: an intrusive list. Its writes from one old object to another cost 20 of the 110 ns of a delivery.
 */
export class CursorQueue {
  readonly cursors: (QueuedCursor | undefined)[] = [];
  /** The next to be woken; more than 0 only while the queue is being woken. */
  from = 0;
  end = 0;
}

/** The three queues of one channel: members of its state, since a send reads them all. */
export interface WakeQueues {
  /** Cursors that the next send wakes; `wakeWaiting` swaps this queue and `waking`. */
  waiting: CursorQueue;
  /** Cursors that are being woken (invariant 2). */
  waking: CursorQueue;
  /** Cursors whose lists have yet to be woken (invariant 3). */
  readonly lists: CursorQueue;
  /** Set while `wakeLists` runs. */
  isWakingLists: boolean;
}

/** Adds a cursor, which is in no queue, to those that the next send wakes. */
export function enqueue(queues: WakeQueues, cursor: QueuedCursor): void {
  push(queues.waiting, cursor);
}

/** Adds a cursor, which is in no queue, to those whose lists `wakeLists` wakes. */
export function enqueueList(queues: WakeQueues, cursor: QueuedCursor): void {
  push(queues.lists, cursor);
}

function push(queue: CursorQueue, cursor: QueuedCursor): void {
  cursor.place = queue.end;
  queue.cursors[queue.end++] = cursor;
}

/** Removes a cursor from its queue. The last one takes its place. */
export function dequeue({ waiting, waking, lists }: WakeQueues, cursor: QueuedCursor): void {
  const { place } = cursor;
  const isIn = ({ cursors }: CursorQueue): boolean => cursors[place] === cursor;
  const queue = isIn(waiting) ? waiting : isIn(waking) ? waking : lists;
  const last = queue.cursors[--queue.end] as QueuedCursor;
  queue.cursors[place] = last;
  last.place = place;
  queue.cursors[queue.end] = undefined;
  cursor.place = NOWHERE;
}

/** Wakes every cursor that waits now. One that waits again during the call waits for the next send. */
export function wakeWaiting(queues: WakeQueues): void {
  const { waiting, waking } = queues;
  if (waiting.end === 0) return;
  queues.waiting = waking;
  queues.waking = waiting;
  finishWaking(queues);
}

/** Wakes the cursors that are left in `waking`, where a woken receiver sends or closes before the loop has ended. */
export function finishWaking(queues: WakeQueues): void {
  // Read again in each round: a send inside a wake-up empties this queue and swaps the two.
  for (let waking = queues.waking; waking.from < waking.end; waking = queues.waking) {
    const cursor = waking.cursors[waking.from] as QueuedCursor;
    waking.cursors[waking.from++] = undefined;
    cursor.place = NOWHERE;
    try {
      wakeCursor(queues, cursor);
    } catch (error) {
      // The stack has overflowed: the next send continues with this cursor. Calls would find no room here.
      if (
        waking === queues.waking &&
        cursor.place === NOWHERE &&
        (cursor.resolve !== undefined || cursor.head !== undefined)
      ) {
        cursor.place = --waking.from;
        waking.cursors[waking.from] = cursor;
      }
      throw error;
    }
  }
  queues.waking.from = 0;
  queues.waking.end = 0;
}

/** Wakes one cursor, which is in no queue: serves its slot now, and leaves its list to `wakeLists`. */
export function wakeCursor(queues: WakeQueues, cursor: QueuedCursor): void {
  if (cursor.resolve !== undefined) cursor.serveSlot();
  // Settling the receive may have run a getter, which may do anything.
  if (cursor.place !== NOWHERE) return;
  if (cursor.resolve !== undefined) push(queues.waiting, cursor);
  else if (cursor.head !== undefined) push(queues.lists, cursor);
}

/** Wakes the lists one after the other. Inside a wake-up it leaves that to the loop in progress (invariant 3). */
export function wakeLists(queues: WakeQueues): void {
  const { lists } = queues;
  if (queues.isWakingLists || lists.end === 0) return;
  // Before anything changes. Where it throws, the next send continues from here.
  if (lists.end > 1) reserveStack();
  queues.isWakingLists = true;
  try {
    while (lists.from < lists.end) {
      const cursor = lists.cursors[lists.from] as QueuedCursor;
      lists.cursors[lists.from++] = undefined;
      cursor.place = NOWHERE;
      cursor.wakeList();
    }
    lists.from = 0;
    lists.end = 0;
  } finally {
    queues.isWakingLists = false;
  }
}
