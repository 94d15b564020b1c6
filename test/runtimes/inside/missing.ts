// What this runtime does not have. A test that touches any of it is skipped, by its name and with that as the reason, whatever
// else becomes of it. So no list of tests has to be kept: what a test needs is what it uses.

/** Thrown at whoever uses what is not there. */
export class MissingError extends Error {
  override readonly name = 'MissingError';
}

/** Who is running: a test, a suite with its hooks, or the module while its tests are collected. */
export type Owner = object;

const touched = new WeakMap<Owner, Set<string>>();
const touchedWhileLoading = new Set<string>();
let owner: Owner | undefined;

/** Says on whose account things are touched from now on; undefined while a file is loaded. */
export function setOwner(next: Owner | undefined): void {
  owner = next;
}

/** What was touched on account of `by`. */
export function touchedBy(by: Owner): ReadonlySet<string> {
  return touched.get(by) ?? new Set();
}

/** What was touched before any test ran: what keeps a file from loading. */
export function touchedAtLoad(): ReadonlySet<string> {
  return touchedWhileLoading;
}

/** Notes that the test under way needs something that is not there. */
export function touch(what: string): never {
  if (owner === undefined) touchedWhileLoading.add(what);
  else touched.set(owner, new Set(touched.get(owner)).add(what));
  throw new MissingError(`it is not in this runtime: ${what}`);
}

/**
 * Stands for something that is not there, and for all that could be had from it. While a file is loaded it may be passed on
 * and called, as `new AsyncLocalStorage()` beside the tests is; inside a test every use is noted, and throws.
 */
export function missing(what: string): unknown {
  const use = (): unknown => (owner === undefined ? missing(what) : touch(what));
  return new Proxy(function standIn() {}, {
    get: (_, name) => {
      if (name === Symbol.toPrimitive) return () => what;
      // Neither can be stood in for: whoever asks wants to go through what there is.
      return name === Symbol.iterator || name === Symbol.asyncIterator ? touch(what) : use();
    },
    apply: use,
    construct: () => use() as object,
    has: () => use() !== undefined,
    set: () => use() !== undefined,
    ownKeys: (target) => (owner === undefined ? Reflect.ownKeys(target) : touch(what)),
    getOwnPropertyDescriptor: (target, name) =>
      owner === undefined ? Reflect.getOwnPropertyDescriptor(target, name) : touch(what),
  });
}

/** A module of which this runtime has only some exports, or none. `standIn` is all of it, for whoever imports it whole. */
export function partial(what: string, exports: object = {}): object {
  const rest = new Proxy(Object.create(null) as object, {
    // Bundlers ask for the first, promises for the second.
    get: (_, name) => (name === '__esModule' || name === 'then' ? undefined : missing(what)),
  });
  return Object.assign(Object.create(rest) as object, { standIn: missing(what) }, exports);
}
