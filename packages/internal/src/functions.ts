/** Does nothing. One function, since a bundler numbers several of the same name, and stacks show the numbers. */
export function ignore(): void {}

/**
 * Returns a function that has members, such as `select` with `select.biased`, under the name that stacks and logs show.
 *
 * Called as the initializer of a constant and marked as pure.
 */
export function callable<F extends object, M extends object>(name: string, fn: F, members: M): F & M {
  return Object.assign(Object.defineProperty(fn, 'name', { value: name }), members);
}
