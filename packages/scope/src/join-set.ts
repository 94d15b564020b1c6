/**
 * Tasks that are joined one by one, as they end.
 *
 * Invariants
 *  1. A task is in `running` from `spawn` until it has ended, then in `done` until it is joined, each in its order.
 *  2. `length` counts both. When a task ends, those who wait are woken in order until one has taken it; when it was the
 *     last one all of them are, to learn that there is none. So nobody is parked while a task waits in `done`, and a
 *     thousand who wait cost a task no more than one.
 */

import { CancellationToken, consumeSlice, PENDING, type Source, type Waiter, wait } from '@quiesce/cancellation-token';
import {
  append,
  type Chain,
  checkFunction,
  checkIterable,
  checkOptions,
  defineHandle,
  parkOn,
  remove,
  unparkFrom,
  type WaiterItem,
  wakeAll,
  wakeWhile,
} from '@quiesce/internal';
import { ScopeError } from './errors.ts';
import { reportLate, taskLabel } from './failures.ts';
import { JoinSetIterator } from './join-set-iterator.ts';
import { isStopped } from './obedience.ts';
import { Task, type TaskParent } from './task.ts';
import { orphans } from './task-promise.ts';

/** What can be said of a new set. */
export interface JoinSetOptions {
  /** How error texts call it. */
  readonly name?: string | undefined;
  /** Cancels its tasks. */
  readonly signal?: CancellationToken | AbortSignal | undefined;
}

/** A task that has ended, and how. */
export type Joined<T> =
  | { readonly task: Task<T>; readonly status: 'fulfilled'; readonly value: T }
  | { readonly task: Task<T>; readonly status: 'failed'; readonly reason: unknown }
  | { readonly task: Task<T>; readonly status: 'cancelled'; readonly reason: unknown };

