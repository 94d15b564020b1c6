import { show } from '@quiesce/internal';

/** @throws TypeError unless `value` is a function */
export function checkFunction(call: string, value: unknown): void {
  if (typeof value !== 'function') throw new TypeError(`${call}: expected a function, got ${show(value)}`);
}

/** @throws RangeError unless `ms` is a time */
export function checkTime(what: string, ms: number): void {
  if (typeof ms === 'number' && ms >= 0) return;
  throw new RangeError(`${what} must be milliseconds from 0 to Infinity, got ${String(ms)}`);
}

/** @throws RangeError unless `count` is an integer from `least`, or `Infinity` */
export function checkCount(what: string, count: number, least: number): void {
  if ((Number.isSafeInteger(count) || count === Number.POSITIVE_INFINITY) && count >= least) return;
  throw new RangeError(`${what} must be an integer from ${least}, or Infinity, got ${String(count)}`);
}
