import { type CancellationToken, ClosedError, consumeSlice, waiter } from '@quiesce/cancellation-token';
import { checkFunction, ignore } from '@quiesce/internal';
import { quoted, type SpawnOptions } from './options.ts';
import type { ScopeState } from './scope-state.ts';
import type { Task } from './task.ts';
import { nativeThen, TaskPromise, TaskWait } from './task-promise.ts';

/** A task that is ready, and the value that it passed to `ready`. */
export interface Started<V, T> {
  /** The task, which keeps running. */
  readonly task: Task<Awaited<T>>;
  /** The argument of `ready`. */
  readonly value: V;
}

/** Runs `start`: waits until the task calls `ready` or ends, whichever comes first. */
export function startIn<V, T>(
  scope: ScopeState,
  work: (token: CancellationToken, ready: (value: V) => void) => T,
  options: SpawnOptions | undefined,
  above: unknown,
): Promise<Started<V, T>> {
  let wait: TaskWait | undefined;
  const promise = new TaskPromise<Started<V, T>>((resolve, reject) => {
    checkFunction('start', work);
    let given: { readonly value: V } | undefined;
    const resolveStarted = (started: Started<V, T>): void => resolve(consumeSlice()?.then(() => started) ?? started);
    const onEnd = (): void => {
      let end: unknown = new ClosedError(`start: task${quoted(task.name)} ended without calling ready(value)`);
      if (wait !== undefined) wait.own = end;
      try {
        task.poll();
      } catch (error) {
        end = error;
        wait?.expectsFailure();
      }
      reject(end);
      // The scope has this error, or it is no error. Only an isolated failure belongs to the caller alone.
      if (wait?.isTaken(end) === true) nativeThen.call(promise, undefined, ignore);
    };
    const parked = waiter(onEnd);
    const onReady = (value: V): void => {
      // With `restart`, each run of the work calls it. The first call counts.
      if (given !== undefined) return;
      given = { value };
      if (parked.owner === undefined) return;
      task.unpark(parked);
      resolveStarted({ task, value });
    };
    const run = (token: CancellationToken): T => {
      let isCalled = false;
      return work(token, (value) => {
        if (isCalled) throw new ClosedError('ready: the task has called it before; call it once');
        isCalled = true;
        onReady(value);
      });
    };
    const task = scope.spawn(run, options, above);
    wait = new TaskWait(task);
    // A task never ends during `spawn`, but it may call `ready` there.
    if (given === undefined) task.park(parked);
    else resolveStarted({ task, value: (given as { readonly value: V }).value });
  });
  promise.wait = wait;
  return promise;
}
