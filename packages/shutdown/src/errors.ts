import { nameError } from '@quiesce/internal';

/**
 * A hook cannot stand where it was to be registered; nothing was registered.
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
  /** The hook that was refused. */
  readonly hook: string;
  /**
   * `taken`: there is a hook of that name. `unknown`: `after` names one that there is not. `cycle`: it would have to run
   * after itself. `phase`: `after` names one of a later phase.
   */
  readonly why: 'taken' | 'unknown' | 'cycle' | 'phase';

  /** @internal */
  constructor(hook: string, why: 'taken' | 'unknown' | 'cycle' | 'phase', text: string) {
    super(`hook ${JSON.stringify(hook)}: ${text}`);
    this.hook = hook;
    this.why = why;
  }
}
