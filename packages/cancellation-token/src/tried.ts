/**
 * Result of a `try…` call: the value, or the reason why there is none.
 *
 * Every `try…` call returns at once. A result is always an object, so test its `ok`: `if (lock.tryAcquire())` is always true.
 * The `value` is `undefined` where there is nothing to return, as for `trySend`.
 *
 * @see the `Result` of Tokio's `try_` methods (tokio 1.53)
 * @example
 * ```ts
 * const lock = new Mutex();
 *
 * function flush(): string {
 *   const tried = lock.tryAcquire();
 *   if (!tried.ok) return tried.why;
 *   using guard = tried.value;
 *   return 'flushed';
 * }
 * console.log(flush()); // => flushed
 * await lock.acquire();
 * console.log(flush()); // => locked
 * ```
 */
export type Tried<T, Why extends string> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly why: Why };
