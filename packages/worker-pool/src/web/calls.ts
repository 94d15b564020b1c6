// The messages between `TaskWorker` and `serveTasks`. They use a port of their own, beside the messages of other code.

import type { ThreadCall } from './thread-task.ts';
import type { WiredReason } from './wire-reason.ts';

/** Key of the message with which a worker sends its port. */
export const PORT = 'quiesce.port';

/** From the owner of the worker. */
export interface CallMessage {
  readonly id: number;
  readonly call: ThreadCall<unknown>;
}

/** How a call ended. `cancelled` when it failed with the reason of its token, which the caller has, unless the work itself cancelled it. */
export type Reply =
  | { readonly status: 'fulfilled'; readonly value: unknown }
  | { readonly status: 'rejected' | 'cancelled'; readonly reason: WiredReason };

/** From the worker. */
export type ReplyMessage = Reply & { readonly id: number };
