import type { CancellationToken } from '@quiesce/cancellation-token';
import { checkFunction } from '@quiesce/internal';

/** Marks a function that `selectEach` starts again; the same in every copy of this package. */
const again: unique symbol = Symbol.for('quiesce.repeat') as never;

/**
 * A function as a branch of `selectEach` that is started again each time it has won.
 *
 * **Timing.** It is started again when the next turn begins. Anywhere else it is the function that it was made of.
 *
 * @param fn the work; its token is cancelled when the loop is left
 * @returns a branch
 * @throws TypeError when `fn` is not a function
 * @example
 * ```ts
 * let polls = 0;
 * for await (const { value } of selectEach({ job: repeat(async () => ++polls) })) {
 *   console.log(value); // => 1
 *   if (value === 1) break;
 * }
 * ```
 */
export function repeat<T>(fn: (token: CancellationToken) => T): (token: CancellationToken) => T {
  checkFunction('repeat', fn);
  return Object.assign((token: CancellationToken) => fn(token), { [again]: true });
}

/** Whether a branch is one that `repeat` has made. */
export function isRepeated(branch: unknown): boolean {
  return (branch as { readonly [again]?: true })[again] === true;
}
