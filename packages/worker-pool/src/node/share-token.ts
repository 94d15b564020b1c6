import type { MessagePort } from 'node:worker_threads';
import { CancellationToken } from '@quiesce/cancellation-token';
import { newFlags, raise, withdraw } from './flags.ts';
import { MessageChannel } from './host.ts';
import { wireReason, wireText } from './reason.ts';

/** A token as it is sent to another thread; `port` belongs into the list of what is transferred. */
export interface SharedToken {
  /** How the token is called. */
  readonly name: string | undefined;
  /** Asked synchronously; see `receiveToken`. */
  readonly flags: Int32Array<SharedArrayBuffer>;
  /** Brings the reason. */
  readonly port: MessagePort;
}

/** The near end of a shared token. */
export interface TokenLink extends Disposable {
  /** What to send: `worker.postMessage({ token: link.shared }, [link.shared.port])`. */
  readonly shared: SharedToken;
  /** Keeps work that has not started from starting; says whether it had not. */
  withdraw(): boolean;
  /** Ends the link; the far token is never cancelled then. Idempotent. */
  dispose(): void;
}

/**
 * Makes a token that another thread can have: its end there is cancelled with this one, and can be asked in a loop that
 * lets no event through.
 *
 * **Timing.** The flag is raised inside of the cancellation; whoever asks on the other side sees it from then on.
 *
 * @param token the token, or an `AbortSignal`
 * @returns the near end, to be disposed when the work has ended
 * @throws TypeError when `token` is neither
 * @example
 * ```ts
 * import { receiveToken, shareToken } from '@quiesce/worker-pool/node';
 *
 * const token = new CancellationToken();
 * using link = shareToken(token);
 * // In a thread: what was sent as link.shared.
 * const far = receiveToken(link.shared);
 * token.cancel('enough');
 * console.log(far.isCancelled, far.reason); // => true enough
 * ```
 */
export function shareToken(token: CancellationToken | AbortSignal): TokenLink {
  const near = CancellationToken.from(token, 'shareToken');
  const flags = newFlags();
  const { port1, port2 } = new MessageChannel();
  port1.unref();
  const registration = near.onCancelled((reason) => {
    try {
      port1.postMessage(wireReason(reason));
    } catch {
      // It cannot be cloned: a function, a proxy.
      port1.postMessage(wireText(reason));
    }
    // Behind the reason: whoever sees the flag finds it.
    raise(flags);
  });
  const dispose = (): void => {
    registration.unregister();
    port1.close();
  };
  return {
    shared: { name: near.name, flags, port: port2 },
    withdraw: () => withdraw(flags),
    dispose,
    [Symbol.dispose]: dispose,
  };
}
