import { nameError, toText } from '@quiesce/internal';
import { quoted } from './options.ts';

/**
 * Several failures in one scope. `errors` holds all of them, in order of failure.
 *
 * @example
 * ```ts
 * await scope(async (s) => {
 *   s.defer(() => Promise.reject(new Error('flush')));
 *   throw new Error('work');
 * }).catch((error) => console.log(error.name, error.errors.length)); // => ScopeError 2
 * ```
 */
export class ScopeError extends AggregateError {
  /** @internal See `nameError`. */
  static readonly completed: object = /* @__PURE__ */ nameError(ScopeError, 'ScopeError');
  /** Always `ScopeError`. */
  declare readonly name: 'ScopeError';
  /** Always `ERR_SCOPE`. */
  readonly code = 'ERR_SCOPE' as const;

  /** @internal */
  constructor(scopeName: string | undefined, errors: readonly unknown[]) {
    const where = scopeName === undefined ? 'a scope' : `scope${quoted(scopeName)}`;
    const count = errors.length === 1 ? 'One failure' : `${errors.length} failures`;
    super(errors, `${count} in ${where}; see .errors, in order of failure`);
  }
}

/**
 * Thrown by `spawn` with `onConflict: 'refuse'` when a task with the same key is running. The new task did not start.
 *
 * @example
 * ```ts
 * await scope(async (s) => {
 *   s.spawn((token) => token.cancelled(), { key: 'sync', daemon: true });
 *   s.spawn(() => {}, { key: 'sync', onConflict: 'refuse' });
 * }).catch((error) => console.log(error.code, error.key)); // => ERR_KEY_CONFLICT sync
 * ```
 */
export class KeyConflictError extends Error {
  /** @internal See `nameError`. */
  static readonly completed: object = /* @__PURE__ */ nameError(KeyConflictError, 'KeyConflictError');
  /** Always `KeyConflictError`. */
  declare readonly name: 'KeyConflictError';
  /** Always `ERR_KEY_CONFLICT`. */
  readonly code = 'ERR_KEY_CONFLICT' as const;
  /** The key of both tasks. */
  readonly key: unknown;

  /** @internal */
  constructor(key: unknown) {
    super(
      `spawn: a task with the key ${toText(key)} is running; await or cancel it, or spawn with onConflict: 'replace'`,
    );
    this.key = key;
  }
}

/**
 * An object was garbage-collected before it was disposed. With `leakDetection`, the uncaught handler gets this error.
 *
 * @example
 * ```ts
 * const forgotten: string[] = [];
 * const before = setUncaughtHandler((error) => {
 *   if (error instanceof LeakError) forgotten.push(error.message);
 * });
 * const tracker = new TaskTracker({ leakDetection: true });
 * tracker.guard().dispose(); // without `dispose` it would be reported, some time after its collection
 * console.log(forgotten); // => []
 * setUncaughtHandler(before);
 * ```
 */
export class LeakError extends Error {
  /** @internal See `nameError`. */
  static readonly completed: object = /* @__PURE__ */ nameError(LeakError, 'LeakError');
  /** Always `LeakError`. */
  declare readonly name: 'LeakError';
  /** Always `ERR_LEAK`. */
  readonly code = 'ERR_LEAK' as const;
  /** The line that created it; `undefined` where the engine has no stacks. */
  readonly site: string | undefined;

  /** @internal */
  constructor(what: string, remedy: string, site: string | undefined) {
    super(`${what} was forgotten: ${remedy}${site === undefined ? '' : `; it was made at ${site}`}`);
    this.site = site;
  }
}
