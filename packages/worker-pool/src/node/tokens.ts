// The functions of ../web, with the types of Node's ports, which a program may have beside those of the DOM.

import type { MessagePort } from 'node:worker_threads';
import type { CancellationToken } from '@quiesce/cancellation-token';
import { workerThreads } from '../web/ports.ts';
import { receiveToken as receive } from '../web/receive-token.ts';
import { type TokenLink as Link, type SharedToken as Shared, shareToken as share } from '../web/share-token.ts';

/** A token in the form that is sent to another thread. `port` has to be in the transfer list. */
export type SharedToken = Shared<MessagePort>;

/** The near end of a shared token. */
export type TokenLink = Link<MessagePort>;

/**
 * Shares a token with another thread. The far token is cancelled with this one, even while its thread runs a loop that does
 * not yield to the event loop.
 *
 * Use it with plain worker threads. For a pool of threads, `runInPool` shares the token of each call.
 *
 * **Timing.** The cancellation sets the shared flag before it returns. The other side sees it at its next read.
 *
 * @param token the token, or an `AbortSignal`
 * @returns the near end; dispose it when the work has ended
 * @throws TypeError when `token` is neither
 * @example
 * ```ts
 * import { receiveToken, shareToken } from '@quiesce/worker-pool/node';
 *
 * const token = new CancellationToken();
 * using link = shareToken(token);
 * // In a thread that has received link.shared:
 * const far = receiveToken(link.shared);
 * token.cancel('enough');
 * console.log(far.isCancelled, far.reason); // => true enough
 * ```
 */
export const shareToken: (token: CancellationToken | AbortSignal) => TokenLink = needingThreads(share) as never;

/**
 * Returns the far end of a token that another thread shares.
 *
 * **Timing.** `isCancelled` costs an `Atomics.load` and sees a cancellation at once, even in a loop that does not yield to
 * the event loop. Callbacks, waiters and `signal` are notified by the first read after the cancellation, or when the event
 * loop next delivers the message.
 *
 * @param shared the value that the other side sent as `link.shared`
 * @throws TypeError for any other value
 * @example
 * ```ts
 * import { receiveToken, shareToken } from '@quiesce/worker-pool/node';
 *
 * const token = new CancellationToken();
 * using link = shareToken(token);
 * // In the other thread, which has received link.shared in a message:
 * const far = receiveToken(link.shared);
 * token.cancel('enough');
 * let rounds = 0;
 * while (!far.isCancelled) rounds++; // does not yield, and still sees the cancellation
 * console.log(rounds, far.reason); // => 0 enough
 * ```
 */
export const receiveToken: (shared: SharedToken) => CancellationToken = needingThreads(receive);

/**
 * Returns a value of this module where it works, and throws elsewhere. A call, because a bundler drops an import without a
 * value. Whether the module loads must not depend on chance, so it refuses a runtime in which a message may arrive later.
 */
function needingThreads<T>(value: T): T {
  if (workerThreads !== undefined) return value;
  throw new Error(
    '@quiesce/worker-pool/node uses worker threads and child processes of Node: it needs Node 20.19 or later, or a ' +
      'runtime whose receiveMessageOnPort of node:worker_threads returns a message as soon as it was posted. The pools of ' +
      '@quiesce/worker-pool run everywhere, and so does @quiesce/worker-pool/web.',
  );
}
