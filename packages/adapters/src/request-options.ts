import { CancellationToken, type Clock } from '@quiesce/cancellation-token';
import { checkKind } from '@quiesce/internal';

/** @throws TypeError unless `value` is the name of a header */
export function checkHeader(call: string, value: unknown): void {
  const isName = typeof value === 'string' && /^[\w!#$%&'*+.^`|~-]+$/.test(value);
  checkKind(isName, `${call}: timeoutHeader`, 'the name of a header', value);
}

/** Returns the time until the deadline of a token, as the value of a header. `undefined` when it has none. */
export function timeLeft(token: CancellationToken, header: string, clock: Clock): string | undefined {
  const { deadline } = token;
  if (deadline === undefined) return undefined;
  const ms = Math.max(1, Math.floor(deadline.getTime() - clock.wall()));
  // gRPC allows eight digits and needs a unit.
  return header.toLowerCase() === 'grpc-timeout' ? `${Math.min(ms, 99_999_999)}m` : String(ms);
}

/**
 * Returns the signal of a token. A native signal is returned as it is: a token below it would stay there as long as the signal.
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
