import { nameError } from '@quiesce/internal';
import type { Cause } from 'effect';

/**
 * An Effect ended with several failures or defects. `errors` holds all of them, in Effect's order.
 *
 * @example
 * ```ts
 * import { Effect } from 'effect';
 *
 * const work = Effect.ensuring(Effect.fail('work'), Effect.die('cleanup'));
 * await runEffect(work).catch((error) => console.log(error.code, error.errors)); // => ERR_CAUSE [ 'work', 'cleanup' ]
 * ```
 */
export class CauseError extends AggregateError {
  /** @internal See `nameError`. */
  static readonly completed: object = /* @__PURE__ */ nameError(CauseError, 'CauseError');
  /** Always `CauseError`. */
  declare readonly name: 'CauseError';
  /** Always `ERR_CAUSE`. */
  readonly code = 'ERR_CAUSE' as const;
  /** The cause of the Effect. It also shows which errors were defects, and which fiber interrupted. */
  declare readonly cause: Cause.Cause<unknown>;

  /** @internal */
  constructor(errors: readonly unknown[], cause: Cause.Cause<unknown>) {
    const count = errors.length === 0 ? 'no failure' : `${errors.length} failures`;
    super(errors, `The Effect ended with ${count}; see .errors, and .cause for Effect's own`, { cause });
  }
}
