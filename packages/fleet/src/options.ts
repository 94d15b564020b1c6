import { CancellationToken } from '@quiesce/cancellation-token';
import { checkKind, checkOptions, show } from '@quiesce/internal';

/**
 * Does what `checkOptions` does for options with time limits. A limit that is not a number is a TypeError, as other options are.
 *
 * @throws TypeError for unknown options, and for those of the wrong kind; RangeError when a limit is out of range
 */
export function checkTimedOptions(
  call: string,
  options: object | undefined,
  known: readonly string[],
  flags?: readonly string[],
): void {
  for (const key of known) {
    const value: unknown = key.endsWith('imeout') ? Object(options)[key] : undefined;
    if (value !== undefined) checkKind(typeof value === 'number', `${call}: ${key}`, 'milliseconds', value);
  }
  checkOptions(call, options, known, flags);
}

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
  checkKind(typeof value === 'number', what, unit, value);
  if (value >= least && value <= most) return value;
  const range = most === Number.POSITIVE_INFINITY ? `${least} or more` : `from ${least} to ${most}`;
  throw new RangeError(`${what} must be ${unit} ${range}, got ${show(value)}`);
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
  if (Number.isInteger(result)) return result;
  throw new RangeError(`${what} must be an integer, got ${show(result)}`);
}

/** Returns the token of the option `signal`; errors name the call. */
export function signalOf(
  call: string,
  signal: CancellationToken | AbortSignal | undefined,
): CancellationToken | undefined {
  return signal === undefined ? undefined : CancellationToken.from(signal, `${call}: signal`);
}
