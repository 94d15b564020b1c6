import { checkChoice, checkFunction, checkNumber, checkTime } from './check.ts';
import { show } from './show.ts';

/** Options for the delays between attempts. */
export interface BackoffOptions {
  /** The first delay, in milliseconds from 0. Default: 100. */
  readonly delay?: number | undefined;
  /** Each delay is this many times the one before: a number from 1. Default: 2. */
  readonly factor?: number | undefined;
  /** The longest delay, in milliseconds from 0 to `Infinity`. Default: 30,000. */
  readonly maxDelay?: number | undefined;
  /**
   * With `full` (the default), each delay is random, from 0 to its length, so that clients that failed together do not come
   * back together. With `none`, it has exactly its length.
   */
  readonly jitter?: 'full' | 'none' | undefined;
  /** Returns a number from 0 to below 1, for the jitter. Default: `Math.random`. */
  readonly random?: (() => number) | undefined;
}

/** The names of `BackoffOptions`. */
export const backoffOptions: readonly (keyof BackoffOptions)[] = ['delay', 'factor', 'maxDelay', 'jitter', 'random'];

/**
 * Checks the options, and returns a function that returns the delay after the n-th failure, in milliseconds.
 *
 * @throws TypeError for an option of the wrong type; RangeError for a delay or factor out of range. The function throws a
 *   RangeError when `random` returns no number from 0 to below 1
 */
export function backoffOf(call: string, options: BackoffOptions): (failures: number) => number {
  const { delay = 100, factor = 2, maxDelay = 30_000, jitter = 'full', random = Math.random } = options;
  checkTime(`${call}: delay`, delay);
  checkTime(`${call}: maxDelay`, maxDelay);
  checkNumber(typeof factor === 'number' && factor >= 1, `${call}: factor`, 'a number from 1', factor);
  checkChoice(`${call}: jitter`, jitter, ['full', 'none']);
  checkFunction(`${call}: random`, random);
  return (failures) => {
    // A delay of 0 stays 0: 0 times Infinity would be no number.
    const ms = delay === 0 ? 0 : Math.min(maxDelay, delay * factor ** (failures - 1));
    if (jitter === 'none') return ms;
    const part = random();
    if (part >= 0 && part < 1) return ms === Number.POSITIVE_INFINITY ? ms : part * ms;
    throw new RangeError(`${call}: random must return a number from 0 to below 1, got ${show(part)}`);
  };
}
