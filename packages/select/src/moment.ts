import type { Clock } from '@quiesce/cancellation-token';
import { show } from '@quiesce/internal';

/** A moment in time: a `Date`, or a number on the scale of the clock's `now()`, such as the value of an interval. */
export type Moment = Date | number;

/**
 * Converts a moment to the scale of the clock's `now()`.
 *
 * @throws RangeError for an invalid `Date` or number
 */
export function momentOf(call: string, when: Moment, clock: Clock): number {
  const at = typeof when === 'number' ? when : dateOf(when) - clock.wall() + clock.now();
  if (!Number.isNaN(at)) return at;
  throw new RangeError(
    `${call}: the moment must be a valid Date, or milliseconds on the scale of clock.now(), got ${show(when)}`,
  );
}

/** Accepts a `Date` of another realm, too. */
function dateOf(when: Date): number {
  return typeof when?.getTime === 'function' ? when.getTime() : Number.NaN;
}
