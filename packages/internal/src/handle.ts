import { defineInspect, type Facts } from './inspect.ts';
import { defineSource, guardMethods } from './misused.ts';

/** What completes the class of a handle. */
interface Completion<T> {
  /** How examples call a handle of the class, such as `sender`. */
  readonly name: string;
  /** Whether an object is one of the class. Only a private field can say: a proxy has the prototype, too. */
  readonly owns: (value: object) => boolean;
  /** What the handle is as a source. */
  readonly source?: (handle: T) => object;
  /** The method that is the same as `Symbol.dispose`, or as `Symbol.asyncDispose`. */
  readonly dispose?: string;
  readonly asyncDispose?: string;
  /** What `console.log` and `JSON.stringify` show. */
  readonly facts: (handle: T) => Facts;
  /** Methods that are called so often that they check for themselves on what they are called, and internal ones. */
  readonly unguarded?: readonly string[];
}

/**
 * Completes the class of a handle: its methods and getters refuse a wrong `this` in words, it prints its facts, and can be disposed.
 *
 * Called for the value of a static field and marked as pure: see `defineDispose`.
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
