import {
  type CancellationToken,
  CancelledError,
  consumeSlice,
  PENDING,
  type Source,
  type Waiter,
  wait,
} from '@quiesce/cancellation-token';
import { defineHandle, parkOn, unparkFrom, type WaiterItem, wakeAll } from '@quiesce/internal';
import { nativeThen } from './native-then.ts';
import { hasObeyed } from './obedience.ts';
import { quoted } from './options.ts';
import { taskEnds } from './stamp.ts';
import { silentWaits, TaskPromise, TaskWait } from './task-promise.ts';

/** Where a task stands: it starts `running` and ends in one of the others, once. */
export type TaskState = 'running' | 'fulfilled' | 'failed' | 'cancelled';

/** How a task ended. `cancelled`: its token was cancelled, and its error says no more than that. */
export type TaskOutcome<T> =
  | { readonly state: 'fulfilled'; readonly value: T }
  | { readonly state: 'failed'; readonly reason: unknown }
  | { readonly state: 'cancelled'; readonly reason: unknown };

/** Who is told of a task's end: its scope, or its set. */
export interface TaskParent {
  /** Says whether it wants to be told when somebody asks for the failure. */
  ended(task: Task<unknown>): boolean;
  asked(task: Task<unknown>): void;
}

/** What few tasks have; the others have no such record. */
export interface TaskInfo {
  readonly name: string | undefined;
  readonly key: unknown;
  readonly site: string | undefined;
  readonly isDaemon: boolean;
  readonly isIsolated: boolean;
}

/**
 * Work that a scope has started: awaitable, and a `select` branch.
 *
 * Its failure is never an unhandled rejection: the scope takes it, whether or not somebody awaits the task as well.
 * `using task = s.spawn(…)` cancels it at the end of the block; its scope awaits it all the same.
 *
 * **Cancel safety.** Waiting for a task can be given up at any time; the task goes on.
 *
 * @see tokio::task::JoinHandle (tokio 1.53)
 * @example
 * ```ts
 * await scope(async (s) => {
 *   const task = s.spawn(async () => 'done', { name: 'work' });
 *   console.log(task.name, task.state); // => work running
 *   console.log(await task, task.state); // => done fulfilled
 * });
 * ```
 */
export class Task<T> implements PromiseLike<T>, Disposable {
  /** @internal See `defineHandle`. */
  static readonly completed: object = /* @__PURE__ */ defineHandle(Task, {
    name: 'task',
    owns: (value) => #info in value,
    source: (task) => task,
    dispose: 'cancel',
    unguarded: ['start', 'started', 'then', 'poll', 'park', 'unpark', 'once', 'info'],
    facts: ({ name, current, value }) => {
      const isOver = current === 'failed' || current === 'cancelled';
      return { name, state: current, reason: isOver ? value : undefined };
    },
  });
  /** @internal Links in its parent's list. */
  next: Task<unknown> | undefined = undefined;
  /** @internal */
  prev: Task<unknown> | undefined = undefined;
  /** @internal Who waits for the end. */
  head: WaiterItem | undefined = undefined;
  /**
   * @internal Told at the end, then let go, so that a task that is kept does not keep its scope; `undefined` from then on.
   * An isolated failure keeps it until somebody asks.
   */
  parent: TaskParent | undefined;
  /** @internal */
  readonly token: CancellationToken;
  /** Private, since a proxy has no private field: then it is refused. */
  readonly #info: TaskInfo | undefined;
  /** @internal */
  current: TaskState = 'running';
  /** @internal The value, the error or the reason, from the end on; until then what `started` says. */
  value: unknown;
  /** The same as `cancel`. */
  declare readonly [Symbol.dispose]: () => void;

  /** @internal */
  constructor(parent: TaskParent, token: CancellationToken, info: TaskInfo | undefined, started: number) {
    this.parent = parent;
    this.token = token;
    this.#info = info;
    this.value = started;
  }

  /** @internal Starts the work. It never ends inside this call, also when it throws synchronously. */
  start(work: (token: CancellationToken) => unknown): void {
    // Bound functions are half as large as closures, and a scope may have a hundred thousand of them.
    const failed = fail.bind(this);
    try {
      nativeThen.call(Promise.resolve(work(this.token)), fulfil.bind(this), failed);
    } catch (error) {
      // No rejected promise: at the end of the stack there may be no room for its handler, and it would be unhandled.
      nativeThen.call(settled, fail.bind(this, error));
    }
  }

  /** @internal */
  get info(): TaskInfo | undefined {
    return this.#info;
  }

  /** @internal When it was spawned, in whole ms of its scope's clock. Only while it runs: a field of its own would cost each. */
  get started(): number {
    return this.value as number;
  }

