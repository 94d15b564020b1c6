import { consumeBudget, PENDING } from '@quiesce/cancellation-token';
import { refuseThenable } from '@quiesce/internal';

/** A promise of what there is already. A loop over what is ready must not starve the event loop: it takes its yielded. */
export function fulfilled<T>(value: T): Promise<T> {
  const yielded = consumeBudget();
  return yielded === undefined ? Promise.resolve(value) : yielded.then(() => value);
}

/** A promise that fails. It takes its turn too, or it would come before values that were taken before it. */
export function failed(error: unknown): Promise<never> {
  const yielded = consumeBudget();
  return yielded === undefined ? Promise.reject(error) : yielded.then(() => Promise.reject(error));
}

/** Settles a promise that was made before, in its yielded. */
export function settle<T>(resolve: (result: T) => void, result: T): void {
  const yielded = consumeBudget();
  if (yielded === undefined) resolve(result);
  else void yielded.then(() => resolve(result));
}

/**
 * Refuses what cannot be sent, before anything has happened.
 *
 * @throws TypeError for a thenable, and for `PENDING`
 */
export function refuseUnsendable(value: unknown, call: string): void {
  refuseThenable(value, call);
  if (value === PENDING) throw new TypeError(`${call}: PENDING stands for no value, and cannot be one`);
}
