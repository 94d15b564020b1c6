import { consumeBudget } from '@quiesce/cancellation-token';

/** Settles the promise of a receive that waits. */
export type Resolve = (result: never) => void;

/** Returns a promise of a result that is ready. When the budget is spent, it fulfils after the event loop has run. */
export function fulfilled<R>(result: R): Promise<R> {
  const yielded = consumeBudget();
  return (yielded === undefined ? Promise.resolve(result) : fulfilledAfter(yielded, result)) as Promise<R>;
}

/** A function of its own, or each receive would pay for the closure's context. */
function fulfilledAfter<R>(yielded: Promise<void>, result: R): Promise<R> {
  return yielded.then(() => result);
}

/** Returns a promise that rejects. It consumes budget too, or it would settle before values that were received earlier. */
export function failed(error: unknown): Promise<never> {
  const yielded = consumeBudget();
  if (yielded === undefined) return Promise.reject(error);
  return yielded.then(() => {
    throw error;
  });
}

/** Rejects a receive that waited. A promise adopts the rejection of another, so a waiting receive keeps one function. */
export function settleFailed(resolve: Resolve, error: unknown): void {
  const reject = (): void => resolve(Promise.reject(error) as never);
  const yielded = consumeBudget();
  // The rejection is made last: until then nothing would have handled it.
  if (yielded === undefined) reject();
  else void yielded.then(reject);
}
