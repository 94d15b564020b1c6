import { defineInspect, type Facts } from './inspect.ts';
import { defineSource, guardMethods } from './misused.ts';

/** Completes the class of a handle. */
interface Completion<T> {
  /** The name of a handle in examples, such as `sender`. */
  readonly name: string;
  /** Whether an object is one of the class. Only a private field shows it: a proxy has the prototype, too. */
  readonly owns: (value: object) => boolean;
  /** Returns the handle's source protocol. */
  readonly source?: (handle: T) => object;
  /** The method that is the same as `Symbol.dispose`, or as `Symbol.asyncDispose`. */
  readonly dispose?: string;
  readonly asyncDispose?: string;
  /** The facts that `console.log` and `JSON.stringify` show. */
  readonly facts: (handle: T) => Facts;
  /** Internal methods, and methods called so often that they check their `this` themselves. */
  readonly unguarded?: readonly string[];
}

/**
 * Completes the class of a handle. Its methods and getters refuse a wrong `this` with a helpful error, it prints its facts, and
 * it can be disposed.
 *
 * Called as the initializer of a static field and marked as pure: see `defineDispose`.
 *
 * @returns the prototype
 */
export function defineHandle<T extends object>(
  type: { readonly name: string; readonly prototype: T },
  { name, owns, source, dispose, asyncDispose, facts, unguarded }: Completion<T>,
): object {
  guardMethods(type, name, owns, unguarded);
  if (source !== undefined) defineSource(type, name, owns, source);
  if (dispose !== undefined) defineDispose(type, dispose);
  if (asyncDispose !== undefined) defineDispose(type, asyncDispose, 'asyncDispose');
  return defineInspect(type, facts);
}

/** The part of a class that is needed to complete it. */
interface Class {
  readonly prototype: object;
}

/**
 * Gives a class its `Symbol.dispose` (or `Symbol.asyncDispose`) method: the same function as its named twin.
 *
 * The only place that handles platforms without these symbols (Safari): the key is then the one that down-levelled `using`
 * looks for, and no global is patched.
 *
 * All functions that complete a class are called as the initializer of a static field, and marked as pure. A statement after
 * the class would keep the class in every program that bundles the package.
 *
 * @returns the prototype
 */
export function defineDispose(type: Class, twin: string, symbol: 'dispose' | 'asyncDispose' = 'dispose'): object {
  const key = (Symbol as unknown as Record<string, symbol | undefined>)[symbol] ?? Symbol.for(`Symbol.${symbol}`);
  return Object.defineProperty(type.prototype, key, { value: Reflect.get(type.prototype, twin) });
}
