import type { WaiterItem, WaiterList } from '@quiesce/internal';
import { Ring, store } from './ring.ts';
import { finishWaking, WakeQueue, wakeLists, wakeWaiting } from './wake-queue.ts';

/** The state that all handles of one channel share. As a list, it holds the waiters of `closed()`. */
export class ChannelState<T> implements WaiterList {
  head: WaiterItem | undefined = undefined;
  readonly ring: Ring<T>;
  readonly queue: WakeQueue = new WakeQueue();
  /** Open senders. At 0 the channel is closed and stays closed. */
  senders = 0;
  /** Open weak senders. */
  weakSenders = 0;
  /** Open receivers. */
  receivers = 0;

  constructor(call: string, capacity: number) {
    this.ring = new Ring(call, capacity);
  }
}

/** Stores a value and wakes the receivers that wait. Returns the number of receivers that will see it. */
export function send<T>(state: ChannelState<T>, value: T): number {
  const { queue } = state;
  if (queue.waking.end > 0) finishWaking(queue);
  const { receivers } = state;
  // As in Tokio, no value is kept for later receivers. A receiver that was woken just now may have closed the channel.
  if (receivers === 0 || state.senders === 0) return 0;
  store(state.ring, value, receivers);
  wakeWaiting(queue);
  wakeLists(queue);
  return receivers;
}

/** Closes one sender. The last one closes the channel and wakes every receiver that waits. */
export function closeSender<T>(state: ChannelState<T>): void {
  if (--state.senders > 0) return;
  const { queue } = state;
  finishWaking(queue);
  wakeWaiting(queue);
  wakeLists(queue);
}
