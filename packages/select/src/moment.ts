import type { Clock } from '@quiesce/cancellation-token';
import { checkNumber, dateTime } from '@quiesce/internal';

/** A moment in time: a `Date`, or a number on the scale of the clock's `now()`, such as the value of an interval. */
export type Moment = Date | number;

/**
 * Converts a moment to the scale of the clock's `now()`.
 *
 * @throws TypeError unless it is a `Date` or a number; RangeError for an invalid `Date`, for NaN, and for a number of
 *   milliseconds since 1970
 */
export function momentOf(call: string, when: Moment, clock: Clock): number {
  if (typeof when !== 'number') return dateTime(`${call}: the moment`, when, EXPECTED) - clock.wall() + clock.now();
  checkNumber(!(Number.isNaN(when) || isDate(when, clock)), `${call}: the moment`, EXPECTED, when);
  return when;
}

const EXPECTED = 'a valid Date, or milliseconds on the scale of clock.now()';
const TEN_YEARS = 315_576_000_000;

/** Whether a number is near the wall clock and far from `clock.now()`, such as `Date.now() + 5_000`. */
function isDate(when: number, clock: Clock): boolean {
  return Math.abs(when - clock.wall()) < TEN_YEARS && when - clock.now() > TEN_YEARS;
}
