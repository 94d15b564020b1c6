import { isSource } from '@quiesce/cancellation-token';
import { isThenable, show } from '@quiesce/internal';
import { isMatch, pattern } from './pattern.ts';

/** What a branch is; a pattern also carries what it is a pattern for. */
export const OFF = 0;
export const SOURCE = 1;
export const PROMISE = 2;
export const SIGNAL = 4;
export const FUNCTION = 8;
export const MATCH = 16;

/**
 * Tells what a branch is: a source before a thenable, a thenable before a function.
 *
 * @throws TypeError when it is nothing that a branch can be
 */
export function kindOf(branch: unknown, name: string): number {
  if (branch === undefined || branch === null || branch === false) return OFF;
  if (isSource(branch)) return SOURCE;
  if (isThenable(branch)) return PROMISE;
  if (typeof branch === 'function') return FUNCTION;
  if (typeof branch === 'object') {
    if (isMatch(branch)) return MATCH | kindOf(branch[pattern].branch, name);
    const like = branch as Partial<AbortSignal>;
    if (typeof like.aborted === 'boolean' && typeof like.addEventListener === 'function') return SIGNAL;
  }
  throw new TypeError(
    `select: branch ${JSON.stringify(name)} is ${show(branch)}; a branch is a source (token, receiver, timer, task), ` +
      'an AbortSignal, a promise, a function that returns one, match(…), or false, null or undefined to switch it off',
  );
}

/**
 * Tells `else` from the branches.
 *
 * @throws TypeError when it is no function, and for a name that JavaScript would move to the front
 */
export function isElse(name: string, branch: unknown): boolean {
  if (name === 'else') {
    if (branch === undefined || typeof branch === 'function') return true;
    throw new TypeError(`select: else must be a function, got ${show(branch)}`);
  }
  // Names that begin with a letter, which are nearly all, are told by one comparison.
  if (name.charCodeAt(0) > 57 || String(Number(name)) !== name) return false;
  throw new TypeError(
    `select: the branch name ${JSON.stringify(name)} is a number, and JavaScript moves numbers to the front; choose another`,
  );
}

/** @throws TypeError when there are no branches to look at */
export function checkBranches(branches: unknown): void {
  const isOne =
    isSource(branches) ||
    isThenable(branches) ||
    typeof (branches as Partial<AbortSignal> | null)?.aborted === 'boolean';
  if (typeof branches === 'object' && branches !== null && !Array.isArray(branches) && !isOne) return;
  const write = Array.isArray(branches)
    ? 'Give each branch a name: select({ first: a, second: b }); the outcome says which one won'
    : 'Write select({ name: branch, … }); to wait for one thing alone, await it';
  throw new TypeError(`select: expected an object of branches by name, got ${show(branches)}. ${write}`);
}
