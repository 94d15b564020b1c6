import { nameError, toText } from '@quiesce/internal';

/**
 * Work failed as often as it may. `errors` holds the failures in order, and `cause` is the last one.
 *
 * `retry` rejects with it when its attempts or its time are used up. A task with `restart` fails with it when it has failed too
 * often within the given time.
 *
 * @example
 * ```ts
 * const error = await retry(() => Promise.reject(new Error('offline')), { attempts: 2, delay: 1 }).catch((error) => error);
 * console.log(error.code, error.attemptCount, error.cause.message); // => ERR_RETRY 2 offline
 * ```
 */
export class RetryError extends AggregateError {
  /** @internal See `nameError`. */
  static readonly completed: object = /* @__PURE__ */ nameError(RetryError, 'RetryError');
  /** Always `RetryError`. */
  declare readonly name: 'RetryError';
  /** Always `ERR_RETRY`. */
  readonly code = 'ERR_RETRY' as const;
  /** How often the work was started. */
  readonly attemptCount: number;

  /**
   * @param text the call that gave up, and why
   * @param errors the failures, in order
   * @param attemptCount how often the work was started
   */
  constructor(text: string, errors: readonly unknown[], attemptCount: number) {
    const last = errors.at(-1);
    super(errors, errors.length === 0 ? text : `${text}; the last error: ${toText(last)}`, { cause: last });
    this.attemptCount = attemptCount;
  }
}
