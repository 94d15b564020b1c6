import { CancellationToken, isSource, type Source, type SourceProtocol, source } from '@quiesce/cancellation-token';
import { isThenable, show } from '@quiesce/internal';
import { isMatch, pattern } from './pattern.ts';

/** The kinds of branches. `MATCH` is combined with the kind of the branch inside. */
export const OFF = 0;
const SOURCE = 1;
export const PROMISE = 2;
const SIGNAL = 4;
export const FUNCTION = 8;
export const MATCH = 16;
/** With `SOURCE`: a call such as `rx.recv()`. It may have taken a value, and returns it before any branch is polled. */
export const CALL = 32;

/**
 * Returns the kind of a branch. A source is recognised before a thenable, and a thenable before a function.
 *
 * @throws TypeError when it is no branch
 */
export function kindOf(branch: unknown, name: string): number {
  if (branch === undefined || branch === null || branch === false) return OFF;
  const protocol = protocolIn(branch);
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

/** The protocol of a branch that is a source, otherwise `undefined`. Reads the property once: a getter may check its handle. */
export function protocolIn(branch: unknown): SourceProtocol<unknown> | undefined {
  if ((typeof branch !== 'object' && typeof branch !== 'function') || branch === null) return undefined;
  return (branch as Partial<Source<unknown>>)[source];
}

/** The protocol of a source or a signal, otherwise `undefined`. Starts nothing and registers nothing. */
export function protocolOf(branch: unknown, kind: number): SourceProtocol<unknown> | undefined {
  if (kind & SOURCE) return (branch as Source<unknown>)[source];
  return kind & SIGNAL ? CancellationToken.from(branch as AbortSignal)[source] : undefined;
}

/**
 * Whether a name is an own one, and not inherited. In a `for … in` loop engines optimise this function, and not
 * `Object.hasOwn`. An array of keys would cost more than the rest of the loop.
 */
export function isOwn(branches: object, name: string): boolean {
  // biome-ignore lint/suspicious/noPrototypeBuiltins: see above
  return Object.prototype.hasOwnProperty.call(branches, name);
}

/**
 * Whether an entry of the object is `else`, and no branch.
 *
 * @throws TypeError when `else` is no function, and for a numeric name, which JavaScript would move to the front
 */
export function isElse(name: string, branch: unknown): boolean {
  if (name === 'else') {
    if (branch === undefined || typeof branch === 'function') return true;
    throw new TypeError(`select: else must be a function, got ${show(branch)}`);
  }
  // One comparison decides for names that begin with a letter, as nearly all do.
  if (name.charCodeAt(0) > 57 || String(Number(name)) !== name) return false;
  throw new TypeError(
    `select: the branch name ${JSON.stringify(name)} is a number, and JavaScript moves numbers to the front; choose another`,
  );
}

/**
 * Returns the kind of a single branch.
 *
 * @throws TypeError with the name of the call when it is no branch
 */
export function kindFor(call: string, branch: unknown, first?: string): number {
  try {
    return kindOf(branch, '');
  } catch {
    throw wrongBranch(call, branch, first);
  }
}

/** @param first the parameter before the branch in that call, if there is one */
export function wrongBranch(call: string, branch: unknown, first?: string): TypeError {
  const hint = first === undefined ? '' : `; write ${call}(${first}, work)`;
  return new TypeError(
    `${call}: expected a source, an AbortSignal, a promise or a function, got ${show(branch)}${hint}`,
  );
}

/** @throws TypeError when the argument is no object */
export function checkBranches(branches: unknown): void {
  if (typeof branches !== 'object' || branches === null) throw noBranches(branches);
}

/**
 * The error for a branch, a list, a Map or a Date in place of an object of branches; `undefined` for an object of branches.
 * Called only when a name is wrong or the object is empty, so that a correct select does not pay for it.
 */
export function wrongBranches(branches: unknown): TypeError | undefined {
  const isObject = Object.prototype.toString.call(branches) === '[object Object]';
  return isObject && !isSource(branches) && !isThenable(branches) ? undefined : noBranches(branches);
}

/** @throws TypeError when there is no branch because `branches` is itself a source, a promise or a list */
export function checkNotEmpty(branches: unknown): void {
  const wrong = wrongBranches(branches);
  if (wrong !== undefined) throw wrong;
}

function noBranches(branches: unknown): TypeError {
  const write = Array.isArray(branches)
    ? 'Give each branch a name: select({ first: a, second: b }); the outcome says which one won'
    : 'Write select({ name: branch, … }); to wait for one thing alone, await it';
  return new TypeError(`select: expected an object of branches by name, got ${show(branches)}. ${write}`);
}
