import { CancellationToken } from '@quiesce/cancellation-token';
import { checkNumber } from '@quiesce/internal';

/**
 * Returns a number in its range, or the default.
 *
 * @throws TypeError unless it is a number; RangeError when it is out of range
 */
export function numberOf(
  what: string,
  value: number | undefined,
  fallback: number,
  least: number,
  most: number,
  unit = 'milliseconds',
): number {
  if (value === undefined) return fallback;
  const range = most === Number.POSITIVE_INFINITY ? `${least} or more` : `from ${least} to ${most}`;
  const isRight = typeof value === 'number' && value >= least && value <= most;
  checkNumber(isRight, what, `${unit} ${range}`, value);
  return value;
}

/** Does the same as {@link numberOf}, for an integer. */
export function integerOf(
  what: string,
  value: number | undefined,
  fallback: number,
  least: number,
  most: number,
): number {
  const result = numberOf(what, value, fallback, least, most, 'an integer');
  checkNumber(Number.isInteger(result), what, 'an integer', result);
  return result;
}

/** Returns the token of the option `signal`; errors name the call. */
export function signalOf(
  call: string,
  signal: CancellationToken | AbortSignal | undefined,
): CancellationToken | undefined {
  return signal === undefined ? undefined : CancellationToken.from(signal, `${call}: signal`);
}
