import type { CancellationToken } from '@quiesce/cancellation-token';
import { isThenable, show } from '@quiesce/internal';
import { givenUp, reportLate } from './failures.ts';
import { CLEANING, CLOSED, JOINING, type Life } from './life.ts';
import type { Cleanup } from './options.ts';
import type { Task } from './task.ts';

/** The machine of `use`: a resource is closed at the scope's end, or when it arrives if that is later. */
export function useIn<T>(
  life: Life,
  value: T,
  closer: ((resource: Awaited<T>) => unknown) | undefined,
  name: string,
  above: unknown,
): Task<Awaited<T>> {
  const keep = (resource: Awaited<T>, token?: CancellationToken): Awaited<T> => {
    const close = closerOf(resource, closer);
    if (life.state === CLOSED) void closeLate(name, close);
    else life.defer(close, name);
    // The scope has given up on this task: the resource is closed now, or soon, and nobody may work with it.
    if (token !== undefined && life.state >= CLEANING) throw token.reason;
    // The block has ended, and nothing but this task keeps the scope open: the code that awaits it would come too late.
    if (token !== undefined && !life.hasBody && life.state === JOINING && life.taskCount === 1) {
      throw token.isCancelled ? token.reason : life.closed('use');
    }
    return resource;
  };
  const work = (token?: CancellationToken): Awaited<T> | Promise<Awaited<T>> =>
    isThenable(value)
      ? Promise.resolve(value as Awaited<T>).then((resource) => keep(resource, token))
      : keep(value as Awaited<T>, token);
  if (life.state >= CLEANING) {
    // It is refused, but nobody else will close it.
    (async () => work())().catch((error) => reportLate('use', 'its scope had ended', error));
    throw life.closed('use');
  }
  return life.spawn(work, { name: 'use', onFailure: 'isolate' }, above) as Task<Awaited<T>>;
}

function closerOf<T>(resource: T, closer: ((resource: T) => unknown) | undefined): Cleanup {
  if (closer !== undefined) return () => closer(resource);
  for (const kind of ['asyncDispose', 'dispose'] as const) {
    // These symbols may be missing: see defineDispose.
    const key = (Symbol as unknown as Record<string, symbol | undefined>)[kind] ?? Symbol.for(`Symbol.${kind}`);
    const dispose: unknown = (resource as Record<symbol, unknown> | null | undefined)?.[key];
    if (typeof dispose === 'function') return () => dispose.call(resource) as unknown;
  }
  throw new TypeError(`use: ${show(resource)} is not disposable: pass a function that closes it as second argument`);
}

async function closeLate(name: string, close: Cleanup): Promise<void> {
  try {
    await close();
  } catch (error) {
    reportLate(name, givenUp, error);
  }
}
