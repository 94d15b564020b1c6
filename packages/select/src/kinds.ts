import { isSource } from '@quiesce/cancellation-token';
import { isThenable, show } from '@quiesce/internal';

/** What a branch is. */
export const OFF = 0;
export const SOURCE = 1;
export const PROMISE = 2;
export const SIGNAL = 4;
export const FUNCTION = 8;

export type Kind = typeof OFF | typeof SOURCE | typeof PROMISE | typeof SIGNAL | typeof FUNCTION;

/**
 * Tells what a branch is: a source before a thenable, a thenable before a function.
 *
 * @throws TypeError when it is nothing that a branch can be
 */
export function kindOf(branch: unknown, name: string): Kind {
  if (branch === undefined || branch === null || branch === false) return OFF;
  if (isSource(branch)) return SOURCE;
  if (isThenable(branch)) return PROMISE;
  if (typeof branch === 'function') return FUNCTION;
  if (typeof branch === 'object') {
    const like = branch as Partial<AbortSignal>;
    if (typeof like.aborted === 'boolean' && typeof like.addEventListener === 'function') return SIGNAL;
  }
  throw new TypeError(
    `select: branch ${JSON.stringify(name)} is ${show(branch)}; a branch is a source (token, receiver, timer, task), ` +
      'an AbortSignal, a promise, a function that returns one, or false, null or undefined to switch it off',
  );
}
