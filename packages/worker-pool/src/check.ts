import { checkOptions, show } from '@quiesce/internal';

/** @throws RangeError unless `count` is an integer from `least`, or `Infinity` */
export function checkCount(what: string, count: number, least: number): void {
  if ((Number.isSafeInteger(count) || count === Number.POSITIVE_INFINITY) && count >= least) return;
  throw new RangeError(`${what} must be an integer from ${least}, or Infinity, got ${show(count)}`);
}

/** As `checkOptions`, for a call whose one number is its `timeout`. */
export function checkTimeoutOptions(call: string, options: unknown, known: readonly string[]): void {
  if (typeof options === 'number') {
    throw new TypeError(`${call}: the options must be an object, got ${show(options)}: write { timeout: ${options} }`);
  }
  checkOptions(call, options, known);
}
