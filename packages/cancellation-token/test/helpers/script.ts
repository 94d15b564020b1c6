// The vocabulary of these tests: every event is written into one log, which reads as a script.
import {
  type CancellationToken,
  waiter as createWaiter,
  type Registration,
  source,
  type Waiter,
} from '@quiesce/cancellation-token';

/** The events, in order. */
export type Log = string[];

/** Writes `name` into the log when the token is cancelled. */
export function callback(log: Log, token: CancellationToken, name: string, then?: () => void): Registration {
  return token.onCancelled(() => {
    log.push(name);
    then?.();
  });
}

/** A waiter that writes `name` into the log when it is woken; parked nowhere. */
export function idleWaiter(log: Log, name: string, then?: () => void): Waiter {
  const wake = (): void => {
    log.push(name);
    then?.();
  };
  return createWaiter(wake);
}

/** The same, parked on the token. */
export function waiter(log: Log, token: CancellationToken, name: string, then?: () => void): Waiter {
  const made = idleWaiter(log, name, then);
  token[source].park(made);
  return made;
}

/** Writes `name` into the log when the token's signal fires. */
export function listener(log: Log, token: CancellationToken, name: string, then?: () => void): AbortSignal {
  const { signal } = token;
  signal.addEventListener('abort', () => {
    log.push(name);
    then?.();
  });
  return signal;
}

/** Creates a chain of `length` tokens below `root` and returns the last one. */
export function chainBelow(root: CancellationToken, length: number): CancellationToken {
  let token = root;
  for (let i = 0; i < length; i++) token = token.childToken();
  return token;
}

/** Waits for all queued microtasks, and those that they queue. */
export function microtasks(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** The ways to observe a token, by name. */
export const observers: Record<string, (token: CancellationToken) => unknown> = {
  'a callback': (token) => token.onCancelled(() => {}),
  'a waiter': (token) => waiter([], token, 'woken'),
  'its signal': (token) => token.signal,
  'an observed child': (token) => token.childToken().onCancelled(() => {}),
};
