import { consumeBudget } from './budget.ts';

/** Settles a promise that was made before. When the budget is spent, it settles after the event loop has run. */
export function settleWithBudget(resolve: (result: never) => void, result: unknown): void {
  const yielded = consumeBudget();
  if (yielded === undefined) resolve(result as never);
  else settleAfter(yielded, resolve, result);
}

/** A function of its own, or each delivery would pay for the closure's context. */
function settleAfter(yielded: Promise<void>, resolve: (result: never) => void, result: unknown): void {
  void yielded.then(() => resolve(result as never));
}
