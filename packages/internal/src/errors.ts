/** Marks errors of these packages by name, so that a second copy of a package recognises them. */
const brand: symbol = Symbol.for('quiesce.error');

/**
 * Gives an error class its name and its brand. They are on the prototype, since own fields would be printed with each error.
 *
 * Called as the initializer of a static field and marked as pure: see `defineDispose`.
 *
 * @returns the prototype
 */
export function nameError(type: { readonly prototype: Error }, name: string): object {
  return Object.defineProperties(type.prototype, { name: { value: name, writable: true }, [brand]: { value: name } });
}

/** Whether `error` is of the class of that name, of any copy. Never throws. */
export function isNamed(error: unknown, name: string): boolean {
  try {
    return (error as { [brand]?: unknown } | null | undefined)?.[brand as never] === name;
  } catch {
    return false;
  }
}

/** Whether `value` is an error, of any realm. Never throws. */
export function isError(value: unknown): value is Error {
  try {
    return value instanceof Error || Object.prototype.toString.call(value) === '[object Error]';
  } catch {
    return false;
  }
}