/**
 * A collection of tasks, joined in the order in which they end. Unlike in a scope a failure is a result like another one,
 * and cancels nothing.
 *
 * `await using set = new JoinSet()` cancels and awaits what is left at the end of the block. A set that is forgotten
 * stops nothing, and keeps its failures to itself.
 *
 * **Cancel safety.** A `joinNext` that is given up has taken nothing.
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
    unguarded: ['ended', 'asked'],
    facts: ({ name, length }) => ({ name, length }),
  });
  /** The name given; `undefined`: none. */
  readonly name: string | undefined;
  /** @internal Who waits for the next one. */
  head: WaiterItem | undefined = undefined;
  readonly #token: CancellationToken;
  /** Invariant 1. */
  readonly #running: Chain<Task<unknown>> = { head: undefined };
  readonly #done: Chain<Task<unknown>> = { head: undefined };
  #length = 0;
  /** Set while `shutdown`, or `joinAll` after a failure, empties the set: with what a task is cancelled that joins it. */
  #ending: { readonly reason: unknown } | undefined = undefined;
  /** How many calls empty the set. The first one done must not end what the others still count on. */
  #emptying = 0;
  /** The same as `shutdown`. */
  declare readonly [Symbol.asyncDispose]: () => Promise<void>;

  /**
   * Makes an empty set.
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

  /** How many tasks there are: those that run, and those that have ended and were not joined. */
  get length(): number {
    return this.#length;
  }

  /** Whether there is none. */
  get isEmpty(): boolean {
    return this.#length === 0;
  }

  /**
   * Starts a task.
   *
   * **Timing.** `work` is called synchronously; the task never ends inside this call. While `shutdown`, or `joinAll` after
   * a failure, empties the set, it starts with a cancelled token.
   *
   * @param work gets a token of its own
   * @param options `name`: how error texts call it
   * @returns the task, which can be awaited and cancelled by itself
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
      // Only at the end of the stack: what was not started cannot be joined. Not counted first, since there may be no room
      // for a call; what then stays in `running` has no effect.
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
   * @throws TypeError when one of them is not a function: then none is started
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
   * **Timing.** One that has ended already is taken at once. Of several calls the first is served first.
   *
   * **Cancel safety.** What is returned takes a task only when it is awaited or wins a `select`; it can be awaited again,
   * and then takes another one.
   *
   * @returns an awaitable, which is also a source, of `{ task, status, value }` or `{ task, status, reason }`, or of
   *   `undefined` when the set is empty
   * @see tokio::task::JoinSet::join_next_with_id
   */
  joinNext(): JoinNext<T> {
    return new JoinNext(this);
  }

  /**
   * Takes a task that has ended, without waiting.
   *
   * @returns `undefined` when none has
   * @see tokio::task::JoinSet::try_join_next_with_id
   */
  tryJoinNext(): Joined<T> | undefined {
    const task = this.#done.head as Task<T> | undefined;
    if (task === undefined) return undefined;
    remove<Task<unknown>>(this.#done, task);
    this.#length--;
    const status = task.current;
    return status === 'fulfilled'
      ? { task, status, value: task.value as T }
      : { task, status: status as 'failed' | 'cancelled', reason: task.value };
  }

  /**
   * Joins all tasks, also those that are spawned meanwhile.
   *
   * At the first one that does not fulfil the others are cancelled, also those that are spawned from then on, and awaited.
   *
   * @returns the values in the order in which the tasks have ended
   * @throws (rejects) the failure, verbatim; several distinct ones as {@link ScopeError}; when nothing failed and a task
   *   was cancelled, its reason, so that `isCancellation` tells that case
   * @see tokio::task::JoinSet::join_all, which panics there
   */
  async joinAll(): Promise<T[]> {
    const values: T[] = [];
    const failures = new Set<unknown>();
    let cancelled: { readonly reason: unknown } | undefined;
    let isEnding = false;
    await this.#empty((joined) => {
      if (joined.status === 'fulfilled') {
        values.push(joined.value);
        return;
      }
      // Work that a stop signal has ended lets the others go on.
      const isEnd = !isStopped(joined.reason, this.#token);
      if (isEnd && failures.size === 0 && !isEnding) {
        isEnding = true;
        this.#end(undefined);
      }
      if (joined.status === 'failed') failures.add(joined.reason);
      else cancelled ??= joined;
    });
    if (failures.size > 1) throw new ScopeError(this.name, [...failures]);
    for (const failure of failures) throw failure;
    if (cancelled !== undefined) throw cancelled.reason;
    return values;
  }

  /**
   * Cancels every task that runs; all stay in the set until they are joined.
   *
   * @param reason passed on verbatim; default: a `CancelledError` for each
   * @see tokio::task::JoinSet::abort_all
   */
  abortAll(reason?: unknown): void {
    // A copy: what is spawned by those who are told is not meant.
    for (const task of inOrder(this.#running)) task.cancel(reason);
  }

  /**
   * Cancels every task, also those that are spawned meanwhile, and waits until the set is empty. Also as `await using`,
   * which drops what this returns.
   *
   * @param reason as `abortAll`
   * @returns how each task has ended that had not been joined before
   * @see tokio::task::JoinSet::shutdown
   */
  async shutdown(reason?: unknown): Promise<readonly Joined<T>[]> {
    const ends: Joined<T>[] = [];
    this.#end(reason);
    await this.#empty((joined) => ends.push(joined));
    return ends;
  }

  /** Cancels every task, also those that join until `#empty` is done. */
  #end(reason: unknown): void {
    this.#ending ??= { reason };
    this.abortAll(reason);
  }

  /** Joins until there is no task, also none that was spawned while this was about to go on. */
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
   * Lets go of all tasks without cancelling them. Nobody waits for them any more, but whoever has one of them.
   *
   * The one exception to "no task outlives its owner": what fails afterwards, or has failed unjoined, goes to the uncaught
   * handler, with its name, unless somebody awaits that task.
   *
   * @see tokio::task::JoinSet::detach_all
   */
  detachAll(): void {
    const [running, done] = [inOrder(this.#running), inOrder(this.#done)];
    for (const task of running) {
      remove<Task<unknown>>(this.#running, task);
      task.parent = detached;
    }
    for (const task of done) {
      remove<Task<unknown>>(this.#done, task);
      if (task.parent !== undefined) detached.ended(task);
    }
    this.#length = 0;
    wakeAll(this);
  }

  /**
   * The tasks as they end, each joined when it is reached; ends when the set is empty, and leaves the rest if left. `return()` ends
   * a `next()` that waits, which then has taken nothing.
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<Joined<T>, undefined, undefined> & AsyncDisposable {
    return new JoinSetIterator(() => this.joinNext());
  }

  /** @internal */
  ended(task: Task<unknown>): boolean {
    remove(this.#running, task);
    append(this.#done, task);
    wakeWhile(this, () => this.#done.head !== undefined || this.#length === 0);
    // Kept by a failure until somebody asks, for `detachAll`.
    return task.current === 'failed';
  }

  /** @internal */
  asked(): void {}
}

/** The parent of tasks that were let go. */
const detached: TaskParent = {
  ended(task) {
    if (task.current !== 'failed') return false;
    // Whoever waits for the task gets it.
    if (task.head === undefined) reportLate(taskLabel(task.name), 'its set had let go of it', task.value);
    else orphans.add(task);
    return false;
  },
  asked() {},
};

/** A copy of a list. */
function inOrder({ head }: Chain<Task<unknown>>): Task<unknown>[] {
  const tasks: Task<unknown>[] = [];
  for (let task = head; task !== undefined; task = task.next === head ? undefined : task.next) tasks.push(task);
  return tasks;
}

/**
 * What `joinNext` returns: awaitable, and a `select` branch. As a branch of a loop it gives one task after the other; when
 * the set has run empty it gives `undefined` once and is then off.
 * @example
 * ```ts
 * await using set = new JoinSet<string>();
 * set.spawn(async () => 'done');
 * const next = await select({ joined: set.joinNext(), tick: sleep(60_000) });
 * if (next.branch === 'joined') console.log(next.value?.status); // => fulfilled
 * ```
 */
export class JoinNext<T> implements PromiseLike<Joined<T> | undefined> {
  /** @internal See `defineHandle`. */
  static readonly completed: object = /* @__PURE__ */ defineHandle(JoinNext, {
    name: 'wait',
    owns: (value) => #set in value,
    source: (wait) => wait,
    unguarded: ['then', 'poll', 'park', 'unpark'],
    facts: (wait) => ({ name: wait.#set.name, length: wait.#set.length }),
  });
  readonly #set: JoinSet<T>;
  /** @internal Set when the set was empty: the end of the stream. */
  once?: true;

  /** @internal */
  constructor(set: JoinSet<T>) {
    this.#set = set;
  }

  /** Called by `await`. Never rejects. */
  // biome-ignore lint/suspicious/noThenProperty: being awaitable is what this class is for
  then<A = Joined<T> | undefined, B = never>(
    onFulfilled?: ((value: Joined<T> | undefined) => A | PromiseLike<A>) | null,
    onRejected?: ((error: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    // For a loop over tasks that compute; `wait` counts completions only.
    void consumeSlice();
    return wait(this).then(onFulfilled, onRejected);
  }

  /** @internal */
  poll(): Joined<T> | undefined | typeof PENDING {
    const joined = this.#set.tryJoinNext();
    if (joined === undefined && this.#set.isEmpty) {
      this.once = true;
      return undefined;
    }
    if (this.once) delete this.once;
    return joined ?? PENDING;
  }

  /** @internal */
  park(waiter: Waiter): void {
    parkOn(this.#set, waiter);
  }

  /** @internal */
  unpark(waiter: Waiter): void {
    unparkFrom(this.#set, waiter);
  }
}

// Declared by merging: isolatedDeclarations allows no computed key but the language's own in a class.
export interface JoinNext<T> extends Source<Joined<T> | undefined> {}
