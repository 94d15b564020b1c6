import type { Sendable } from '@quiesce/cancellation-token';
import { callable, refuseExtra } from '@quiesce/internal';
import { ChannelState } from './channel-state.ts';
import type { BroadcastReceiver } from './receiver.ts';
import { BroadcastSender } from './sender.ts';

/** Type of {@link broadcast}. */
export interface Broadcast {
  <T extends Sendable>(capacity: number): [tx: BroadcastSender<T>, rx: BroadcastReceiver<T>];
  /**
   * Makes a channel that has no receiver yet. Until one subscribes, `send` returns 0 and `closed()` is ready.
   *
   * @param capacity as for `broadcast`
   * @returns the sender
   * @throws TypeError or RangeError for any other capacity
   * @see tokio::sync::broadcast::Sender::new (tokio 1.53)
   * @example
   * ```ts
   * const tx = broadcast.sender<string>(16);
   * console.log(tx.receiverCount, tx.send('hello')); // => 0 0
   * ```
   */
  sender<T extends Sendable>(capacity: number): BroadcastSender<T>;
}

/**
 * Makes a channel in which every receiver sees every value.
 *
 * Sending never waits. A receiver that falls behind by more than the capacity gets one `LaggedError` with the number of
 * values that it missed, and continues at the oldest value kept. A value is released when its last reader has read it or
 * has closed.
 *
 * Use it when several parts of a program observe the same events. For work that must not be lost, use a `channel`.
 *
 * @param capacity the number of values kept: an integer from 1 to 2^24, rounded up to a power of two. Lag is counted
 *   against the rounded size
 * @returns a sender and a first receiver
 * @throws TypeError or RangeError for any other capacity
 * @see tokio::sync::broadcast::channel (tokio 1.53)
 * @example
 * ```ts
 * const [tx, rx] = broadcast<string>(16);
 * const other = tx.subscribe();
 * tx.send('shutdown');
 * console.log(await rx.recv(), await other.recv()); // => shutdown shutdown
 * ```
 */
export const broadcast: Broadcast = /* @__PURE__ */ callable(
  'broadcast',
  <T>(capacity: number, extra?: unknown): [BroadcastSender<T>, BroadcastReceiver<T>] => {
    refuseExtra('broadcast', extra, 'write broadcast(capacity); each tx.subscribe() makes a receiver');
    const tx = new BroadcastSender<T>(new ChannelState<T>('broadcast', capacity));
    return [tx, tx.subscribe()];
  },
  { sender },
);

function sender<T>(capacity: number): BroadcastSender<T> {
  return new BroadcastSender<T>(new ChannelState<T>('broadcast.sender', capacity));
}
