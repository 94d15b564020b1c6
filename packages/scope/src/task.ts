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
import { quoted } from './options.ts';
import { onTaskEnd } from './start-time.ts';
import { endedByCancellation } from './stop-signal.ts';
import { nativeThen, silentWaits, TaskPromise, TaskWait } from './task-promise.ts';

/** The status of a task. It starts as `running`, and changes once, to one of the others. */
export type TaskStatus = 'running' | 'fulfilled' | 'rejected' | 'cancelled';

/** How a task ended. `cancelled` means that its token was cancelled, and that its error is that cancellation. */
export type TaskOutcome<T> =
  | { readonly status: 'fulfilled'; readonly value: T }
  | { readonly status: 'rejected'; readonly reason: unknown }
  | { readonly status: 'cancelled'; readonly reason: unknown };

/** The owner of a task: a scope or a set. */
export interface TaskParent {
  /**
   * The task has ended.
   *
   * @returns whether to call `onFailureClaimed` later
   */
  onTaskEnd(task: Task<unknown>): boolean;
  /** Other code has received the failure of the task, for the first time. */
  onFailureClaimed(task: Task<unknown>): void;
}

/** The optional facts of a task. Most tasks have none, and then no such record. */
export interface TaskInfo {
  readonly name: string | undefined;
  readonly key: unknown;
  readonly site: string | undefined;
  readonly isDaemon: boolean;
  readonly isIsolated: boolean;
}

