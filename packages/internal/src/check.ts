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
 * @throws RangeError unless it is a number from 0 to `Infinity`
 */
export function checkTime(what: string, value: number): number {
  if (typeof value === 'number' && value >= 0) return value;
  throw new RangeError(`${what} must be milliseconds from 0 to Infinity, got ${show(value)}`);
}

/**
 * Refuses a value that is not a count.
 *
 * @param most `Infinity`, if that is allowed, too
 * @throws RangeError unless `count` is an integer from `least` to 2^53-1
 */
export function checkCount(what: string, count: unknown, least: number, most?: number): void {
  if ((Number.isSafeInteger(count) && (count as number) >= least) || (most !== undefined && count === most)) return;
  throw new RangeError(
    `${what} must be an integer from ${least}${most === undefined ? ' to 2^53-1' : ', or Infinity'}, got ${show(count)}`,
  );
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
 * @throws RangeError unless it is a valid date
 */
export function dateTime(call: string, date: Date): number {
  const ms: unknown = typeof date?.getTime === 'function' ? date.getTime() : undefined;
  if (typeof ms === 'number' && !Number.isNaN(ms)) return ms;
  throw new RangeError(`${call}: expected a valid Date, got ${ms === undefined ? show(date) : 'an invalid Date'}`);
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
