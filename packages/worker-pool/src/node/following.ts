import { CancellationToken } from '@quiesce/cancellation-token';

/** A token that somebody elsewhere cancels. */
export interface Following {
  readonly token: CancellationToken;
  /** Cancels it; only the first call counts. */
  abort(reason: unknown): void;
}

/**
 * A token whose state is somewhere else: `look` is called whenever anybody asks for it, and may `abort`.
 *
 * It follows a native signal, whose `aborted` asks first: so the token needs to know nothing of threads.
 */
export function follow(look: (abort: Following['abort']) => void): Following {
  const controller = new AbortController();
  let isAborted = false;
  const get = (): boolean => {
    if (!isAborted) look(abort);
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
