/**
 * Tasks that are joined one by one, as they end.
 *
 * Invariants
 *  1. A task is in `running` from `spawn` until it has ended, then in `done` until it is joined. Both lists are in order.
 *  2. `length` counts both. When a task ends, waiters are woken in order until one has taken it. When the set becomes empty,
 *     all of them are woken. So no waiter is parked while `done` has a task, and a thousand waiters cost a task no more than
 *     one.
 */

import { CancellationToken, type Tried } from '@quiesce/cancellation-token';
import { Awaitable } from '@quiesce/cancellation-token/internal';
import {
  append,
  type Chain,
  checkFunction,
  checkIterable,
  checkOptions,
  defineHandle,
  remove,
  type WaiterItem,
  wakeAll,
  wakeWhile,
} from '@quiesce/internal';
import { ScopeError } from './errors.ts';
import { reportLate, taskLabel } from './failures.ts';
import { JoinNext } from './join-next.ts';
import { JoinSetIterator } from './join-set-iterator.ts';
import { endedByStopSignal } from './stop-signal.ts';
import { Task, type TaskParent } from './task.ts';
import { orphans } from './task-promise.ts';

/** Options for `new JoinSet`. */
export interface JoinSetOptions {
  /** Name shown in errors. */
  readonly name?: string | undefined;
  /** Cancels the tasks of the set. */
  readonly signal?: CancellationToken | AbortSignal | undefined;
}

/** A task that has ended, with its result. */
export type Joined<T> =
  | { readonly task: Task<T>; readonly status: 'fulfilled'; readonly value: T }
  | { readonly task: Task<T>; readonly status: 'rejected'; readonly reason: unknown }
  | { readonly task: Task<T>; readonly status: 'cancelled'; readonly reason: unknown };

/**
 * A collection of tasks that are joined in the order in which they end.
 *
 * Use it when a failure is an ordinary result: unlike in a scope, it cancels no other task. Use a scope when all tasks
 * succeed or fail together.
 *
 * `await using set = new JoinSet()` cancels and awaits the remaining tasks at the end of the block. A set that is neither
 * joined nor disposed stops no task, and reports no failure.
 *
 * **Cancel safety.** A `joinNext` that is given up takes no task.
 *
 * @see tokio::task::JoinSet (tokio 1.53)
 * @example
 * ```ts
 * await using set = new JoinSet<string>();
 * set.spawn(() => sleep(5).then(() => 'slow'));
 * set.spawn(async () => 'fast');
 * for await (const joined of set) if (joined.status === 'fulfilled') console.log(joined.value);
 * // => fast
 * // => slow
 * ```
 */
export class JoinSet<T> implements AsyncDisposable {
  /** @internal See `defineHandle`. */
  static readonly completed: object = /* @__PURE__ */ defineHandle(JoinSet, {
    name: 'set',
    owns: (value) => #token in value,
    asyncDispose: 'shutdown',
    unguarded: ['onTaskEnd', 'onFailureClaimed'],
    facts: ({ name, length }) => ({ name, length }),
  });
  /** The name given, or `undefined`. */
  readonly name: string | undefined;
  /** @internal The waiters for the next task. */
  head: WaiterItem | undefined = undefined;
  readonly #token: CancellationToken;
  /** Invariant 1. */
  readonly #running: Chain<Task<unknown>> = { head: undefined };
  readonly #done: Chain<Task<unknown>> = { head: undefined };
  #length = 0;
  /** Reason used to cancel tasks that are spawned later. Set while `shutdown`, or `joinAll` after a failure, empties the set. */
  #ending: { readonly reason: unknown } | undefined = undefined;
  /** How many calls empty the set now. The last one unsets `#ending`. */
  #emptying = 0;
  /** The same as `shutdown`. */
  declare readonly [Symbol.asyncDispose]: () => Promise<void>;

  /**
   * Creates an empty set.
   *
   * @throws TypeError when `signal` is no signal
   */
  constructor(options?: JoinSetOptions) {
    checkOptions('new JoinSet', options, ['name', 'signal']);
    this.name = options?.name;
    this.#token =
      options?.signal === undefined
        ? new CancellationToken()
        : CancellationToken.from(options.signal, 'new JoinSet: signal');
  }

  /** The number of tasks in the set: those that run, and those that have ended and were not joined. */
  get length(): number {
    return this.#length;
  }

  /** Whether the set has no task. */
  get isEmpty(): boolean {
    return this.#length === 0;
  }

