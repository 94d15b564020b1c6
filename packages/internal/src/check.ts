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
