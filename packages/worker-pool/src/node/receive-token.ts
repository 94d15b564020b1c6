import type { CancellationToken } from '@quiesce/cancellation-token';
import { show } from '@quiesce/internal';
import { remoteToken } from './remote-token.ts';
import type { SharedToken } from './share-token.ts';
import { isCancelled } from './task-flags.ts';
import { unwireReason, type WiredReason } from './wire-reason.ts';
import { receiveMessageOnPort } from './worker-threads.ts';

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
export function receiveToken(shared: SharedToken): CancellationToken {
  const { flags, port } = (shared ?? {}) as Partial<SharedToken>;
  if (!(flags instanceof Int32Array) || port === undefined) {
    throw new TypeError(`receiveToken: expected the \`shared\` of shareToken(token), got ${show(shared)}`);
  }
  const end = (abort: (reason: unknown) => void, wired: WiredReason | undefined): void => {
    port.close();
    abort(wired === undefined ? undefined : unwireReason(wired));
  };
  const { token, abort } = remoteToken((abort) => {
    if (!isCancelled(flags)) return;
    const received = receiveMessageOnPort(port) as { message: WiredReason } | undefined;
    end(abort, received?.message);
  });
  port.on('message', (wired: WiredReason) => end(abort, wired));
  // A cancellation that may never come must not keep the thread alive.
  port.unref();
  return token.childToken({ name: shared.name });
}
