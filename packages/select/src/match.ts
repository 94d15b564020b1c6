import { show } from '@quiesce/internal';
import { type Branch, type BranchValue, type Off, releaseBranch } from './branches.ts';
import { kindFor, MATCH, OFF } from './kinds.ts';
import { type Pattern, pattern } from './pattern.ts';

/** A branch with a pattern, as `match` returns it. It wins only with a value that fits. */
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
 * Adds a pattern to a branch. A value that does not fit switches the branch off for this call, as in Tokio.
 *
 * The value that did not fit is consumed and lost. This is the one exception to "nothing is lost", as in Tokio. A permit or
 * mutex guard that does not fit is not released either, so let the function release it. A closed source does not fit, so
 * `match(rx)` is Tokio's `Some(value) = rx.recv()`. Every other failure of the branch stays a failure.
 *
 * **Timing.** `guard` is called synchronously when the branch becomes ready. If it throws, the branch fails with that error.
 *
 * **Cancel safety.** That of the branch, except that a value that does not fit is lost.
 *
 * @param branch any branch except another `match`; a branch that is off stays off
 * @param guard returns whether the value fits. A type predicate narrows the type of the value. Default: every value fits
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
    releaseBranch(branch);
    throw new TypeError('match: the branch is a match already; combine the two guards into one');
  }
  if (guard !== undefined && typeof guard !== 'function') {
    releaseBranch(guard);
    releaseBranch(branch);
    throw new TypeError(`match: the guard must be a function, got ${show(guard)}`);
  }
  return { [pattern]: { branch, guard } } as never;
};
