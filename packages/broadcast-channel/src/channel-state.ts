import type { WaiterItem, WaiterList } from '@quiesce/internal';
import { type Ring, ringSize, store } from './ring.ts';
import { CursorQueue, finishWaking, type WakeQueues, wakeLists, wakeWaiting } from './wake-queue.ts';

/**
 * The state that all handles of one channel share. As a list, it holds the waiters of `closed()`.
 *
 * One flat object: with the ring and the queues as objects of their own, a `send` and a `tryRecv` together cost 8 % more.
 */
export class ChannelState<T> implements Ring<T>, WakeQueues, WaiterList {
  head: WaiterItem | undefined = undefined;
  readonly size: number;
  readonly mask: number;
  readonly values: (T | undefined)[];
  readonly remaining: Int32Array;
  tail = 0;
  /** Open senders. At 0 the channel is closed and stays closed. */
  senders = 0;
  /** Open weak senders. */
  weakSenders = 0;
  /** Open receivers. */
  receivers = 0;
  waiting: CursorQueue = new CursorQueue();
  waking: CursorQueue = new CursorQueue();
  readonly lists: CursorQueue = new CursorQueue();
  isWakingLists = false;

  constructor(call: string, capacity: number) {
    this.size = ringSize(call, capacity);
    this.mask = this.size - 1;
    this.values = new Array<T | undefined>(this.size).fill(undefined);
    this.remaining = new Int32Array(this.size);
  }
}

/** Stores a value and wakes the receivers that wait. Returns the number of receivers that will see it. */
export function send<T>(state: ChannelState<T>, value: T): number {
  if (state.waking.end > 0) finishWaking(state);
  const { receivers } = state;
  // As in Tokio, no value is kept for later receivers. A receiver that was woken just now may have closed the channel.
  if (receivers === 0 || state.senders === 0) return 0;
  store(state, value, receivers);
  wakeWaiting(state);
  wakeLists(state);
  return receivers;
}

/** Closes one sender. The last one closes the channel and wakes every receiver that waits. */
export function closeSender<T>(state: ChannelState<T>): void {
  if (--state.senders > 0) return;
  finishWaking(state);
  wakeWaiting(state);
  wakeLists(state);
}
