/** The branch of the latest `select` that rejected with an object. */
const branches: WeakMap<object, string> = new WeakMap();

/**
 * Names the branch whose failure the latest `select` to reject with this very object had rejected with.
 *
 * **Timing.** Synchronous.
 *
 * @param error what was caught
 * @returns the branch's name; `undefined` for a primitive and for what no `select` has rejected with
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

/** Remembers the branch for `branchOf`. */
export function blame(error: unknown, branch: string): void {
  if (isObject(error)) branches.set(error, branch);
}

/** Forgets a branch: this time the error is not that of a branch. */
export function absolve(error: unknown): void {
  if (isObject(error)) branches.delete(error);
}

function isObject(value: unknown): value is object {
  return (typeof value === 'object' && value !== null) || typeof value === 'function';
}
