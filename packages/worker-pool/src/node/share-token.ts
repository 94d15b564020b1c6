import type { MessagePort } from 'node:worker_threads';
import { CancellationToken } from '@quiesce/cancellation-token';
import { makeTaskFlags, setCancelled, withdraw } from './task-flags.ts';
import { wireReason, wireText } from './wire-reason.ts';
import { MessageChannel } from './worker-threads.ts';

/** A token in the form that is sent to another thread. `port` has to be in the transfer list. */
export interface SharedToken {
  /** Name of the token. */
  readonly name: string | undefined;
  /** Shared memory that `receiveToken` reads synchronously. */
  readonly flags: Int32Array<SharedArrayBuffer>;
  /** Carries the reason. */
  readonly port: MessagePort;
}

/** The near end of a shared token. */
export interface TokenLink extends Disposable {
  /** Send it: `worker.postMessage({ token: link.shared }, [link.shared.port])`. */
  readonly shared: SharedToken;
  /** Keeps work from starting. Returns false when the work has started. */
  withdraw(): boolean;
  /** Ends the link. The far token is never cancelled afterwards. Idempotent. */
  dispose(): void;
}

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
export function shareToken(token: CancellationToken | AbortSignal): TokenLink {
  const near = CancellationToken.from(token, 'shareToken');
  const flags = makeTaskFlags();
  const { port1, port2 } = new MessageChannel();
  port1.unref();
  const registration = near.onCancelled((reason) => {
    try {
      port1.postMessage(wireReason(reason));
    } catch {
      // The reason cannot be cloned: a function, a proxy.
      port1.postMessage(wireText(reason));
    }
    // After the reason, so that a reader that sees the flag finds the reason too.
    setCancelled(flags);
  });
  const dispose = (): void => {
    registration.dispose();
    port1.close();
  };
  return {
    shared: { name: near.name, flags, port: port2 },
    withdraw: () => withdraw(flags),
    dispose,
    [Symbol.dispose]: dispose,
  };
}
