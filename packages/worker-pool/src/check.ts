import { show } from '@quiesce/internal';

/** @throws RangeError unless `count` is an integer from `least`, or `Infinity` */
export function checkCount(what: string, count: number, least: number): void {
  if ((Number.isSafeInteger(count) || count === Number.POSITIVE_INFINITY) && count >= least) return;
  throw new RangeError(`${what} must be an integer from ${least}, or Infinity, got ${show(count)}`);
}
