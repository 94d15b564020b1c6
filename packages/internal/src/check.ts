import { ignore } from './functions.ts';
import { show } from './show.ts';
import { SOURCE } from './symbols.ts';
import { isPromise } from './thenable.ts';

/** @throws TypeError unless `value` is of the expected kind */
export function checkKind(isRight: boolean, call: string, expected: string, value: unknown, hint = ''): void {
  if (isRight) return;
  releaseArgument(value);
  throw new TypeError(`${call}: expected ${expected}, got ${show(value)}${hint}`);
}

/**
 * Refuses a wrong number.
 *
 * @param isRight whether `value` is a number in its range
 * @throws TypeError when `value` is not a number; otherwise RangeError
 */
export function checkNumber(isRight: boolean, what: string, expected: string, value: unknown, hint = ''): void {
  if (isRight) return;
  releaseArgument(value);
  throw new (typeof value === 'number' ? RangeError : TypeError)(
    `${what} must be ${expected}, got ${show(value)}${hint}`,
  );
}

/**
 * Releases an argument of a call that throws: a call such as `rx.recv()` puts back its value, and a rejection counts as
 * handled.
 */
export function releaseArgument(value: unknown): void {
  try {
    const call = (value as Record<symbol, { defer?(): void } | undefined> | null | undefined)?.[SOURCE];
    if (call !== undefined) call.defer?.();
    else if (isPromise(value)) value.then(undefined, ignore);
  } catch {}
}

/** @throws TypeError unless `value` is a function; the text says what to write instead */
export function checkFunction(call: string, value: unknown, hint?: string): void {
  if (typeof value === 'function') return;
  checkKind(false, call, 'a function', value, isPromise(value) ? '; pass a function that starts the work' : hint);
}

/** @throws TypeError unless `value` is iterable and not a string */
export function checkIterable(call: string, value: unknown, expected: string): void {
  const { [Symbol.iterator]: iterate } = Object(value) as Partial<Iterable<unknown>>;
  checkKind(typeof iterate === 'function' && typeof value !== 'string', call, expected, value);
}

/** @throws TypeError unless `value` is the name of a header */
export function checkHeaderName(what: string, value: unknown): void {
  const isName = typeof value === 'string' && /^[\w!#$%&'*+.^`|~-]+$/.test(value);
  checkKind(isName, what, 'the name of a header', value);
}

/**
 * Returns a valid time.
 *
 * @throws TypeError unless it is a number; RangeError when it is negative or NaN
 */
export function checkTime(what: string, value: number): number {
  if (typeof value === 'number' && value >= 0) return value;
  checkNumber(false, what, 'milliseconds from 0 to Infinity', value);
  return value;
}

/**
 * Refuses a value that is not a count.
 *
 * @param most `Infinity`, if that is allowed, too
 * @throws TypeError unless `count` is a number; RangeError unless it is an integer from `least` to 2^53-1
 */
export function checkCount(what: string, count: unknown, least: number, most?: number): void {
  if ((Number.isSafeInteger(count) && (count as number) >= least) || (most !== undefined && count === most)) return;
  checkNumber(false, what, `an integer from ${least}${most === undefined ? ' to 2^53-1' : ', or Infinity'}`, count);
}

/**
 * Refuses an unknown value of an option, which would otherwise act as the default.
 *
 * @throws TypeError
 */
export function checkChoice(what: string, value: unknown, allowed: readonly string[]): void {
  if (value === undefined || allowed.includes(value as string)) return;
  const all = allowed.map((one) => `'${one}'`);
  throw new TypeError(`${what} must be ${all.slice(0, -1).join(', ')} or ${all.at(-1)}, got ${show(value)}`);
}

/**
 * Returns the time of a date, of any realm or library, in milliseconds since 1970.
 *
 * @throws TypeError unless it is a date; RangeError when the date is invalid
 */
export function dateTime(call: string, date: Date, expected = 'a valid Date'): number {
  const ms = typeof date?.getTime === 'function' ? date.getTime() : undefined;
  checkKind(typeof ms === 'number', call, expected, date);
  if (!Number.isNaN(ms)) return ms as number;
  throw new RangeError(`${call}: expected ${expected}, got an invalid Date`);
}

/**
 * Refuses an argument that a call does not take, and would ignore.
 *
 * @param write what to write instead
 * @throws TypeError
 */
export function refuseExtra(call: string, extra: unknown, write: string): void {
  if (extra !== undefined) throw new TypeError(`${call}: there is no place for ${show(extra)}; ${write}`);
}
