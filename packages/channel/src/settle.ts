import { consumeBudget, isClosedError, PENDING, type SourceProtocol, type Tried } from '@quiesce/cancellation-token';
import { refuseThenable } from '@quiesce/internal';

/** Returns a promise of a result that is ready. When the budget is spent, it fulfils after the event loop has run. */
export function fulfilled<T>(value: T): Promise<T> {
  const yielded = consumeBudget();
  return yielded === undefined ? Promise.resolve(value) : yielded.then(() => value);
}

/** Returns a promise that rejects. It consumes budget too, or it would settle before values that were taken earlier. */
export function failed(error: unknown): Promise<never> {
  const yielded = consumeBudget();
  return yielded === undefined ? Promise.reject(error) : yielded.then(() => Promise.reject(error));
}

/** Polls for a `tryRecv`, which reports a closed channel and does not throw. */
export function tryPoll<T>(protocol: SourceProtocol<T>): Tried<T, 'empty' | 'closed'> {
  try {
    const value = protocol.poll();
    return value === PENDING ? { ok: false, why: 'empty' } : { ok: true, value };
  } catch (error) {
    if (isClosedError(error)) return { ok: false, why: 'closed' };
    throw error;
  }
}

/**
 * Refuses a value that a promise cannot carry, before anything has happened.
 *
 * @throws TypeError for a thenable, and for `PENDING`
 */
export function refuseUnsendable(value: unknown, call: string): void {
  refuseThenable(value, call);
  if (value === PENDING) throw new TypeError(`${call}: PENDING means that there is no value; wrap it in an object`);
}
