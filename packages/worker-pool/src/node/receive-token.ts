import type { CancellationToken } from '@quiesce/cancellation-token';
import { show } from '@quiesce/internal';
import { isRaised } from './flags.ts';
import { follow } from './following.ts';
import { receiveMessageOnPort } from './host.ts';
import { unwireReason, type WiredReason } from './reason.ts';
import type { SharedToken } from './share-token.ts';

/**
 * The far end of a token that another thread shares.
 *
 * **Timing.** Asking `isCancelled` costs an `Atomics.load` and sees a cancellation at once, also in a loop that lets no
 * event through; callbacks, waiters and `signal` are told by whoever asks first, or at the next turn of the event loop.
 *
 * @param shared what the other side sent as `link.shared`
 * @throws TypeError when it is none
 * @example
 * ```ts
 * import { receiveToken, shareToken } from '@quiesce/worker-pool/node';
 *
 * const token = new CancellationToken();
 * using link = shareToken(token);
 * // In the other thread, which has got link.shared in a message:
 * const far = receiveToken(link.shared);
 * token.cancel('enough');
 * let turns = 0;
 * while (!far.isCancelled) turns++; // lets no event through, and sees it all the same
 * console.log(turns, far.reason); // => 0 enough
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
  const { token, abort } = follow((abort) => {
    if (!isRaised(flags)) return;
    const received = receiveMessageOnPort(port) as { message: WiredReason } | undefined;
    end(abort, received?.message);
  });
  port.on('message', (wired: WiredReason) => end(abort, wired));
  // Waiting for a cancellation that may never come must not keep the thread alive.
  port.unref();
  return token.childToken({ name: shared.name });
}
