import { CancellationToken, TimeoutError } from '@quiesce/cancellation-token';
import { type DeadlineHeaders, type InjectDeadlineOptions, injectDeadline } from '@quiesce/http-deadline';
import { checkHeaderName, checkOptions, checkTime } from '@quiesce/internal';

/**
 * Returns the options of `injectDeadline`, or `undefined` when no deadline is passed on.
 *
 * @throws TypeError or RangeError for an invalid option
 */
export function checkDeadline(
  call: string,
  deadline: boolean | InjectDeadlineOptions = false,
): InjectDeadlineOptions | undefined {
  if (deadline === false) return undefined;
  if (deadline === true) return {};
  checkOptions(`${call}: deadline`, deadline, ['header', 'margin']);
  const { header, margin } = deadline;
  if (header !== undefined) checkHeaderName(`${call}: deadline: header`, header);
  if (margin !== undefined) checkTime(`${call}: deadline: margin`, margin);
  return deadline;
}

/**
 * Returns the headers with the time until the earliest deadline of the tokens.
 *
 * @throws TimeoutError when no time is left: the request is not worth sending
 */
export function withDeadline<T extends DeadlineHeaders>(
  call: string,
  headers: T,
  tokens: readonly CancellationToken[],
  options: InjectDeadlineOptions,
): T {
  const { margin = 0 } = options;
  for (const token of tokens) {
    if (token.timeLeft !== undefined && token.timeLeft - margin < 1) {
      throw new TimeoutError(margin, `${call}: no time is left after the margin of ${margin} ms`);
    }
    injectDeadline(headers, token, options);
  }
  return headers;
}

/** Returns the tokens that have a deadline, of that of the function and the `signal` of one request. */
export function tokensOf(token: CancellationToken, own: unknown): readonly CancellationToken[] {
  const all = own === undefined || own === null ? [token] : [token, CancellationToken.from(own as AbortSignal)];
  return all.filter(({ timeLeft }) => timeLeft !== undefined);
}

/**
 * Returns the signal of a token. A native signal is returned unchanged: a token below it would stay there as long as the signal.
 *
 * @throws TypeError when it is neither a token nor an `AbortSignal`
 */
export function nativeSignal(call: string, signal: CancellationToken | AbortSignal): AbortSignal {
  return signal instanceof AbortSignal ? signal : CancellationToken.from(signal, call).signal;
}

/** Returns the signal of a call, joined with the signal of one request. */
export function joinSignals(call: string, native: AbortSignal, own: unknown): AbortSignal {
  if (own === undefined || own === null) return native;
  return AbortSignal.any([native, nativeSignal(`${call}: signal`, own as AbortSignal)]);
}
