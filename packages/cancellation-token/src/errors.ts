import { isNamed, nameError } from '@quiesce/internal';

/** The origin of a cancellation. */
export type CancelledSource = 'explicit' | 'signal' | 'sibling' | 'scope' | 'select' | 'shutdown';

/**
 * The default reason of a cancellation, used when `cancel` is called without a reason.
 *
 * It has the platform's name and code, so that code written for `AbortSignal` treats it as an abort. A subclass counts as a
 * cancellation while its `name` is `AbortError`. When work throws a subclass with a `name` of its own, that is a failure.
 *
 * @see the platform's `DOMException` named `AbortError`
 * @example
 * ```ts
 * const token = new CancellationToken();
 * token.cancel();
 * console.log((token.reason as CancelledError).name); // => AbortError
 * ```
 */
export class CancelledError extends Error {
  /** @internal See `nameError`. */
  static readonly completed: object = /* @__PURE__ */ nameError(CancelledError, 'AbortError');
  /** Always `AbortError`, the platform's name for an abort. */
  declare readonly name: 'AbortError';
  /** Always `ABORT_ERR`, Node's code for an abort. */
  readonly code = 'ABORT_ERR' as const;
  /** Where the cancellation came from. */
  readonly source: CancelledSource;

  constructor(message = 'This operation was cancelled', options?: ErrorOptions & { source?: CancelledSource }) {
    super(message, options);
    this.source = options?.source ?? 'explicit';
  }
}

/**
 * The reason of a deadline that has passed.
 *
 * It has the platform's name for a timeout, as the reason of `AbortSignal.timeout` has.
 *
 * @see tokio::time::error::Elapsed (tokio 1.53)
 * @example
 * ```ts
 * const token = CancellationToken.timeout(0);
 * console.log(token.isCancelled, (token.reason as TimeoutError).code); // => true ERR_TIMEOUT
 * ```
 */
export class TimeoutError extends Error {
  /** @internal See `nameError`. */
  static readonly completed: object = /* @__PURE__ */ nameError(TimeoutError, 'TimeoutError');
  /** Always `TimeoutError`, the platform's name for a timeout. */
  declare readonly name: 'TimeoutError';
  /** Always `ERR_TIMEOUT`. */
  readonly code = 'ERR_TIMEOUT' as const;
  /** The length of the timeout, in milliseconds. */
  readonly ms: number;

  constructor(ms: number, message = `Timed out after ${ms} ms`, options?: ErrorOptions) {
    super(message, options);
    this.ms = ms;
  }
}

/**
 * Thrown when the other side is permanently gone: a drained channel whose senders were closed, a scope that has ended.
 *
 * @example
 * ```ts
 * const [tx, rx] = broadcast<number>(1);
 * tx.close();
 * await rx.recv().catch((error) => console.log(error.code)); // => ERR_CLOSED
 * ```
 */
export class ClosedError extends Error {
  /** @internal See `nameError`. */
  static readonly completed: object = /* @__PURE__ */ nameError(ClosedError, 'ClosedError');
  /** Always `ClosedError`. */
  declare readonly name: 'ClosedError';
  /** Always `ERR_CLOSED`. */
  readonly code = 'ERR_CLOSED' as const;
}

/**
 * Returns whether `error` is a {@link CancelledError} of this or of another copy of this package.
 * @example
 * ```ts
 * const token = new CancellationToken();
 * token.cancel();
 * console.log(isCancelledError(token.reason), isCancelledError(new Error('failed'))); // => true false
 * ```
 */
export function isCancelledError(error: unknown): error is CancelledError {
  return isNamed(error, 'AbortError');
}

/**
 * Returns whether `error` is a {@link ClosedError} of this or of another copy of this package.
 * @example
 * ```ts
 * const [tx, rx] = broadcast<number>(1);
 * tx.close();
 * await rx.recv().catch((error) => console.log(isClosedError(error))); // => true
 * ```
 */
export function isClosedError(error: unknown): error is ClosedError {
  return isNamed(error, 'ClosedError');
}

/**
 * Returns whether `error` is a {@link TimeoutError} of this or of another copy of this package. The error of `AbortSignal.timeout`
 * belongs to the platform and does not count.
 * @example
 * ```ts
 * const late = await timeout(1, new Promise(() => {})).catch((error) => error);
 * console.log(isTimeoutError(late)); // => true
 * ```
 */
export function isTimeoutError(error: unknown): error is TimeoutError {
  return isNamed(error, 'TimeoutError');
}

/**
 * Returns whether `error` is a {@link CancelledError}, the platform's `AbortError`, or the `CanceledError` of axios. Only its name
 * counts: a subclass with a name of its own does not.
 */
export function isAbort(error: unknown): boolean {
  const name = nameOf(error);
  return name === 'AbortError' || name === 'CanceledError';
}

/**
 * Returns whether work that failed with `error` obeyed a token that was cancelled with `reason`.
 *
 * An error that has the reason as its `cause` is a failure, such as "rollback failed" with the caught reason.
 */
export function isCausedBy(error: unknown, reason: unknown): boolean {
  return Object.is(reason, error) || isAbort(error);
}

/** Returns `undefined` where the name cannot be read: a getter that throws, a revoked proxy. */
function nameOf(error: unknown): unknown {
  try {
    return typeof error === 'object' && error !== null ? Reflect.get(error, 'name') : undefined;
  } catch {
    return undefined;
  }
}

/** Names the token of an error; empty for a token without a name. */
export function ofToken(name: string | undefined): string {
  return name === undefined ? '' : ` (token ${JSON.stringify(name)})`;
}
