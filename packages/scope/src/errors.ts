import { nameError } from '@quiesce/internal';

/**
 * Several things failed in one scope; `errors` holds them all, in order of failure.
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
  /** Always `ScopeError`. */
  declare readonly name: 'ScopeError';
  /** Always `ERR_SCOPE`. */
  readonly code = 'ERR_SCOPE' as const;

  /** @internal */
  constructor(scopeName: string | undefined, errors: readonly unknown[]) {
    const where = scopeName === undefined ? 'a scope' : `scope ${JSON.stringify(scopeName)}`;
    super(errors, `${errors.length} failures in ${where}; see .errors, which holds them in order of failure`);
  }
}
nameError(ScopeError, 'ScopeError');