  /** The name given to `spawn`; `undefined`: none. */
  get name(): string | undefined {
    return this.#info?.name;
  }

  /** Where it stands. */
  get state(): TaskState {
    return this.current;
  }

  /**
   * Asks the task to stop; it alone, not its scope.
   *
   * **Timing.** Synchronous as `CancellationToken.cancel`; the task has ended when it settles, not before.
   *
   * @param reason default: a `CancelledError` that names the task
   * @returns whether this call cancelled its token: `false` when that was cancelled before, or the task has ended
   * @see tokio::task::JoinHandle::abort (tokio 1.53)
   */
  cancel(reason?: unknown): boolean {
    // Before an error with its stack is made for nothing.
    if (this.current !== 'running' || this.token.isCancelled) return false;
    if (reason !== undefined) return this.token.cancel(reason);
    return this.token.cancel(new CancelledError(`Task${quoted(this.name)} was cancelled`));
  }

  /** Waits for the end, and never rejects. */
  async settled(): Promise<TaskOutcome<T>> {
    try {
      return { state: 'fulfilled', value: await waitFor(this) };
    } catch (reason) {
      return { state: this.current as 'failed' | 'cancelled', reason };
    }
  }

  /**
   * Called by `await`: returns the task's value, or throws its error or reason.
   *
   * A promise that you derive without `onRejected` is not an unhandled rejection when the task fails: the scope has that
   * error. The same holds for each promise derived from that one, up to the first `onRejected`. An error of `onFulfilled` is one.
   */
  // biome-ignore lint/suspicious/noThenProperty: being awaitable is what this class is for
  then<A = T, B = never>(
    onFulfilled?: ((value: T) => A | PromiseLike<A>) | null,
    onRejected?: ((error: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    if (typeof onRejected === 'function') return waitFor(this).then(onFulfilled, onRejected);
    return derive(this).then(onFulfilled);
  }

  /** As a promise's `catch`. */
  catch<B = never>(onRejected?: ((error: unknown) => B | PromiseLike<B>) | null): Promise<T | B> {
    return this.then(undefined, onRejected);
  }

  /** As a promise's `finally`. The task's own error is not an unhandled rejection here; an error of `onFinally` is one. */
  finally(onFinally?: (() => unknown) | null): Promise<T> {
    return derive(this).finally(onFinally);
  }

  /** @internal */
  get once(): true {
    return true;
  }

  /** @internal */
  poll(): T | typeof PENDING {
    if (this.current === 'running') return PENDING;
    if (this.current === 'fulfilled') return this.value as T;
    const parent = this.parent;
    this.parent = undefined;
    parent?.asked(this);
    looks.set(this, (looks.get(this) ?? 0) + 1);
    throw this.value;
  }

  /** @internal */
  park(waiter: Waiter): void {
    parkOn(this, waiter);
  }

  /** @internal */
  unpark(waiter: Waiter): void {
    unparkFrom(this, waiter);
  }
}

/** How often the failure of a task was thrown to something that waits for it. */
const looks: WeakMap<Task<unknown>, number> = new WeakMap();

/** Whether something has seen the failure of the task. */
export function isSeen(task: Task<unknown>): boolean {
  return (looks.get(task) ?? 0) > (silentWaits.get(task) ?? 0);
}

/** In a loop over tasks that compute, the event loop must turn in time; `wait` counts completions only. */
function waitFor<T>(task: Task<T>): Promise<T> {
  void consumeSlice();
  return wait(task);
}

/** A promise that leaves the task's own error to the scope. A function, as `end` below. */
function derive<T>(task: Task<T>): Promise<T> {
  const derived = new TaskPromise<T>((resolve, reject) => void waitFor(task).then(resolve, reject));
  derived.wait = new TaskWait(task);
  derived.wait.looks();
  return derived;
}

/** For what is done one microtask later. */
const settled: Promise<void> = Promise.resolve();

function fulfil(this: Task<unknown>, value: unknown): void {
  end(this, 'fulfilled', value);
}

function fail(this: Task<unknown>, error: unknown): void {
  end(this, hasObeyed(error, this.token) ? 'cancelled' : 'failed', error);
}

/** A function and no private method: those cost each task a field, and time. */
function end(task: Task<unknown>, state: TaskState, value: unknown): void {
  taskEnds();
  task.current = state;
  task.value = value;
  task.token.dispose();
  const parent = task.parent as TaskParent;
  // The scope first: whoever awaits this task finds its siblings cancelled already.
  if (!parent.ended(task)) task.parent = undefined;
  if (task.head !== undefined) wakeAll(task);
}

// Declared by merging: isolatedDeclarations allows no computed key but the language's own in a class.
export interface Task<T> extends Source<T> {}
