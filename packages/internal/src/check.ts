import { show } from './show.ts';

/** @throws TypeError unless `value` is a function */
export function checkFunction(call: string, value: unknown): void {
  if (typeof value !== 'function') throw new TypeError(`${call}: expected a function, got ${show(value)}`);
}

/**
 * Passes a time on.
 *
 * @throws RangeError unless it is a number from 0 to `Infinity`
 */
export function checkTime(what: string, value: number): number {
  if (typeof value === 'number' && value >= 0) return value;
  throw new RangeError(
    `${what} must be milliseconds from 0 to Infinity, got ${typeof value === 'number' ? value : show(value)}`,
  );
}

/**
 * The moment of a date, of whichever realm or library, in milliseconds since 1970.
 *
 * @throws RangeError unless it is a valid date
 */
export function dateTime(call: string, date: Date): number {
  const ms: unknown = typeof date?.getTime === 'function' ? date.getTime() : undefined;
  if (typeof ms === 'number' && !Number.isNaN(ms)) return ms;
  throw new RangeError(`${call}: ${ms === undefined ? `expected a Date, got ${show(date)}` : 'the date is not valid'}`);
}
