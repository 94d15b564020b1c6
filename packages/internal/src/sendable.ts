import { show } from './show.ts';
import { isThenable } from './thenable.ts';

/**
 * Refuses a value that a promise could not carry: promises follow thenables, so the receiver would get something else.
 *
 * @throws TypeError when `value` has a `then` method
 */
export function refuseThenable(value: unknown, call: string): void {
  if (!isThenable(value)) return;
  throw new TypeError(
    `${call}: ${show(value)} has a then method, and a promise cannot carry it: ` +
      'await it before sending, or wrap it in an object',
  );
}
