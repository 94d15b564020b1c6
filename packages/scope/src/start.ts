import { type CancellationToken, ClosedError, consumeSlice, waiter } from '@quiesce/cancellation-token';
import { checkFunction, ignore } from '@quiesce/internal';
import type { Life } from './life.ts';
import { nativeThen } from './native-then.ts';
import { quoted, type SpawnOptions } from './options.ts';
import type { Task } from './task.ts';
import { TaskPromise, TaskWait } from './task-promise.ts';

/** A task that is ready, and what it said. */
export interface Started<V, T> {
  /** The task, which goes on. */
  readonly task: Task<Awaited<T>>;
  /** What `ready` was called with. */
  readonly value: V;
}

/** The machine of `start`: waits for `ready` or for the end of the task, whichever comes first. */
export function startIn<V, T>(
  life: Life,
  work: (token: CancellationToken, ready: (value: V) => void) => T,
  options: SpawnOptions | undefined,
  above: unknown,
): Promise<Started<V, T>> {
  let wait: TaskWait | undefined;
  const begun = new TaskPromise<Started<V, T>>((resolve, reject) => {
    checkFunction('start', work);
    let answer: { readonly value: V } | undefined;
    const begin = (started: Started<V, T>): void => resolve(consumeSlice()?.then(() => started) ?? started);
    const ended = (): void => {
      let end: unknown = new ClosedError(`start: task${quoted(task.name)} ended without calling ready(value)`);
      if (wait !== undefined) wait.own = end;
      try {
        task.poll();
      } catch (error) {
        end = error;
        wait?.looks();
      }
      reject(end);
      // It is the scope's, or none; only an isolated failure is nobody else's.
      if (wait?.isTaken(end) === true) nativeThen.call(begun, undefined, ignore);
    };
    const parked = waiter(ended);
    const ready = (value: V): void => {
      if (answer !== undefined) throw new ClosedError('ready: the task has called it before; call it once');
      answer = { value };
      if (parked.owner === undefined) return;
      task.unpark(parked);
      begin({ task, value });
    };
    const task = life.spawn((token) => work(token, ready), options, above);
    wait = new TaskWait(task);
    // A task never ends inside of `spawn`, but it may be ready there.
    if (answer === undefined) task.park(parked);
    else begin({ task, value: (answer as { readonly value: V }).value });
  });
  begun.wait = wait;
  return begun;
}
