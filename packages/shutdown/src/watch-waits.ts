import type { CancellationToken } from '@quiesce/cancellation-token';

/**
 * Returns a function that reports whether anything has waited for a token: awaited it, made it a branch, read its signal, or made
 * a child. Registering a callback or reading `isCancelled` does not count. Only this token is observed: others stay as fast.
 */
export function watchWaits(token: CancellationToken): () => boolean {
  let hasWaited = false;
  const watchCalls = (key: 'poll' | 'park' | 'childToken'): void => {
    const method = token[key] as (...given: unknown[]) => unknown;
    Object.defineProperty(token, key, {
      value: (...given: unknown[]) => {
        hasWaited = true;
        return Reflect.apply(method, token, given);
      },
    });
  };
  // A branch that is ready at the first poll is never parked.
  watchCalls('poll');
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
