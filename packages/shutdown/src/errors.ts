import { nameError } from '@quiesce/internal';

/**
 * Thrown by `hook` when a hook cannot be registered under its name or in its order. Nothing was registered.
 *
 * @example
 * ```ts
 * const shutdown = new Shutdown();
 * try {
 *   shutdown.hook('http', () => {}, { after: ['htpp'] });
 * } catch (error) {
 *   console.log((error as HookError).why); // => unknown
 * }
 * ```
 */
export class HookError extends Error {
  /** @internal See `nameError`. */
  static readonly completed: object = /* @__PURE__ */ nameError(HookError, 'HookError');
  /** Always `HookError`. */
  declare readonly name: 'HookError';
  /** Always `ERR_HOOK`. */
  readonly code = 'ERR_HOOK' as const;
  /** The name of the hook that was refused. */
  readonly hook: string;
  /**
   * `taken`: another hook has the name. `unknown`: `after` names a hook that is not registered. `cycle`: the hook would have to
   * run after itself. `phase`: `after` names a hook of a later phase.
   */
  readonly why: 'taken' | 'unknown' | 'cycle' | 'phase';

  /** @internal */
  constructor(hook: string, why: 'taken' | 'unknown' | 'cycle' | 'phase', text: string) {
    super(`hook ${JSON.stringify(hook)}: ${text}`);
    this.hook = hook;
    this.why = why;
  }
}
