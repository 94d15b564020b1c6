import { defineHandle } from '@quiesce/internal';

/**
 * Cancels its token when it is disposed, so that work started in a block stops whether the block returns or throws.
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
  /** Does the same as `dispose`. */
  declare readonly [Symbol.dispose]: () => void;

  /** @internal */
  constructor(token: T) {
    this.token = token;
  }

  /** Deactivates the guard and returns the token. Idempotent. */
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
