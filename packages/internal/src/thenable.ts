import { show } from './show.ts';

/** Whether promises would follow `value` rather than carry it. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    ((typeof value === 'object' && value !== null) || typeof value === 'function') &&
    typeof (value as Partial<PromiseLike<unknown>>).then === 'function'
  );
}

/** Whether `value` is a promise, of any realm. Its work has started, whereas a thenable may start when it is awaited. */
export function isPromise(value: unknown): value is Promise<unknown> {
  return isThenable(value) && Object.prototype.toString.call(value) === '[object Promise]';
}

/**
 * Refuses a value that a promise cannot carry: promises follow thenables, so the receiver would get another value.
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
