import { nameError } from '@quiesce/internal';
import type { AnyOutcome } from './branches.ts';

/**
 * Thrown when `select` has several errors, or no branch to wait for.
 *
 * `errors` is empty when every branch was off and there was no `else`. Otherwise losing functions failed with errors of their
 * own, and `errors` holds those. If the winning branch failed, its error comes first. If it had a value, `outcome` holds that.
 *
 * @example
 * ```ts
 * const off = false;
 * await select({ job: off }).catch((error) => console.log(error.name, error.code)); // => SelectError ERR_SELECT
 * ```
 */
export class SelectError extends AggregateError {
  /** @internal See `nameError`. */
  static readonly completed: object = /* @__PURE__ */ nameError(SelectError, 'SelectError');
  /** Always `SelectError`. */
  declare readonly name: 'SelectError';
  /** Always `ERR_SELECT`. */
  readonly code = 'ERR_SELECT' as const;
  /** The outcome of the winning branch. `undefined` when no branch won; a failed branch is the first of `errors`. */
  readonly outcome: AnyOutcome | undefined;

  /** @internal */
  constructor(message: string, errors: readonly unknown[], outcome?: AnyOutcome) {
    super(errors, message);
    this.outcome = outcome;
  }
}
