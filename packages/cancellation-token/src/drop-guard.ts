import { defineHandle } from '@quiesce/internal';

/**
 * Cancels its token when it is disposed: whatever happens in a block, the work that it started is told to stop.
 *
 * @see tokio_util::sync::DropGuard (tokio-util 0.7.19)
 * @example
 * ```ts
 * const token = new CancellationToken();
 * const guard = token.dropGuard();
 * guard.disarm();
 * guard.dispose();
 * console.log(token.isCancelled); // => false
 * ```
 */
export class DropGuard<T extends { cancel(): boolean }> implements Disposable {
  /** @internal See `defineHandle`. */
  static readonly completed: object = /* @__PURE__ */ defineHandle(DropGuard, {
    name: 'guard',
    owns: (value) => #armed in value,
    dispose: 'dispose',
    facts: ({ token }) => ({ token }),
  });
  /** The guarded token, to be read and passed on. */
  readonly token: T;
  /** Cleared by `disarm` and by `dispose`. */
  #armed = true;
  /** The same as `dispose`. */
  declare readonly [Symbol.dispose]: () => void;

  /** @internal */
  constructor(token: T) {
    this.token = token;
  }

  /** Makes the guard harmless and gives the token back. Idempotent. */
  disarm(): T {
    this.#armed = false;
    return this.token;
  }

  /** Cancels the token, unless disarmed. Synchronous, idempotent. */
  dispose(): void {
    if (!this.#armed) return;
    this.#armed = false;
    this.token.cancel();
  }
}