/**
 * Work that a scope or a `JoinSet` has started. You can await it, and use it as a `select` branch.
 *
 * Its failure is never an unhandled rejection: the scope has that error, even if no code awaits the task.
 * `using task = s.spawn(…)` cancels the task at the end of the block. Its scope still awaits it.
 *
 * **Cancel safety.** A wait for a task can be given up at any time. The task keeps running.
 *
 * @see tokio::task::JoinHandle (tokio 1.53)
 * @example
 * ```ts
 * await scope(async (s) => {
 *   const task = s.spawn(async () => 'done', { name: 'work' });
 *   console.log(task.name, task.status); // => work running
 *   console.log(await task, task.status); // => done fulfilled
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
      const isOver = current === 'rejected' || current === 'cancelled';
      return { name, status: current, reason: isOver ? value : undefined };
    },
  });
  /** @internal Links in its parent's list. */
  next: Task<unknown> | undefined = undefined;
  /** @internal */
  prev: Task<unknown> | undefined = undefined;
  /** @internal The waiters for the end. */
  head: WaiterItem | undefined = undefined;
  /**
   * @internal Notified at the end, then `undefined`, so that a retained task does not retain its scope. An isolated failure
   * keeps it until other code has received that failure.
   */
  parent: TaskParent | undefined;
  /** @internal */
  readonly token: CancellationToken;
  /** Private, so that a proxy of a task is recognised: it has no private fields. */
  readonly #info: TaskInfo | undefined;
  /** @internal */
  current: TaskStatus = 'running';
  /** @internal The value, the error or the reason once the task has ended. Until then the start time, for `started`. */
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

  /** @internal Starts the work. The task never ends inside this call, even if the work throws synchronously. */
  start(work: (token: CancellationToken) => unknown): void {
    // Bound functions take half the memory of closures, and a scope may have a hundred thousand of them.
    const failed = fail.bind(this);
    try {
      nativeThen.call(Promise.resolve(work(this.token)), fulfil.bind(this), failed);
    } catch (error) {
      // No rejected promise: when the stack overflows there may be no room to attach its handler.
      nativeThen.call(settled, fail.bind(this, error));
    }
  }

  /** @internal */
  get info(): TaskInfo | undefined {
    return this.#info;
  }

  /** @internal The start time, in whole ms of its scope's clock. Only while it runs: an extra field would cost every task. */
  get started(): number {
    return this.value as number;
  }

  /** The name given to `spawn`, or `undefined`. */
  get name(): string | undefined {
    return this.#info?.name;
  }

  /** The current status. */
  get status(): TaskStatus {
    return this.current;
  }

  /**
   * Cancels the token of this task, and not its scope.
   *
   * **Timing.** Synchronous, as `CancellationToken.cancel`. The task ends later, when its work settles.
   *
   * @param reason the reason; default: a `CancelledError` that names the task
   * @returns whether this call cancelled its token: `false` when that was cancelled before, or when the task has ended
   * @see tokio::task::JoinHandle::abort (tokio 1.53)
   */
  cancel(reason?: unknown): boolean {
    // Checked first, since creating an error captures a stack.
    if (this.current !== 'running' || this.token.isCancelled) return false;
    if (reason !== undefined) return this.token.cancel(reason);
    return this.token.cancel(new CancelledError(`Task${quoted(this.name)} was cancelled`));
  }

  /** Waits for the end, and returns how the task ended. Never rejects. */
  async settled(): Promise<TaskOutcome<T>> {
    try {
      return { status: 'fulfilled', value: await waitFor(this) };
    } catch (reason) {
      return { status: this.current as 'rejected' | 'cancelled', reason };
    }
  }

  /**
   * Called by `await`: returns the task's value, or throws its error or reason.
   *
   * When the task fails, a promise derived without `onRejected` is not an unhandled rejection: the scope has that error.
   * The same holds for each promise derived from it, up to the first `onRejected`. An error thrown by `onFulfilled` is unhandled
   * as usual.
   */
  // biome-ignore lint/suspicious/noThenProperty: being awaitable is what this class is for
  then<A = T, B = never>(
    onFulfilled?: ((value: T) => A | PromiseLike<A>) | null,
    onRejected?: ((error: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    if (typeof onRejected === 'function') return waitFor(this).then(onFulfilled, onRejected);
    return derive(this).then(onFulfilled);
  }

  /** Works as a promise's `catch`. */
  catch<B = never>(onRejected?: ((error: unknown) => B | PromiseLike<B>) | null): Promise<T | B> {
    return this.then(undefined, onRejected);
  }

  /** Works as a promise's `finally`. The task's own error is not an unhandled rejection here; an error of `onFinally` is. */
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
    parent?.onFailureClaimed(this);
    failurePolls.set(this, (failurePolls.get(this) ?? 0) + 1);
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

/** For each task, how often a waiter received its failure. */
const failurePolls: WeakMap<Task<unknown>, number> = new WeakMap();

/** Whether any code has received the failure of the task. */
export function isSeen(task: Task<unknown>): boolean {
  return (failurePolls.get(task) ?? 0) > (silentWaits.get(task) ?? 0);
}

/** Lets the event loop run in a loop over tasks that compute. `wait` alone counts completions only. */
function waitFor<T>(task: Task<T>): Promise<T> {
  void consumeSlice();
  return wait(task);
}

/** A promise that leaves the task's own error to the scope. A function for the same reason as `end` below. */
function derive<T>(task: Task<T>): Promise<T> {
  const derived = new TaskPromise<T>((resolve, reject) => void waitFor(task).then(resolve, reject));
  derived.wait = new TaskWait(task);
  derived.wait.expectsFailure();
  return derived;
}

/** For reactions that run one microtask later. */
const settled: Promise<void> = Promise.resolve();

function fulfil(this: Task<unknown>, value: unknown): void {
  end(this, 'fulfilled', value);
}

function fail(this: Task<unknown>, error: unknown): void {
  end(this, endedByCancellation(error, this.token) ? 'cancelled' : 'rejected', error);
}

/** A function, since a private method costs each task a field, and time. */
function end(task: Task<unknown>, status: TaskStatus, value: unknown): void {
  onTaskEnd();
  task.current = status;
  task.value = value;
  task.token.dispose();
  const parent = task.parent as TaskParent;
  // The scope first: code that awaits this task then finds its siblings cancelled.
  if (!parent.onTaskEnd(task)) task.parent = undefined;
  if (task.head !== undefined) wakeAll(task);
}

// Declared by merging: isolatedDeclarations allows no computed key but the language's own in a class.
export interface Task<T> extends Source<T> {}
