import type { CancellationToken } from '@quiesce/cancellation-token';
import { checkFunction } from '@quiesce/internal';

/** Marks a function that `selectEach` starts again. Every copy of this package uses the same key. */
const again: unique symbol = Symbol.for('quiesce.repeat') as never;

/**
 * Makes a function a branch of `selectEach` that starts again each time it has won.
 *
 * **Timing.** It starts again when the next round begins. Outside `selectEach` it behaves as `fn`.
 *
 * **Cancel safety.** That of `fn`: the loop cancels and awaits it when it ends.
 *
 * @param fn the work; its token is cancelled when the loop ends
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

/** Whether `repeat` returned this branch. */
export function isRepeated(branch: unknown): boolean {
  return (branch as { readonly [again]?: true })[again] === true;
}
