import { toText } from './show.ts';

/** The key under which Node, Bun and Deno look for a value's own way of printing. */
const custom: symbol = /* @__PURE__ */ Symbol.for('nodejs.util.inspect.custom');

/** The facts that a handle shows; entries that are `undefined` are left out. */
export type Facts = Readonly<Record<string, unknown>>;

/**
 * Gives a class three views that show facts instead of internals:
 *
 *  - `console.log` prints `Semaphore { availablePermits: 2, isClosed: false }`;
 *  - `JSON.stringify` writes the facts, and objects among them as texts: loggers neither throw nor dump payloads;
 *  - `Object.prototype.toString` returns `[object Semaphore]`, which keeps reactive libraries (Vue) from wrapping it in a
 *    proxy.
 *
 * Called as the initializer of a static field and marked as pure: see `defineDispose`.
 *
 * @param facts reads them from a handle, and may throw for any other object, such as the prototype
 * @returns the prototype
 */
export function defineInspect<T extends object>(
  type: { readonly name: string; readonly prototype: T },
  facts: (handle: T) => Facts,
): object {
  // An object of a class of the same name, so that the printer handles depth, colours and indentation.
  const PrintedClass = { [type.name]: class {} }[type.name] as new () => object;
  const entriesOf = (handle: T): [string, unknown][] => {
    try {
      return Object.entries(facts(handle)).filter(([, value]) => value !== undefined);
    } catch {
      return [];
    }
  };
  const define = (key: string | symbol, value: unknown): void => {
    Object.defineProperty(type.prototype, key, { value, configurable: true, writable: true });
  };
  define(Symbol.toStringTag, type.name);
  define(custom, function inspectFacts(this: T): object {
    return Object.assign(new PrintedClass(), Object.fromEntries(entriesOf(this)));
  });
  define('toJSON', function toJSON(this: T): object {
    return Object.fromEntries(entriesOf(this).map(([key, value]) => [key, jsonOf(value)]));
  });
  return type.prototype;
}

/** Returns a value that JSON can write: reasons and keys may have any type. */
function jsonOf(value: unknown): unknown {
  const type = typeof value;
  if (value === null || type === 'string' || type === 'number' || type === 'boolean' || value instanceof Date)
    return value;
  return toText(value);
}
