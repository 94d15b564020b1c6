import type { BroadcastReceiver } from './receiver.ts';
import type { BroadcastSender } from './sender.ts';
import type { WeakBroadcastSender } from './weak-sender.ts';

/** A handle of a channel, of any kind. */
export type ChannelEnd = BroadcastSender<unknown> | WeakBroadcastSender<unknown> | BroadcastReceiver<unknown>;
