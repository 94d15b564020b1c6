import { show } from './show.ts';
import { SOURCE } from './symbols.ts';

/**
 * Returns the error for a method that runs on something other than its handle: the method was passed on without the handle, or
 * the handle is behind a proxy or was copied.
 *
 * @param prototype the prototype of the handle's class
 * @param handle the name of a handle in examples, such as `token`
 * @param call the name of the method
 * @param value the value that the method was called on
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
 * Makes the methods and getters of a class refuse a wrong `this` with a helpful error. Each call costs some nanoseconds more: a
 * method that is called very often checks for itself.
 *
 * Called as the initializer of a static field and marked as pure, before `defineDispose`: see there.
 *
 * @param handle the name of a handle in examples, such as `guard`
 * @param owns whether an object is one of the class; only a private field shows it
 * @param unguarded the names of methods that check for themselves, and of internal getters
 * @returns the prototype
 */
export function guardMethods(
  type: { readonly prototype: object },
  handle: string,
  owns: (value: object) => boolean,
  unguarded: readonly string[] = [],
): object {
  const { prototype } = type;
  for (const [key, { value, get }] of Object.entries(Object.getOwnPropertyDescriptors(prototype))) {
    const act: unknown = get ?? value;
    if (key === 'constructor' || typeof act !== 'function' || unguarded.includes(key)) continue;
    const guarded = {
      [key](this: unknown, ...args: unknown[]): unknown {
        if (typeof this !== 'object' || this === null || !owns(this)) throw misused(prototype, handle, key, this);
        return Reflect.apply(act, this, args);
      },
    };
    const method = guarded[key] as () => unknown;
    const how = get === undefined ? { value: method, writable: true } : { get: method };
    Object.defineProperty(prototype, key, { ...how, configurable: true });
  }
  return prototype;
}

/**
 * Makes a class a source. A proxy or a copy of an instance is refused: a waiter parked there would never be woken.
 *
 * Called as the initializer of a static field and marked as pure: see `defineDispose`.
 *
 * @param read returns the protocol
 * @returns the prototype
 */
export function defineSource<T extends object>(
  { prototype }: { readonly prototype: T },
  handle: string,
  owns: (value: object) => boolean,
  read: (handle: T) => object,
): object {
  return Object.defineProperty(prototype, SOURCE, {
    get(this: T) {
      if (!owns(this)) throw misused(prototype, handle, 'select', this);
      return read(this);
    },
  });
}
