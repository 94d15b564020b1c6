import { ClosedError } from '@quiesce/cancellation-token';
import { checkKind } from '@quiesce/internal';
import type { BroadcastReceiver } from './receiver.ts';
import type { Ring } from './ring.ts';
import type { BroadcastSender } from './sender.ts';
import type { WeakBroadcastSender } from './weak-sender.ts';

/** A handle of a channel: a sender, a weak sender or a receiver. */
export type ChannelEnd = BroadcastSender<unknown> | WeakBroadcastSender<unknown> | BroadcastReceiver<unknown>;

/** @throws TypeError when `other` is not a handle of a broadcast channel */
export function isSameChannel(ring: Ring<unknown>, other: ChannelEnd): boolean {
  checkKind(other?.ring !== undefined, 'sameChannel', 'a sender or receiver', other);
  return other.ring === ring;
}

/** Returns the error of a call on a handle that was closed or disposed. */
export function handleClosed(call: string, handle: 'sender' | 'weak sender', end = 'closed'): ClosedError {
  return new ClosedError(`${call}: this ${handle} was ${end}; clone it before that to keep one`);
}
