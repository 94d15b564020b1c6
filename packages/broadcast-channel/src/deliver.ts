import { consumeBudget } from '@quiesce/cancellation-token';

/** Settles the promise of a receive that waits. */
export type Resolve = (result: never) => void;

/** Settles a receive that waited, after the turn of the event loop if it is time for one. */
export function deliver(resolve: Resolve, result: unknown): void {
  const turn = consumeBudget();
  if (turn === undefined) resolve(result as never);
  else deliverAfter(turn, resolve, result);
}

/** On its own, or each delivery would pay for the closure's context. */
function deliverAfter(turn: Promise<void>, resolve: Resolve, result: unknown): void {
  void turn.then(() => resolve(result as never));
}

/** Fails a receive that waited. A promise takes over the failure of another: so who waits needs no second function. */
export function fail(resolve: Resolve, error: unknown): void {
  const reject = (): void => resolve(Promise.reject(error) as never);
  const turn = consumeBudget();
  // Not made before the turn: nobody would have handled it yet.
  if (turn === undefined) reject();
  else void turn.then(reject);
}
