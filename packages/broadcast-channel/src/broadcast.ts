import type { Sendable } from '@quiesce/cancellation-token';
import type { Receiver } from './receiver.ts';
import { CAPACITY_END, Ring } from './ring.ts';
import { Sender } from './sender.ts';

/**
 * Makes a channel in which every receiver sees every value.
 *
 * Sending never waits. A receiver that falls behind by more than the capacity gets one `LaggedError`, which says how many
 * values it has missed, and goes on at the oldest value kept. A value is released when its last reader has read it or left.
 *
 * @param capacity how many values are kept: an integer from 1 to 2^24, rounded up to a power of two, and lag is counted
 *   against the rounded size
 * @returns a sender and a first receiver
 * @throws RangeError for any other capacity
 * @see tokio::sync::broadcast::channel (tokio 1.53)
 * @example
 * ```ts
 * const [tx, rx] = broadcast<string>(16);
 * const other = tx.subscribe();
 * tx.send('shutdown');
 * console.log(await rx.recv(), await other.recv()); // => shutdown shutdown
 * ```
 */
export function broadcast<T extends Sendable>(capacity: number): [tx: Sender<T>, rx: Receiver<T>] {
  if (!Number.isInteger(capacity) || capacity < 1 || capacity > CAPACITY_END) {
    throw new RangeError(`broadcast: the capacity must be an integer from 1 to 2^24, got ${String(capacity)}`);
  }
  const sender = new Sender<T>(new Ring<T>(capacity));
  return [sender, sender.subscribe()];
}
