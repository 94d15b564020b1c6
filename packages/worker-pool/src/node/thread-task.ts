import { type CancellationToken, isCancellation } from '@quiesce/cancellation-token';
import { checkFunction } from '@quiesce/internal';
import { enter, leave } from './flags.ts';
import { receiveToken } from './receive-token.ts';
import type { SharedToken } from './share-token.ts';

/** What `runInPool` sends to the thread. */
export interface ThreadCall<I> {
  /** What was passed to `runInPool`, as it is cloned for the thread. */
  readonly input: I;
  /** The token of the call. */
  readonly token: SharedToken;
}

/**
 * Makes the function that a thread of the pool runs, from one that takes a token.
 *
 * **Timing.** Work that was cancelled before it came to its turn does not start.
 *
 * @param work gets what was passed to `runInPool`, and the token; its end, cleanup included, is the acknowledgement
 * @returns the function to export from the file that the pool runs
 * @example
 * ```ts
 * import { shareToken, threadTask } from '@quiesce/worker-pool/node';
 *
 * const countTo = threadTask((limit: number, token) => {
 *   let n = 0;
 *   while (n < limit && !token.isCancelled) n++;
 *   return n;
 * });
 * // What runInPool sends to it in a thread:
 * using link = shareToken(CancellationToken.never);
 * console.log(await countTo({ input: 3, token: link.shared })); // => 3
 * ```
 */
export function threadTask<I, O>(
  work: (input: I, token: CancellationToken) => O | PromiseLike<O>,
): (call: ThreadCall<I>) => Promise<O> {
  checkFunction('threadTask', work);
  return async (call) => {
    // Also for whoever runs it without runInPool, and is told so.
    const { input, token: shared } = Object(call) as ThreadCall<I>;
    const token = receiveToken(shared);
    let isObeying = false;
    try {
      if (!enter(shared.flags)) throw token.reason;
      return await work(input, token);
    } catch (error) {
      isObeying = token.isCancelled && isCancellation(error, token);
      throw error;
    } finally {
      leave(shared.flags, isObeying);
      token.dispose();
      shared.port.close();
    }
  };
}
