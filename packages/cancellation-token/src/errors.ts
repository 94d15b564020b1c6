/** Where a cancellation came from. */
export type CancelledSource = 'explicit' | 'signal' | 'sibling' | 'scope' | 'select' | 'shutdown';

/** Marks our error classes by name, so that a second copy of this package recognises them. */
const brand: unique symbol = Symbol.for('quiesce.error') as never;

/**
 * The default reason of a cancellation: nobody gave another.
 *
 * It carries the platform's name and code, so that code written for `AbortSignal` treats it as an abort.
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
stamp(CancelledError, 'AbortError');

/**
 * The other side is gone for good: a channel whose senders were closed and that has been drained, a scope that ended.
 *
 * @example
 * ```ts
 * const [tx, rx] = broadcast<number>(1);
 * tx.close();
 * await rx.recv().catch((error) => console.log(error.code)); // => ERR_CLOSED
 * ```
 */
export class ClosedError extends Error {
  /** Always `ClosedError`. */
  declare readonly name: 'ClosedError';
  /** Always `ERR_CLOSED`. */
  readonly code = 'ERR_CLOSED' as const;
}
stamp(ClosedError, 'ClosedError');

/** Whether `error` is a {@link CancelledError} of this or of another copy of this package. */
export function isCancelledError(error: unknown): error is CancelledError {
  return (error as { [brand]?: unknown } | null | undefined)?.[brand] === 'AbortError';
}

/** Whether `error` is a {@link ClosedError} of this or of another copy of this package. */
export function isClosedError(error: unknown): error is ClosedError {
  return (error as { [brand]?: unknown } | null | undefined)?.[brand] === 'ClosedError';
}

/** On the prototype, like the names of the language's own errors: own fields would be printed with each error. */
function stamp(type: { readonly prototype: Error }, name: string): void {
  Object.defineProperties(type.prototype, { name: { value: name, writable: true }, [brand]: { value: name } });
}
