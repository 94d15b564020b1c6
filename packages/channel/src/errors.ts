import { ClosedError } from '@quiesce/cancellation-token';
import { nameError } from '@quiesce/internal';

/**
 * Reports that a value could not be sent because the receiver is closed. It hands the value back.
 *
 * @see tokio::sync::mpsc::error::SendError (tokio 1.53)
 * @example
 * ```ts
 * const [tx, rx] = channel<string>(1);
 * rx.close();
 * await tx.send('a letter').catch((error) => console.log(error.value)); // => a letter
 * ```
 */
export class SendError<T = unknown> extends Error {
  /** @internal See `defineDispose`. */
  static readonly completed: object = /* @__PURE__ */ nameError(SendError, 'SendError');
  /** Always `SendError`. */
  declare readonly name: 'SendError';
  /** Always `ERR_SEND`. */
  readonly code = 'ERR_SEND' as const;
  /** The value that was not sent. */
  readonly value: T;

  /** @internal */
  constructor(value: T) {
    super('send: the receiver of this channel is closed; the value is handed back in .value');
    this.value = value;
  }
}

/** Returns the error of a call on a handle that was closed or disposed. */
export function handleClosed(call: string, handle: 'sender' | 'weak sender', end = 'closed'): ClosedError {
  return new ClosedError(`${call}: this ${handle} was ${end}; clone it before that to keep one`);
}
