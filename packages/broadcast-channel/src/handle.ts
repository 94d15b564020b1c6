import type { Receiver } from './receiver.ts';
import type { Sender } from './sender.ts';
import type { WeakSender } from './weak-sender.ts';

/** A handle of a channel, of any kind. */
export type Handle = Sender<unknown> | WeakSender<unknown> | Receiver<unknown>;
