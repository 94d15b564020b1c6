import { type CancellationToken, setUncaughtHandler } from '@quiesce/cancellation-token';
import type { VirtualClock } from '@quiesce/cancellation-token/testing';
import { select, sleep } from '@quiesce/select';

/** One real round of the event loop: after it, every promise that can settle has settled. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** The rejection of a promise; fails when it fulfils. */
export async function rejection(promise: PromiseLike<unknown>): Promise<unknown> {
  const value = await promise.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
  if ('error' in value) return value.error;
  throw new Error(`expected a rejection, got the value ${String(value.value)}`);
}

/** Work that ends when `end` is called, and never on its own; cancellation does not reach it. */
export function deaf<T = void>() {
  let fulfil: (value: T) => void = () => {};
  let fail: (error: unknown) => void = () => {};
  const promise = new Promise<T>((resolve, reject) => {
    fulfil = resolve;
    fail = reject;
  });
  return { work: () => promise, fulfil, fail };
}

/** Work that waits for its cancellation, cleans up for `ms`, and ends with the reason. */
export function obedient(clock: VirtualClock, ms = 0, cleanedUp: () => void = () => {}) {
  return async (token: CancellationToken): Promise<never> => {
    await select({ token });
    await sleep(ms, { clock });
    cleanedUp();
    throw token.reason;
  };
}

/** Work that fails with `error` after `ms`. */
export function failing(clock: VirtualClock, ms: number, error: unknown) {
  return async (): Promise<never> => {
    await sleep(ms, { clock });
    throw error;
  };
}

/** The errors that reach the uncaught handler while `work` runs. */
export async function uncaughtIn(work: (reported: Promise<void>) => unknown): Promise<unknown[]> {
  const caught: unknown[] = [];
  let onReported = (): void => {};
  const reported = new Promise<void>((resolve) => {
    onReported = resolve;
  });
  const before = setUncaughtHandler((error) => {
    caught.push(error);
    onReported();
  });
  try {
    await work(reported);
    await turn();
  } finally {
    setUncaughtHandler(before);
  }
  return caught;
}

/** Unhandled rejections of the platform while `work` runs. */
export async function unhandledIn(work: () => unknown): Promise<unknown[]> {
  const unhandled: unknown[] = [];
  const listener = (reason: unknown): unknown => unhandled.push(reason);
  process.on('unhandledRejection', listener);
  try {
    await work();
    await turn();
    await turn();
  } finally {
    process.off('unhandledRejection', listener);
  }
  return unhandled;
}
