import { CancellationToken } from '@quiesce/cancellation-token';

/** A token that another thread or process cancels. */
export interface RemoteToken {
  readonly token: CancellationToken;
  /** Cancels the token; only the first call counts. */
  abort(reason: unknown): void;
}

/**
 * Makes a token whose state is elsewhere. Each read of the token's state calls `sync`, which may call `abort`.
 *
 * The token follows a native signal whose `aborted` calls `sync`, so the token itself needs no knowledge of threads.
 */
export function remoteToken(sync: (abort: RemoteToken['abort']) => void): RemoteToken {
  const controller = new AbortController();
  let isAborted = false;
  const abort = (reason: unknown): void => {
    if (isAborted) return;
    isAborted = true;
    // The platform's own property from now on: `abort` of Deno reads it, and does nothing when it is true.
    Reflect.deleteProperty(controller.signal, 'aborted');
    controller.abort(reason);
  };
  const get = (): boolean => {
    sync(abort);
    return isAborted;
  };
  Object.defineProperty(controller.signal, 'aborted', { get, configurable: true });
  return { token: CancellationToken.from(controller.signal), abort };
}
