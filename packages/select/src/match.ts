import { show } from '@quiesce/internal';
import type { Branch, BranchValue, Off } from './branches.ts';
import { kindFor, MATCH, OFF } from './kinds.ts';
import { type Pattern, pattern } from './pattern.ts';
import { handleOne } from './refused.ts';

/** A branch that only wins with a value that fits; what `match` returns. */
export interface Match<T, B = unknown> {
  readonly [pattern]: Pattern<B> & { readonly value?: T };
}

/** The type of {@link match}. */
interface MatchFunction {
  <const B extends Branch, T extends BranchValue<Exclude<B, Off>>>(
    branch: B,
    guard: (value: BranchValue<Exclude<B, Off>>) => value is T,
  ): Match<T, Exclude<B, Off>> | Extract<B, Off>;
  <const B extends Branch>(
    branch: B,
    guard?: (value: BranchValue<Exclude<B, Off>>) => boolean,
  ): Match<BranchValue<Exclude<B, Off>>, Exclude<B, Off>> | Extract<B, Off>;
}

/**
 * A branch with a pattern: a value that does not fit switches the branch off for this call, as a pattern of Tokio's.
 *
 * The value that did not fit is consumed and lost: the one exception to "nothing is lost", and Tokio's. A permit or guard
 * that does not fit is not given back either, so let the guard of such a branch release what it refuses. A source that is
 * closed does not fit either, so `match(rx)` is Tokio's `Some(value) = rx.recv()`. Every other failure stays a failure.
 *
 * **Timing.** `guard` is called synchronously by whatever makes the branch ready; what it throws fails the branch.
 *
 * **Cancel safety.** As the branch, but for values that do not fit.
 *
 * @param branch anything that `select` takes, but for another `match`; one that is off stays off
 * @param guard says whether the value fits; as a type predicate it narrows the type of the value. Default: all fit
 * @returns a branch
 * @throws TypeError when `branch` cannot be a branch, or `guard` is not a function
 * @see tokio::select!, `<pattern> = <expression>` (tokio 1.53)
 * @example
 * ```ts
 * const [tx, rx] = broadcast<number>(16);
 * tx.send(7);
 * const outcome = await select({ even: match(rx, (n) => n % 2 === 0), else: () => 'no even number' });
 * console.log(outcome.branch, outcome.value); // => else no even number
 * ```
 */
export const match: MatchFunction = (branch: unknown, guard?: unknown) => {
  const kind = kindFor('match', branch);
  if (kind === OFF) return branch as never;
  if (kind & MATCH) {
    handleOne(branch);
    throw new TypeError('match: the branch is a match already; combine the two guards into one');
  }
  if (guard !== undefined && typeof guard !== 'function') {
    handleOne(guard);
    handleOne(branch);
    throw new TypeError(`match: the guard must be a function, got ${show(guard)}`);
  }
  return { [pattern]: { branch, guard } } as never;
};
