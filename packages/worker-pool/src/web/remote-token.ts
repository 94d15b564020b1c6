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
  const get = (): boolean => {
    if (!isAborted) sync(abort);
    return isAborted;
  };
  Object.defineProperty(controller.signal, 'aborted', { get });
  const abort = (reason: unknown): void => {
    if (isAborted) return;
    isAborted = true;
    controller.abort(reason);
  };
  return { token: CancellationToken.from(controller.signal), abort };
}
