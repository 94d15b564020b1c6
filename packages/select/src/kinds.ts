import { isSource, type Source, type SourceProtocol, source } from '@quiesce/cancellation-token';
import { isThenable, show } from '@quiesce/internal';
import { isMatch, pattern } from './pattern.ts';

/** What a branch is; a pattern also carries what it is a pattern for. */
export const OFF = 0;
export const SOURCE = 1;
export const PROMISE = 2;
export const SIGNAL = 4;
export const FUNCTION = 8;
export const MATCH = 16;
/** With `SOURCE`: a call such as `rx.recv()`, which may have taken a value, and gives it back before anything is polled. */
export const CALL = 32;

/**
 * Tells what a branch is: a source before a thenable, a thenable before a function.
 *
 * @throws TypeError when it is nothing that a branch can be
 */
export function kindOf(branch: unknown, name: string): number {
  if (branch === undefined || branch === null || branch === false) return OFF;
  const protocol = sourceIn(branch);
  if (protocol !== undefined) return protocol.defer === undefined ? SOURCE : SOURCE | CALL;
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

/** The protocol of a branch that is a source. One reading: a getter may check its handle. */
export function sourceIn(branch: unknown): SourceProtocol<unknown> | undefined {
  if ((typeof branch !== 'object' && typeof branch !== 'function') || branch === null) return undefined;
  return (branch as Partial<Source<unknown>>)[source];
}

/**
 * Whether a name is of the literal itself, and not inherited. In a loop with `for … in` engines know this function, and not
 * `Object.hasOwn`; an array of keys would cost more than the look.
 */
export function isOwn(branches: object, name: string): boolean {
  // biome-ignore lint/suspicious/noPrototypeBuiltins: see above
  return Object.prototype.hasOwnProperty.call(branches, name);
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

/**
 * What the one branch is that a call was given.
 *
 * @throws TypeError in the name of that call when it is nothing that a branch can be
 */
export function kindFor(call: string, branch: unknown, first?: string): number {
  try {
    return kindOf(branch, '');
  } catch {
    throw wrongBranch(call, branch, first);
  }
}

/** @param first what stands before the branch in the call, if anything */
export function wrongBranch(call: string, branch: unknown, first?: string): TypeError {
  const hint = first === undefined ? '' : `; write ${call}(${first}, work)`;
  return new TypeError(
    `${call}: expected a source, an AbortSignal, a promise or a function, got ${show(branch)}${hint}`,
  );
}

/** @throws TypeError when there are no branches to look at */
export function checkBranches(branches: unknown): void {
  if (typeof branches !== 'object' || branches === null) throw noBranches(branches);
}

/**
 * The error for one branch, a list of them, a Map or a Date in place of an object of branches; `undefined` for such an object.
 * Asked when something is wrong with the names or nothing is there, so that a select which is right does not pay for it.
 */
export function wrongBranches(branches: unknown): TypeError | undefined {
  const isObject = Object.prototype.toString.call(branches) === '[object Object]';
  return isObject && !isSource(branches) && !isThenable(branches) ? undefined : noBranches(branches);
}

function noBranches(branches: unknown): TypeError {
  const write = Array.isArray(branches)
    ? 'Give each branch a name: select({ first: a, second: b }); the outcome says which one won'
    : 'Write select({ name: branch, … }); to wait for one thing alone, await it';
  return new TypeError(`select: expected an object of branches by name, got ${show(branches)}. ${write}`);
}
