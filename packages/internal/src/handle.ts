import { defineDispose } from './dispose.ts';
import { defineInspect, type Facts } from './inspect.ts';
import { guardMethods } from './misused.ts';

/** What completes the class of a handle. */
interface Completion<T> {
  /** How examples call a handle of the class, such as `sender`. */
  readonly name: string;
  /** The method that is the same as `Symbol.dispose`; left out where there is none. */
  readonly dispose?: string;
  /** What `console.log` and `JSON.stringify` show. */
  readonly facts: (handle: T) => Facts;
  /** Methods that are called so often that they check for themselves on what they are called, and internal ones. */
  readonly unguarded?: readonly string[];
}

/**
 * Completes the class of a handle: its methods refuse a wrong `this` in words, it prints its facts, and can be disposed.
 *
 * Called for the value of a static field and marked as pure: see `defineDispose`.
 *
 * @returns the prototype
 */
export function defineHandle<T extends object>(
  type: { readonly name: string; readonly prototype: T },
  { name, dispose, facts, unguarded }: Completion<T>,
): object {
  const { prototype } = type;
  guardMethods(type, name, (value) => Object.prototype.isPrototypeOf.call(prototype, value), unguarded);
  if (dispose !== undefined) defineDispose(type, dispose);
  return defineInspect(type, facts);
}
