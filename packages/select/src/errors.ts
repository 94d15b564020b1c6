import { nameError } from '@quiesce/internal';
import type { AnyOutcome } from './branches.ts';

/**
 * `select` could not give one outcome, or one error, without losing another error.
 *
 * Either every branch was off and there was no `else` (then `errors` is empty), or functions that had lost failed with
 * errors of their own: `errors` holds them, behind the error of the winning branch if that had failed; `outcome` is
 * what had won otherwise.
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
  /** What had won; `undefined`: nothing, or a failure, which is then the first of `errors`. */
  readonly outcome: AnyOutcome | undefined;

  /** @internal */
  constructor(message: string, errors: readonly unknown[], outcome?: AnyOutcome) {
    super(errors, message);
    this.outcome = outcome;
  }
}
