/** All that completing a class needs of it. */
interface Class {
  readonly prototype: object;
}

/**
 * Gives a class its `Symbol.dispose` (or `Symbol.asyncDispose`) method: the very function of its named twin.
 *
 * The one place that knows that these symbols may be missing (Safari): the key is then the one that down-levelled
 * `using` looks for, and no global is patched.
 *
 * Called, as all that completes a class is, for the value of a static field and marked as pure: behind the class it would
 * be a statement, and keep the class in every program that bundles the package.
 *
 * @returns the prototype
 */
export function defineDispose(type: Class, twin: string, symbol: 'dispose' | 'asyncDispose' = 'dispose'): object {
  const key = (Symbol as unknown as Record<string, symbol | undefined>)[symbol] ?? Symbol.for(`Symbol.${symbol}`);
  return Object.defineProperty(type.prototype, key, { value: Reflect.get(type.prototype, twin) });
}
