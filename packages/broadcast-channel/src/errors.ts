import { nameError } from '@quiesce/internal';

/**
 * Reports that a receiver was too slow: values that it had not read were overwritten.
 *
 * It consumes nothing and comes once for each gap. The next receive returns the oldest value kept.
 *
 * @see tokio::sync::broadcast::error::RecvError::Lagged (tokio 1.53)
 * @example
 * ```ts
 * const [tx, rx] = broadcast<string>(1);
 * tx.send('a');
 * tx.send('b');
 * await rx.recv().catch((error) => console.log(error.missedCount)); // => 1
 * console.log(await rx.recv()); // => b
 * ```
 */
export class LaggedError extends Error {
  /** @internal See `defineDispose`. */
  static readonly completed: object = /* @__PURE__ */ nameError(LaggedError, 'LaggedError');
  /** Always `LaggedError`. */
  declare readonly name: 'LaggedError';
  /** Always `ERR_LAGGED`. */
  readonly code = 'ERR_LAGGED' as const;
  /** The number of values that this receiver has lost, 1 or more. */
  readonly missedCount: number;

  /** @internal */
  constructor(missed: number) {
    super(
      `the receiver was too slow and missed ${missed} ${missed === 1 ? 'value' : 'values'}; it continues at the oldest value kept`,
    );
    this.missedCount = missed;
  }
}
