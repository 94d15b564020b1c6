/** For each error object, the branch of the latest `select` that rejected with it. */
const branches: WeakMap<object, string> = new WeakMap();

/**
 * Returns the name of the branch that failed with this error object, in the latest `select` that rejected with it.
 *
 * **Timing.** Synchronous.
 *
 * @param error the caught error
 * @returns the branch's name; `undefined` for a primitive, and for an object that no `select` has rejected with
 * @example
 * ```ts
 * try {
 *   await select({ disk: Promise.reject(new Error('full')) });
 * } catch (error) {
 *   console.log(branchOf(error)); // => disk
 * }
 * ```
 */
export function branchOf(error: unknown): string | undefined {
  return isObject(error) ? branches.get(error) : undefined;
}

/** Sets the branch for `branchOf`. */
export function setBranch(error: unknown, branch: string): void {
  if (isObject(error)) branches.set(error, branch);
}

/** Clears the branch: the latest rejection with this error came from no branch. */
export function clearBranch(error: unknown): void {
  if (isObject(error)) branches.delete(error);
}

function isObject(value: unknown): value is object {
  return (typeof value === 'object' && value !== null) || typeof value === 'function';
}
