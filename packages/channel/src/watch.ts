import type { Sendable } from '@quiesce/cancellation-token';
import { refuseExtra } from '@quiesce/internal';
import { refuseUnsendable } from './settle.ts';
import { WatchReceiver } from './watch-receiver.ts';
import { WatchSender } from './watch-sender.ts';
import { WatchCursor, WatchState } from './watch-state.ts';

/** Requires an argument too many for a thenable. As a constraint of `T` it would give `watch('starting')` a literal type. */
type Refused<T> = [T] extends [Sendable] ? [] : [aThenableCannotBeWatched: never];

/**
 * Makes a value that several receivers can watch. Each sees the latest value, and may skip earlier ones.
 *
 * Use it to publish a state. When every value matters, use `broadcast`.
 *
 * @param initial the first value, which counts as seen; anything except a thenable
 * @returns a sender and a receiver, both of which can be cloned
 * @throws TypeError when the value is a thenable
 * @see tokio::sync::watch::channel (tokio 1.53)
 * @example
 * ```ts
 * const [tx, rx] = watch({ level: 'info' });
 * tx.send({ level: 'debug' });
 * console.log(await rx.changed(), rx.hasChanged()); // => { level: 'debug' } false
 * ```
 */
export function watch<T>(initial: T, ..._: Refused<T>): [tx: WatchSender<T>, rx: WatchReceiver<T>];
export function watch<T>(initial: T, extra?: unknown): [tx: WatchSender<T>, rx: WatchReceiver<T>] {
  refuseExtra('watch', extra, 'write watch(initial)');
  refuseUnsendable(initial, 'watch');
  const state = new WatchState<T>(initial);
  return [new WatchSender(state), new WatchReceiver(new WatchCursor(state, 0))];
}
