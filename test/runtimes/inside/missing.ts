// Stand-ins for features that a runtime lacks. A test that uses one is skipped, and the stand-in's name is the reason.

/** Thrown when a test uses a feature that its runtime lacks. */
class MissingError extends Error {
  override readonly name = 'MissingError';
}

/** The missing features that the current test has used. */
export const used: Set<string> = new Set();
let isLoading = true;

/** While a test file loads, stand-ins may be called and passed on. A test is skipped only for features that it uses itself. */
export function setLoading(value: boolean): void {
  isLoading = value;
  used.clear();
}

/** Records that the current test needs `what`, also when the test catches the error. */
export function touch(what: string): never {
  used.add(what);
  throw new MissingError(`needs ${what}`);
}

/** Stands for a value that the runtime lacks, and for every value that is read from it or returned by it. */
export function missing(what: string): unknown {
  const use = (): unknown => (isLoading ? missing(what) : touch(what));
  return new Proxy(function standIn() {}, {
    get: (_, name) => {
      if (name === Symbol.toPrimitive) return () => what;
      // An iterator or a promise made of stand-ins would never end.
      if (name === 'then' && isLoading) return undefined;
      return name === Symbol.iterator || name === Symbol.asyncIterator ? touch(what) : use();
    },
    apply: use,
    construct: () => use() as object,
    has: () => use() !== undefined,
    set: () => use() !== undefined,
    ownKeys: (target) => (isLoading ? Reflect.ownKeys(target) : touch(what)),
    getOwnPropertyDescriptor: (target, name) =>
      isLoading ? Reflect.getOwnPropertyDescriptor(target, name) : touch(what),
  });
}
