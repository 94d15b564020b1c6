/** An object whose methods are operations. */
export type Wrapped<Api extends object> = {
  readonly [Key in keyof Api]: Api[Key] extends (...args: infer Args) => infer Value
    ? (...args: Args) => Promise<Awaited<Value>>
    : Api[Key];
};

type Method = (...args: unknown[]) => unknown;

/**
 * Returns a proxy whose methods are made by `wrap`, once each. Other properties are those of the object.
 */
export function wrapMethods<Api extends object>(api: Api, wrap: (name: string, fn: Method) => Method): Wrapped<Api> {
  const made = new Map<string | symbol, { from: unknown; method: Method }>();
  return new Proxy(api, {
    get(target, key) {
      const value: unknown = Reflect.get(target, key, target);
      if (typeof value !== 'function' || typeof key === 'symbol' || key === 'constructor') return value;
      const known = made.get(key);
      if (known !== undefined && known.from === value) return known.method;
      const method = wrap(key, (...args) => Reflect.apply(value, target, args));
      made.set(key, { from: value, method });
      return method;
    },
  }) as Wrapped<Api>;
}
