import { show } from './show.ts';

/**
 * The error for a method that runs on something else than its handle: it was passed on without the handle, or the handle
 * stands behind a proxy or was copied.
 *
 * @param prototype the prototype of the handle's class
 * @param handle how examples call a handle of the class, such as `token`
 * @param call the name of the method
 * @param value what the method was called on
 */
export function misused(prototype: object, handle: string, call: string, value: unknown): TypeError {
  const isImitation =
    typeof value === 'object' && value !== null && Object.prototype.isPrototypeOf.call(prototype, value);
  return new TypeError(
    isImitation
      ? `${call}: this is a proxy or a copy of a ${handle}; use the ${handle} itself, and keep it out of reactive state (Vue: markRaw)`
      : `${call} was called without its ${handle}, on ${show(value)}: pass a function that calls ${handle}.${call}()`,
  );
}

/**
 * Lets the methods of a class refuse a wrong `this` in words. Each call costs some nanoseconds more: a method that is called
 * very often checks for itself.
 *
 * Called for the value of a static field and marked as pure, before `defineDispose`: see there.
 *
 * @param handle how examples call a handle of the class, such as `guard`
 * @param owns whether an object is one of the class, which only a private field can say
 * @param unguarded the names of methods that check for themselves
 * @returns the prototype
 */
export function guardMethods(
  type: { readonly prototype: object },
  handle: string,
  owns: (value: object) => boolean,
  unguarded: readonly string[] = [],
): object {
  const { prototype } = type;
  for (const [key, { value: method }] of Object.entries(Object.getOwnPropertyDescriptors(prototype))) {
    if (key === 'constructor' || typeof method !== 'function' || unguarded.includes(key)) continue;
    const guarded = {
      [key](this: unknown, ...args: unknown[]): unknown {
        if (typeof this !== 'object' || this === null || !owns(this)) throw misused(prototype, handle, key, this);
        return Reflect.apply(method, this, args);
      },
    };
    Object.defineProperty(prototype, key, { value: guarded[key], configurable: true, writable: true });
  }
  return prototype;
}
