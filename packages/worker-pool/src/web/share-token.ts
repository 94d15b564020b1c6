import { CancellationToken } from '@quiesce/cancellation-token';
import { checkOptions } from '@quiesce/internal';
import { openChannel, type PlatformPort, type PortLike, unref } from './ports.ts';
import { isShared, makeTaskFlags, setCancelled, withdraw } from './task-flags.ts';
import { wireReason, wireText } from './wire-reason.ts';

/** A token in the form that is sent to another thread. `port` has to be in the transfer list. */
export interface SharedToken<P extends PortLike = PlatformPort> {
  /** Name of the token. */
  readonly name: string | undefined;
  /** Memory that `receiveToken` reads synchronously: a copy where memory cannot be shared. */
  readonly flags: Int32Array;
  /** Carries the reason. */
  readonly port: P;
}

/** The near end of a shared token. */
export interface TokenLink<P extends PortLike = PlatformPort> extends Disposable {
  /** Send it: `worker.postMessage({ token: link.shared }, [link.shared.port])`. */
  readonly shared: SharedToken<P>;
  /** Keeps work from starting. Returns false when the work has started, or where memory is not shared. */
  withdraw(): boolean;
  /** Ends the link. The far token is never cancelled afterwards. Idempotent. */
  dispose(): void;
}

/** Options for `shareToken`. */
export interface ShareTokenOptions {
  /**
   * Whether the two sides share memory where the platform allows it. Turn it off for a port to a `SharedWorker`, to a frame
   * or to another window: it refuses messages with shared memory. Default: true.
   */
  readonly sharedMemory?: boolean | undefined;
}

/**
 * Shares a token with another thread: a Web Worker, a worker thread of Node, or anything that a port leads to.
 *
 * Use it with messages of your own. For calls with a result, `TaskWorker` shares a token for each call, and so does
 * `runInPool` for a pool of threads.
 *
 * **Timing.** Where memory is shared, the cancellation sets a flag before it returns, and the other side sees it at its next
 * read, even in a loop that does not yield to the event loop. Node, Bun and Deno share memory. A browser does so for a page
 * that is cross-origin isolated. Elsewhere the cancellation arrives as a message, when the event loop of the other side
 * delivers it.
 *
 * @param token the token, or an `AbortSignal`
 * @param options `sharedMemory`
 * @returns the near end; dispose it when the work has ended
 * @throws TypeError when `token` is neither
 * @see `crossOriginIsolated` of the HTML Standard
 * @example
 * ```ts
 * import { receiveToken, shareToken } from '@quiesce/worker-pool/web';
 *
 * const token = new CancellationToken();
 * using link = shareToken(token);
 * // In a worker that has received link.shared:
 * const far = receiveToken(link.shared);
 * token.cancel('enough');
 * console.log(far.isCancelled, far.reason); // => true enough
 * ```
 */
export function shareToken(token: CancellationToken | AbortSignal, options: ShareTokenOptions = {}): TokenLink {
  checkOptions('shareToken', options, [], ['sharedMemory']);
  const near = CancellationToken.from(token, 'shareToken');
  const flags = makeTaskFlags(options.sharedMemory !== false);
  const { port1, port2 } = openChannel();
  unref(port1);
  const registration = near.onCancelled((reason) => {
    try {
      port1.postMessage(wireReason(reason));
    } catch {
      // The reason cannot be cloned: a function, a proxy.
      port1.postMessage(wireText(reason));
    }
    // After the reason, so that a reader that sees the flag finds the reason too.
    setCancelled(flags, reason);
  });
  const dispose = (): void => {
    registration.dispose();
    port1.close();
  };
  return {
    shared: { name: near.name, flags, port: port2 as PlatformPort },
    withdraw: () => isShared(flags) && withdraw(flags),
    dispose,
    [Symbol.dispose]: dispose,
  };
}
