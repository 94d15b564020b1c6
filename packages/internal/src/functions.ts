/** Does nothing, on purpose. One function, since a bundler numbers several of one name, and stacks show that. */
export function ignore(): void {}

/**
 * A function that has members, such as `select` with `select.biased`, and the name that stacks and logs show.
 *
 * Called for the value of a constant and marked as pure.
 */
export function callable<F extends object, M extends object>(name: string, fn: F, members: M): F & M {
  return Object.assign(Object.defineProperty(fn, 'name', { value: name }), members);
}
