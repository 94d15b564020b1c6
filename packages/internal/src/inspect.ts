import { toText } from './show.ts';

/** The key under which Node, Bun and Deno look for the way in which a value wants to be printed. */
const custom: symbol = /* @__PURE__ */ Symbol.for('nodejs.util.inspect.custom');

/** What one wants to know of a handle; entries that are `undefined` are left out. */
export type Facts = Readonly<Record<string, unknown>>;

/**
 * Gives a class three views that show facts instead of internals:
 *
 *  - `console.log` prints `Semaphore { availablePermits: 2, isClosed: false }`;
 *  - `JSON.stringify` writes the facts, and objects among them as texts: loggers neither throw nor dump payloads;
 *  - `Object.prototype.toString` says `[object Semaphore]`, which keeps reactive libraries (Vue) from wrapping it in a proxy.
 *
 * Called for the value of a static field and marked as pure: see `defineDispose`.
 *
 * @param facts reads them from a handle, and may throw for what is none, such as the prototype
 * @returns the prototype
 */
export function defineInspect<T extends object>(
  type: { readonly name: string; readonly prototype: T },
  facts: (handle: T) => Facts,
): object {
  // An object of an own class of the same name: so the printer cares for depth, colours and indentation.
  const View = { [type.name]: class {} }[type.name] as new () => object;
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
    return Object.assign(new View(), Object.fromEntries(entriesOf(this)));
  });
  define('toJSON', function toJSON(this: T): object {
    return Object.fromEntries(entriesOf(this).map(([key, value]) => [key, jsonOf(value)]));
  });
  return type.prototype;
}

/** A value that JSON can write: reasons and keys may be anything. */
function jsonOf(value: unknown): unknown {
  const type = typeof value;
  if (value === null || type === 'string' || type === 'number' || type === 'boolean' || value instanceof Date)
    return value;
  return toText(value);
}
