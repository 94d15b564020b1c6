import type { CancellationToken } from '@quiesce/cancellation-token';
import { show } from '@quiesce/internal';
import { listenForMessages, type PortLike, unref, workerThreads } from './ports.ts';
import { remoteToken } from './remote-token.ts';
import type { SharedToken } from './share-token.ts';
import { isCancelled, reasonIn } from './task-flags.ts';
import { unwireReason, type WiredReason } from './wire-reason.ts';

/**
 * Returns the far end of a token that another thread shares.
 *
 * **Timing.** Where memory is shared, `isCancelled` costs an `Atomics.load` and sees a cancellation at once, even in a loop
 * that does not yield to the event loop. Callbacks, waiters and `signal` are notified by the first read after the
 * cancellation, or when the event loop next delivers the message. Where memory is not shared, only the message cancels the
 * token, so a loop that computes has to yield: `await checkpoint(token)`.
 *
 * **The reason** is a copy. A `CancelledError` and a `TimeoutError` keep their class. Others are cloned as `structuredClone`
 * does it, and a reason that cannot be cloned arrives as an `Error` with its text. A read before the message sees the reason
 * as JSON, of which errors keep `name` and `message`, and a reason over about 2,000 bytes the start of its text. Node and Bun
 * read the clone in both cases.
 *
 * @param shared the value that the other side sent as `link.shared`
 * @throws TypeError for any other value
 * @example
 * ```ts
 * import { receiveToken, shareToken } from '@quiesce/worker-pool/web';
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
export function receiveToken(shared: SharedToken<PortLike>): CancellationToken {
  const { flags, port } = (shared ?? {}) as Partial<SharedToken<PortLike>>;
  if (!(flags instanceof Int32Array) || port === undefined) {
    throw new TypeError(`receiveToken: expected the \`shared\` of shareToken(token), got ${show(shared)}`);
  }
  const end = (abort: (reason: unknown) => void, wired: WiredReason): void => {
    port.close();
    abort(unwireReason(wired));
  };
  const { token, abort } = remoteToken((abort) => {
    if (!isCancelled(flags)) return;
    const received = workerThreads?.receiveMessageOnPort(port) as { message: WiredReason } | undefined;
    end(abort, received?.message ?? reasonIn(flags));
  });
  listenForMessages(port, (wired: WiredReason) => end(abort, wired));
  // A cancellation that may never come must not keep the thread alive.
  unref(port);
  return token.childToken({ name: shared.name });
}
