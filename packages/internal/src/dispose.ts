/**
 * Gives `prototype` its `Symbol.dispose` (or `Symbol.asyncDispose`) method: the very function of its named twin.
 *
 * The one place that knows that these symbols may be missing (Safari): the key is then the one that down-levelled
 * `using` looks for, and no global is patched.
 */
export function defineDispose(prototype: object, twin: string, symbol: 'dispose' | 'asyncDispose' = 'dispose'): void {
  const key = (Symbol as unknown as Record<string, symbol | undefined>)[symbol] ?? Symbol.for(`Symbol.${symbol}`);
  Object.defineProperty(prototype, key, { value: Reflect.get(prototype, twin) });
}
