import type { Sendable } from '@quiesce/cancellation-token';
import { checkCount, refuseExtra } from '@quiesce/internal';
import { ChannelState } from './channel-state.ts';
import { PermitQueue } from './permit-queue.ts';
import { Receiver } from './receiver.ts';
import { Sender } from './sender.ts';
import { UnboundedSender } from './unbounded-sender.ts';

/**
 * Makes a queue between many senders and one receiver. Each value is received once, in order. A sender that is faster than
 * the receiver waits.
 *
 * Use it for work that must be done exactly once. When every receiver must see every value, use `broadcast`.
 *
 * @param capacity the number of values that fit into the channel, 1 or more
 * @returns a sender, which can be cloned, and the receiver
 * @throws TypeError when the capacity is not a number; RangeError when it is not an integer of 1 or more
 * @see tokio::sync::mpsc::channel (tokio 1.53)
 * @example
 * ```ts
 * const [tx, rx] = channel<string>(16);
 * await tx.send('first');
 * await tx.send('second');
 * tx.close();
 * for await (const value of rx) console.log(value);
 * // => first
 * // => second
 * ```
 */
export function channel<T extends Sendable>(capacity: number): [tx: Sender<T>, rx: Receiver<T>];
export function channel<T>(capacity: number, extra?: unknown): [tx: Sender<T>, rx: Receiver<T>] {
  refuseExtra('channel', extra, 'write channel(capacity)');
  checkCount('channel: the capacity', capacity, 1);
  const room = new PermitQueue(capacity);
  const shared = new ChannelState<T>(capacity, room);
  return [new Sender(shared, room), new Receiver(shared)];
}

/**
 * Makes a channel without a limit. Sending never waits, and values that are not received take memory.
 *
 * Use it when the senders cannot wait and the number of values is limited in another way. Otherwise use `channel`.
 *
 * @returns a sender, which can be cloned, and the receiver
 * @see tokio::sync::mpsc::unbounded_channel (tokio 1.53)
 * @see tokio::sync::mpsc::unbounded_channel (tokio 1.53)
 * @example
 * ```ts
 * const [tx, rx] = unboundedChannel<number>();
 * tx.send(1);
 * console.log(await rx.recv()); // => 1
 * ```
 */
export function unboundedChannel<T extends Sendable>(): [tx: UnboundedSender<T>, rx: Receiver<T>];
export function unboundedChannel<T>(extra?: unknown): [tx: UnboundedSender<T>, rx: Receiver<T>] {
  refuseExtra('unboundedChannel', extra, 'a channel with a capacity is channel(capacity)');
  const shared = new ChannelState<T>(Number.POSITIVE_INFINITY, undefined);
  return [new UnboundedSender(shared), new Receiver(shared)];
}