  /**
   * Starts a task.
   *
   * **Timing.** `work` is called synchronously. The task never ends inside this call. While `shutdown`, or `joinAll` after
   * a failure, empties the set, the task starts with a cancelled token.
   *
   * @param work receives a token of its own
   * @param options `name`: shown in errors
   * @returns the task, which you can also await and cancel
   * @throws TypeError when `work` is not a function
   * @see tokio::task::JoinSet::spawn
   */
  spawn(
    work: (token: CancellationToken) => T | PromiseLike<T>,
    options?: { readonly name?: string | undefined },
  ): Task<T> {
    checkFunction('spawn', work);
    checkOptions('spawn', options, ['name']);
    const name = options?.name;
    const info =
      name === undefined ? undefined : { name, key: undefined, site: undefined, isDaemon: false, isIsolated: false };
    const task = new Task<T>(this, this.#token.childToken(), info, 0);
    append<Task<unknown>>(this.#running, task);
    this.#length++;
    try {
      if (this.#ending !== undefined) task.cancel(this.#ending.reason);
      task.start(work);
    } catch (error) {
      // Only when the stack overflows: a task that did not start cannot be joined. The count first, since a call may find
      // no room on the stack. A task that then stays in `running` has no effect.
      this.#length--;
      task.current = 'cancelled';
      remove<Task<unknown>>(this.#running, task);
      throw error;
    }
    return task;
  }

  /**
   * Starts a task for each function.
   *
   * @throws TypeError when one of them is not a function; then no task starts
   * @see the implementation of Extend for tokio::task::JoinSet
   */
  extend(works: Iterable<(token: CancellationToken) => T | PromiseLike<T>>): void {
    checkIterable('extend', works, 'a list of functions');
    const all = [...works];
    for (const work of all) checkFunction('extend', work);
    for (const work of all) this.spawn(work);
  }

  /**
   * Waits for the next task to end, and takes it out of the set.
   *
   * **Timing.** A task that has already ended is taken synchronously when the result is polled.
   *
   * **Fairness.** Several waits are served in the order in which they began.
   *
   * **Cancel safety.** The result takes a task only when you await it, or when it wins a `select`. You can await it again,
   * and it then takes another task.
   *
   * @returns an awaitable, which is also a source, of `{ task, status, value }` or `{ task, status, reason }`, or of
   *   `undefined` when the set is empty
   * @see tokio::task::JoinSet::join_next_with_id
   */
  joinNext(): Awaitable<Joined<T> | undefined> {
    return new Awaitable(new JoinNext(this));
  }

  /**
   * Takes a task that has ended, without waiting.
   *
   * @returns `{ ok: true, value }`, where `value` is the task and its result, or `{ ok: false, why }`: `pending` when no task
   *   has ended, or `empty` when the set has no task
   * @see tokio::task::JoinSet::try_join_next_with_id
   * @example
   * ```ts
   * await using set = new JoinSet<string>();
   * console.log(set.tryJoinNext()); // => { ok: false, why: 'empty' }
   * await set.spawn(async () => 'done');
   * const next = set.tryJoinNext();
   * if (next.ok) console.log(next.value.status); // => fulfilled
   * ```
   */
  tryJoinNext(): Tried<Joined<T>, 'pending' | 'empty'> {
    const task = this.#done.head as Task<T> | undefined;
    if (task === undefined) return { ok: false, why: this.isEmpty ? 'empty' : 'pending' };
    remove<Task<unknown>>(this.#done, task);
    this.#length--;
    const status = task.current;
    const value: Joined<T> =
      status === 'fulfilled'
        ? { task, status, value: task.value as T }
        : { task, status: status as 'rejected' | 'cancelled', reason: task.value };
    return { ok: true, value };
  }

  /**
   * Joins all tasks, including tasks that are spawned before it returns.
   *
   * The first task that does not fulfil cancels all others, including tasks that are spawned later. All are awaited.
   *
   * @returns the values, in the order in which the tasks ended
   * @throws (rejects) the failure, verbatim; several distinct ones as {@link ScopeError}; if nothing failed and a task was
   *   cancelled, its reason, which `isCancellation` recognises
   * @see tokio::task::JoinSet::join_all, which panics in these cases
   */
  async joinAll(): Promise<T[]> {
    const values: T[] = [];
    const failures = new Set<unknown>();
    let cancelled: { readonly reason: unknown } | undefined;
    let hasCancelled = false;
    await this.#empty((joined) => {
      if (joined.status === 'fulfilled') {
        values.push(joined.value);
        return;
      }
      // A task that ended because of a stop signal does not cancel the others.
      const cancelsOthers = !endedByStopSignal(joined.reason, this.#token);
      if (cancelsOthers && failures.size === 0 && !hasCancelled) {
        hasCancelled = true;
        this.#cancelAllAndLater(undefined);
      }
      if (joined.status === 'rejected') failures.add(joined.reason);
      else cancelled ??= joined;
    });
    if (failures.size > 1) throw new ScopeError(this.name, [...failures]);
    for (const failure of failures) throw failure;
    if (cancelled !== undefined) throw cancelled.reason;
    return values;
  }

  /**
   * Cancels every running task. All tasks stay in the set until they are joined.
   *
   * **Timing.** Synchronous. The tasks end later.
   *
   * @param reason the reason, verbatim; default: a `CancelledError` for each task
   * @see tokio::task::JoinSet::abort_all
   */
  cancelAll(reason?: unknown): void {
    // A copy: a callback of the cancellation may spawn tasks, which are not cancelled.
    for (const task of copyOf(this.#running)) task.cancel(reason);
  }

  /**
   * Cancels every task, and waits until the set is empty. Tasks that are spawned before that start cancelled.
   *
   * `await using` calls it, and drops its result.
   *
   * @param reason as for `cancelAll`
   * @returns the result of each task that had not been joined before
   * @see tokio::task::JoinSet::shutdown
   */
  async shutdown(reason?: unknown): Promise<readonly Joined<T>[]> {
    const ends: Joined<T>[] = [];
    this.#cancelAllAndLater(reason);
    await this.#empty((joined) => ends.push(joined));
    return ends;
  }

  /** Cancels every task, including those that are spawned until `#empty` is done. */
  #cancelAllAndLater(reason: unknown): void {
    this.#ending ??= { reason };
    this.cancelAll(reason);
  }

  /** Joins until the set is empty. Checks again after each wait, since tasks may be spawned before it resumes. */
  async #empty(each: (joined: Joined<T>) => void): Promise<void> {
    this.#emptying++;
    try {
      while (this.#length > 0) {
        const joined = await this.joinNext();
        if (joined !== undefined) each(joined);
      }
    } finally {
      this.#emptying--;
      if (this.#emptying === 0) this.#ending = undefined;
    }
  }

  /**
   * Removes all tasks from the set without cancelling them. The set no longer waits for them.
   *
   * This is the one exception to "no task outlives its owner". A task that fails later, or has failed unjoined, is reported
   * to the uncaught handler with its name, unless other code awaits that task.
   *
   * **Timing.** Synchronous.
   *
   * @see tokio::task::JoinSet::detach_all
   */
  detachAll(): void {
    const [running, done] = [copyOf(this.#running), copyOf(this.#done)];
    for (const task of running) {
      remove<Task<unknown>>(this.#running, task);
      task.parent = detached;
    }
    for (const task of done) {
      remove<Task<unknown>>(this.#done, task);
      if (task.parent !== undefined) detached.onTaskEnd(task);
    }
    this.#length = 0;
    wakeAll(this);
  }

  /**
   * Iterates over the tasks as they end, and joins each one. Ends when the set is empty.
   *
   * If the loop ends early, the remaining tasks stay in the set. `return()` ends a pending `next()`, which then takes no task.
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<Joined<T>, undefined, undefined> & AsyncDisposable {
    return new JoinSetIterator(() => this.joinNext());
  }

  /** @internal */
  onTaskEnd(task: Task<unknown>): boolean {
    remove(this.#running, task);
    append(this.#done, task);
    wakeWhile(this, () => this.#done.head !== undefined || this.#length === 0);
    // A failed task keeps this set as its parent until other code receives the failure, for `detachAll`.
    return task.current === 'rejected';
  }

  /** @internal */
  onFailureClaimed(): void {}
}

/** The parent of detached tasks. */
const detached: TaskParent = {
  onTaskEnd(task) {
    if (task.current !== 'rejected') return false;
    // A waiter for the task receives its failure.
    if (task.head === undefined) reportLate(taskLabel(task.name), 'its set had detached it', task.value);
    else orphans.add(task);
    return false;
  },
  onFailureClaimed() {},
};

/** A copy of a list. */
function copyOf({ head }: Chain<Task<unknown>>): Task<unknown>[] {
  const tasks: Task<unknown>[] = [];
  for (let task = head; task !== undefined; task = task.next === head ? undefined : task.next) tasks.push(task);
  return tasks;
}
