import { type CancellationToken, isCancellation } from '@quiesce/cancellation-token';
import { checkFunction } from '@quiesce/internal';
import type { PortLike } from './ports.ts';
import { receiveToken } from './receive-token.ts';
import type { SharedToken } from './share-token.ts';
import { enter, markEnded } from './task-flags.ts';

/** The message that `runInPool` sends to the thread. */
export interface ThreadCall<I> {
  /** The input of `runInPool`, cloned for the thread. */
  readonly input: I;
  /** The token of the call. */
  readonly token: SharedToken<PortLike>;
}

/**
 * Makes the function that a thread of the pool runs, from a function that takes a token.
 *
 * **Timing.** Work that is cancelled while it waits for a thread does not start.
 *
 * @param work receives the input of `runInPool`, and the token. `runInPool` waits until it has settled, cleanup included
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
 * // The message that runInPool sends to it in a thread:
 * using link = shareToken(CancellationToken.never);
 * console.log(await countTo({ input: 3, token: link.shared })); // => 3
 * ```
 */
export function threadTask<I, O>(
  work: (input: I, token: CancellationToken) => O | PromiseLike<O>,
): (call: ThreadCall<I>) => Promise<O> {
  checkFunction('threadTask', work);
  return async (call) => {
    // A call without runInPool may pass anything; receiveToken then names the problem.
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
      markEnded(shared.flags, isObeying);
      token.dispose();
      shared.port.close();
    }
  };
}
