/** Whether promises would follow `value` rather than carry it. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    ((typeof value === 'object' && value !== null) || typeof value === 'function') &&
    typeof (value as Partial<PromiseLike<unknown>>).then === 'function'
  );
}

/** Whether `value` is a promise, of whichever realm. Its work runs already, whereas a thenable may start when it is awaited. */
export function isPromise(value: unknown): value is Promise<unknown> {
  return isThenable(value) && Object.prototype.toString.call(value) === '[object Promise]';
}
