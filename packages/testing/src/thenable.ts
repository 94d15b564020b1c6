import { node } from './host.ts';

export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === 'function';
}

/** Whether a promise has settled, also before its reactions have run. Elsewhere than on Node: `false`. */
export function hasSettled(promise: Promise<unknown> | undefined): boolean {
  const inspect = node.util?.inspect;
  if (promise === undefined || inspect === undefined) return false;
  return !inspect(promise, { depth: 0, customInspect: false, maxStringLength: 1, maxArrayLength: 0 }).includes(
    '<pending>',
  );
}
