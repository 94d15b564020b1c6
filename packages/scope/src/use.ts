import type { CancellationToken } from '@quiesce/cancellation-token';
import { isThenable, show } from '@quiesce/internal';
import { givenUp, reportLate } from './failures.ts';
import type { Cleanup } from './options.ts';
import { CLEANING, CLOSED, JOINING, type ScopeState } from './scope-state.ts';
import type { Task } from './task.ts';

/** Runs `use`: closes a resource at the scope's end, or when it arrives if that is later. */
export function useIn<T>(
  scope: ScopeState,
  value: T,
  closer: ((resource: Awaited<T>) => unknown) | undefined,
  name: string,
  above: unknown,
): Task<Awaited<T>> {
  const keep = (resource: Awaited<T>, token?: CancellationToken): Awaited<T> => {
    const close = closerOf(resource, closer);
    if (scope.state === CLOSED) void closeLate(name, close);
    else scope.defer(close, name);
    // The scope has given up on this task. The resource is closed now or soon, so no code may work with it.
    if (token !== undefined && scope.state >= CLEANING) throw token.reason;
    // The block has ended, and this task alone keeps the scope open. Code that awaits it would run after the close.
    if (token !== undefined && !scope.hasBody && scope.state === JOINING && scope.taskCount === 1) {
      throw token.isCancelled ? token.reason : scope.closedError('use');
    }
    return resource;
  };
  const work = (token?: CancellationToken): Awaited<T> | Promise<Awaited<T>> =>
    isThenable(value)
      ? Promise.resolve(value as Awaited<T>).then((resource) => keep(resource, token))
      : keep(value as Awaited<T>, token);
  if (scope.state >= CLEANING) {
    // `use` throws, and no other code would close the resource.
    (async () => work())().catch((error) => reportLate('use', 'its scope had ended', error));
    throw scope.closedError('use');
  }
  return scope.spawn(work, { name: 'use', onFailure: 'isolate' }, above) as Task<Awaited<T>>;
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
