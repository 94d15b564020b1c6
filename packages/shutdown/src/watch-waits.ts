import type { CancellationToken } from '@quiesce/cancellation-token';

/**
 * Says whether anything has ever waited for a token: awaited it, made it a branch, read its signal, or made a child. A callback is
 * no wait, and neither is asking for `isCancelled`. Watched on this one token, so that other tokens pay nothing.
 */
export function watchWaits(token: CancellationToken): () => boolean {
  let hasWaited = false;
  const watchCalls = (key: 'park' | 'childToken'): void => {
    const method = token[key] as (...given: unknown[]) => unknown;
    Object.defineProperty(token, key, {
      value: (...given: unknown[]) => {
        hasWaited = true;
        return Reflect.apply(method, token, given);
      },
    });
  };
  watchCalls('park');
  watchCalls('childToken');
  const signal = Reflect.getOwnPropertyDescriptor(Object.getPrototypeOf(token), 'signal')?.get as () => AbortSignal;
  Object.defineProperty(token, 'signal', {
    get: () => {
      hasWaited = true;
      return Reflect.apply(signal, token, []);
    },
  });
  return () => hasWaited;
}
