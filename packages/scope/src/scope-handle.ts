import { CancellationToken, CancelledError } from '@quiesce/cancellation-token';
import {
  callSite,
  checkCount,
  checkFunction,
  checkIterable,
  checkOptions,
  defineHandle,
  misused,
  refuseExtra,
} from '@quiesce/internal';
import { waitForEnd } from './deadlock.ts';
import { releaseLeak, watchLeak } from './leak.ts';
import { type MapSettings, mapItems } from './map-items.ts';
import { MapResults } from './map-results.ts';
import {
  type Cleanup,
  checkScopeOptions,
  type DeferOptions,
  type MapOptions,
  quoted,
  type ScopeOptions,
  type SpawnOptions,
} from './options.ts';
import { raceWorks } from './race-works.ts';
import { ScopeState } from './scope-state.ts';
import { type Started, startIn } from './start.ts';
import type { Task } from './task.ts';
import { type ScopeTree, snapshot, states } from './tree.ts';
import { useIn } from './use.ts';

/** Checks the arguments of `map` and `mapUnordered`. */
function mapSettings<I, R>(
  call: string,
  items: MapSettings<I, R>['items'],
  work: MapSettings<I, R>['work'],
  options: MapOptions,
): MapSettings<I, R> {
  checkOptions(call, options, ['name', 'concurrency', 'timeout', 'stopSignal', 'onProgress']);
  const { concurrency = Number.POSITIVE_INFINITY, timeout = Number.POSITIVE_INFINITY, onProgress } = options;
  checkFunction(call, work);
  const { [Symbol.asyncIterator]: iterate } = Object(items) as Partial<AsyncIterable<unknown>>;
  if (typeof iterate !== 'function') checkIterable(call, items, 'a list');
  checkCount(`${call}: concurrency`, concurrency, 1, Number.POSITIVE_INFINITY);
  if (onProgress !== undefined) checkFunction(`${call}: onProgress`, onProgress);
  const stopSignal =
    options.stopSignal === undefined ? undefined : CancellationToken.from(options.stopSignal, `${call}: stopSignal`);
  return { items, work, concurrency, timeout, stopSignal, onProgress };
}

/**
 * Owns tasks and cleanups. `scope(body)` passes one to its body. Create one with `new` for a block.
 *
 * In a block, `await using s = new Scope()` **cancels** the tasks that still run at the end of the block, awaits them, and runs
 * the cleanups. A disposer cannot see whether the block failed. To wait for the tasks instead, end the block with
 * `await s.join()`. Without `using`, call `close` in `finally`.
 *
 * Prefer `scope(body)`, which can distinguish a failure of the body from its success. In a block, a failure of the block and a failure
 * of a task become the language's `SuppressedError`.
 *
 * @see trio.Nursery (trio 0.31)
 * @example
 * ```ts
 * const s = new Scope({ name: 'import' });
 * try {
 *   s.defer(() => console.log('cleaned up'));
 *   s.spawn(async () => console.log('working'));
 *   await s.join();
 * } finally {
 *   await s.close();
 * }
 * // => working
 * // => cleaned up
 * ```
 */
export class Scope implements AsyncDisposable {
  /** @internal See `defineHandle`. */
  static readonly completed: object = /* @__PURE__ */ defineHandle(Scope, {
    name: 'scope',
    owns: (value) => #end in value,
    asyncDispose: 'close',
    unguarded: ['spawn'],
    facts: ({ scopeState: { name, token, state, taskCount } }) => {
      const { isCancelled, reason, deadline } = token;
      return { name, state: states[state], taskCount, isCancelled, reason, deadline };
    },
  });
  /** @internal */
  readonly scopeState: ScopeState;
  /** Set by the first `join` or `close`, and returned by all later ones. */
  #end: Promise<void> | undefined = undefined;
  /** Whether that was `join`, which throws the errors. */
  #isJoined = false;
  /** The same as `close`. */
  declare readonly [Symbol.asyncDispose]: () => Promise<void>;

  /**
   * Opens a scope for a block.
   *
   * @param options `signal`, `name`, `timeout`, `deadline`, `cleanupTimeout`, `clock`, `spawnSites`, `leakDetection`
   * @throws TypeError when an option has the wrong type; RangeError for a time out of range
   */
  constructor(options?: ScopeOptions) {
    checkScopeOptions('new Scope', options);
    this.scopeState = new ScopeState(options);
    if (options?.leakDetection !== true) return;
    const what = `Scope${quoted(this.name)}`;
    watchLeak(this, { what, remedy: 'close it, or make it with `await using`', site: callSite(Scope) });
  }

  /** The name given, or `undefined`. */
  get name(): string | undefined {
    return this.scopeState.name;
  }

  /** Cancelled by `signal`, by `cancel`, by the deadline, and by the first failure. The tasks' tokens are its children. */
  get token(): CancellationToken {
    return this.scopeState.token;
  }

  /** The same as `token.signal`, for calls that take an `AbortSignal`. */
  get signal(): AbortSignal {
    return this.token.signal;
  }

  /** The earliest deadline, the scope's own or inherited; `undefined` when there is none. */
  get deadline(): Date | undefined {
    return this.token.deadline;
  }

  /**
   * Starts work as a task. The scope always awaits it.
   *
   * **Timing.** `work` is called synchronously. The task never ends inside this call. In a cancelled scope it starts with a
   * cancelled token. When the work fails, the scope's token is cancelled before code that awaits the task resumes. A daemon is
   * cancelled when the body and all other tasks have ended. With `onConflict: 'replace'` the new task starts at once, while the
   * earlier one cleans up. Await the earlier one first if they must not overlap.
   *
   * @param work receives a token of its own, which is a child of the scope's token
   * @param options `name`; `daemon`; `key` and `onConflict`; `onFailure`
   * @returns the task. Its failure is a failure of the scope, even if no code awaits the task, unless `onFailure` is `isolate`
   * @throws ClosedError when the body and the last task have ended, which includes cleanups; KeyConflictError when `onConflict` is
   *   `refuse` and a task with that key is running; TypeError when `work` is not a function, or an option has a wrong value
   * @see tokio::task::JoinSet::spawn (tokio 1.53), tokio_util::task::JoinMap::spawn (tokio-util 0.7.19)
   * @example
   * ```ts
   * await scope(async (s) => {
   *   const optional = s.spawn(() => Promise.reject(new Error('no avatar')), { onFailure: 'isolate' });
   *   s.spawn(async (token) => {
   *     await token.cancelled();
   *     console.log('watcher stops');
   *   }, { daemon: true });
   *   console.log(await optional.catch(() => 'a placeholder'));
   * });
   * // => a placeholder
   * // => watcher stops
   * ```
   */
  spawn<T>(work: (token: CancellationToken) => T, options?: SpawnOptions): Task<Awaited<T>> {
    // Checked here, since the check of `defineHandle` would cost each task some nanoseconds.
    if (!(#end in Object(this))) throw misused(Scope.prototype, 'scope', 'spawn', this);
    return this.scopeState.spawn(work, options, Scope.prototype.spawn);
  }

  /**
   * Starts work as a task, and waits until it is ready: until a server listens, or a connection is open.
   *
   * **Timing.** `work` is called synchronously. The promise settles at its first call of `ready(value)`, or when the task ends
   * before that.
   *
   * @param work receives a token and `ready`. Annotate `ready` to type its value. A second call of it throws a `ClosedError`
   * @param options as for `spawn`
   * @returns `{ task, value }`, with the value passed to `ready`
   * @throws (rejects) the error of the work when it fails before it is ready, which is also a failure of the scope, unless
   *   `onFailure` is `isolate`; ClosedError when it returns without being ready; the errors of `spawn`
   * @see trio.Nursery.start (trio 0.31)
   * @example
   * ```ts
   * await scope(async (s) => {
   *   const { task, value } = await s.start(async (token, ready: (port: number) => void) => {
   *     ready(8080);
   *     await token.cancelled();
   *   });
   *   console.log('listening on', value); // => listening on 8080
   *   task.cancel();
   * });
   * ```
   */
  start<V = void, T = unknown>(
    work: (token: CancellationToken, ready: (value: V) => void) => T,
    options?: SpawnOptions,
  ): Promise<Started<V, T>> {
    return startIn(this.scopeState, work, options, Scope.prototype.start);
  }

  /**
   * Runs a function for every item, with a concurrency limit, in a scope of its own.
   *
   * **Timing.** The first items of an iterable start synchronously. Each further item is taken when a running one has ended. After
   * the first failure, or a cancellation, no item starts. Running items are cancelled and awaited. At `stopSignal`, running items
   * are only awaited.
   *
   * **Cancel safety.** An item that was taken is started. A pending `next()` of an async iterator is ended by its `return()`. A
   * receiver of a channel then takes no value; an async generator ends only after the promise that it awaits.
   *
   * @param items an iterable or an async iterable
   * @param work receives the item, a token of its own, and the index from 0
   * @param options `name`; `concurrency`: how many items run at once; `timeout`: the time limit of an item; `stopSignal`: starts no
   *   more items; `onProgress`
   * @returns a task with the results, in the order of the items. Its failure belongs to the code that awaits it. If no code
   *   did, the scope throws it at its end
   * @throws ClosedError as `spawn`; TypeError when `work` is not a function, `items` is not iterable, or an option has
   *   the wrong type; RangeError when `concurrency` is out of range. The task rejects with the first failure, with
   *   several as {@link ScopeError}, or with the reason
   * @see Promise.all, which does not stop the others
   * @example
   * ```ts
   * const lengths = await scope((s) => s.map(['a', 'bb', 'ccc'], async (word) => word.length, { concurrency: 2 }));
   * console.log(lengths); // => [ 1, 2, 3 ]
   *
   * const stopSignal = new CancellationToken(); // such as the first Ctrl-C
   * const files = ['a', 'b', 'c'];
   * const copy = async (file: string) => {
   *   if (file === 'b') stopSignal.cancel();
   * };
   * const copied = await scope((s) => s.map(files, copy, { concurrency: 1, stopSignal }));
   * console.log('left:', files.slice(copied.length)); // => left: [ 'c' ]
   * ```
   */
  map<I, R>(
    items: Iterable<I> | AsyncIterable<I>,
    work: (item: I, token: CancellationToken, index: number) => R,
    options: MapOptions = {},
  ): Task<Awaited<R>[]> {
    const settings = mapSettings('map', items, work, options);
    const { scopeState } = this;
    const { clock, cleanupTimeout } = scopeState;
    const site = scopeState.callSite(Scope.prototype.map);
    const run = async (signal: CancellationToken): Promise<Awaited<R>[]> => {
      const results: Awaited<R>[] = [];
      await mapItems(settings, { signal, clock, cleanupTimeout, site }, (value, index) => {
        results[index] = value;
      });
      return results;
    };
    return scopeState.spawn(run, { name: options.name ?? 'map', onFailure: 'isolate' }, Scope.prototype.map);
  }

  /**
   * Runs a function for every item as `map` does, and gives each result as soon as its item has ended.
   *
   * Use it when the results are worked on one by one, or are too many for one list. Use `map` when they are needed together, or
   * in order.
   *
   * **Timing.** The first items start as in `map`. A result that is not read keeps the place of its item among the
   * `concurrency` items, so a slow loop lets no more items start. A loop that ends early, by `break`, `return` or `throw`, cancels
   * the running items and awaits them. At the end of the scope's body and tasks, items whose results no code reads are cancelled.
   *
   * **Cancel safety.** A pending `next()` cannot be given up without its result. To end a loop that waits, use `stopSignal`, or cancel
   * the scope: results that are there are still read, and then the loop ends.
   *
   * @param items an iterable or an async iterable
   * @param work receives the item, a token of its own, and the index from 0
   * @param options as for `map`. At `stopSignal`, the loop ends after the results of the running items
   * @returns the results, in the order in which the items end. After the first failure, or a cancellation, the loop still gets
   *   the results that are there, and then the error. An error of an item that ends after the loop was left is thrown by the scope
   *   at its end
   * @throws as `map`; the loop throws the errors of its task
   * @see futures::stream::StreamExt::buffer_unordered (futures 0.3.31)
   * @example
   * ```ts
   * await scope(async (s) => {
   *   const load = async (page: string) => {
   *     if (page === 'slow') await sleep(10);
   *     return page;
   *   };
   *   for await (const page of s.mapUnordered(['slow', 'fast', 'next'], load, { concurrency: 2 })) console.log(page);
   * });
   * // => fast
   * // => next
   * // => slow
   * ```
   */
  mapUnordered<I, R>(
    items: Iterable<I> | AsyncIterable<I>,
    work: (item: I, token: CancellationToken, index: number) => R,
    options: MapOptions = {},
  ): AsyncIterableIterator<Awaited<R>, undefined, undefined> & AsyncDisposable {
    const settings = mapSettings('mapUnordered', items, work, options);
    const results = new MapResults<R>();
    results.start(settings, options.name ?? 'mapUnordered', this.scopeState, Scope.prototype.mapUnordered);
    return results;
  }

  /**
   * Runs functions concurrently in a scope of their own. The first to settle wins; the others are cancelled and awaited.
   *
   * A function that fails or cancels itself has settled, too. Use `select` to race sources and promises as well.
   *
   * **Timing.** All functions are called synchronously. The task ends when the losers have ended.
   *
   * **Fairness.** The first to settle wins. Of several that have settled, the first in the list wins.
   *
   * @param works at least one function; each receives a token of its own
   * @returns a task with the value of the winner. Its failure, and an error of a loser other than its cancellation, belong to
   *   the code that awaits it. A value that a loser still returns is dropped; `select` lists such values.
   * @throws ClosedError as `spawn`; RangeError when the list is empty; TypeError when one item is not a function
   * @see Promise.race, which does not stop the losers
   * @example
   * ```ts
   * const slow = async (token: CancellationToken) => {
   *   await token.cancelled();
   *   console.log('the loser has stopped');
   * };
   * console.log(await scope((s) => s.race([slow, async () => 'fast'])));
   * // => the loser has stopped
   * // => fast
   * ```
   */
  race<W extends (token: CancellationToken) => unknown>(works: Iterable<W>): Task<Awaited<ReturnType<W>>>;
  race<W extends (token: CancellationToken) => unknown>(
    works: Iterable<W>,
    extra?: unknown,
  ): Task<Awaited<ReturnType<W>>> {
    refuseExtra('race', extra, 'write race([a, b])');
    return this.#race('race', works, Scope.prototype.race) as Task<Awaited<ReturnType<W>>>;
  }

  /**
   * Runs functions concurrently as `race` does. The first to fulfil wins; a function that fails drops out.
   *
   * **Timing.** As `race`.
   *
   * @param works at least one function; each receives a token of its own
   * @returns a task with the value of the winner; then all failures are dropped. If all fail, the task fails with
   *   {@link ScopeError}, with `errors` in order of failure.
   * @throws as `race`
   * @see Promise.any, which does not stop the losers
   * @example
   * ```ts
   * const mirrors = [() => Promise.reject(new Error('down')), async () => 'from the second mirror'];
   * console.log(await scope((s) => s.any(mirrors))); // => from the second mirror
   * ```
   */
  any<W extends (token: CancellationToken) => unknown>(works: Iterable<W>): Task<Awaited<ReturnType<W>>>;
  any<W extends (token: CancellationToken) => unknown>(
    works: Iterable<W>,
    extra?: unknown,
  ): Task<Awaited<ReturnType<W>>> {
    refuseExtra('any', extra, 'write any([a, b])');
    return this.#race('any', works, Scope.prototype.any) as Task<Awaited<ReturnType<W>>>;
  }

  #race(call: 'race' | 'any', given: Iterable<(token: CancellationToken) => unknown>, above: unknown): Task<unknown> {
    checkIterable(call, given, `a list of functions, as in ${call}([a, b])`);
    const works = [...given];
    for (const work of works) checkFunction(call, work);
    if (works.length === 0) throw new RangeError(`${call}: there is nothing to run; pass at least one function`);
    const { scopeState } = this;
    const { clock, cleanupTimeout } = scopeState;
    const site = scopeState.callSite(above);
    const run = (signal: CancellationToken): Promise<unknown> =>
      raceWorks(works, call === 'any', { signal, clock, cleanupTimeout, site });
    return scopeState.spawn(run, { name: call, onFailure: 'isolate' }, above);
  }

  /**
   * Takes ownership of a resource, and closes it at the scope's end, as one of its cleanups.
   *
   * The scope awaits a promise of a resource, even if no other code does, or if the scope is cancelled before. It closes the
   * resource however late it arrives. The order among the cleanups is that of the arrivals.
   *
   * Use it for a resource that only tasks of the scope use. In `runMain`, close a resource that a server or a pool uses with
   * `shutdown.hook`. For cleanup code that closes nothing, use `defer`.
   *
   * **Timing.** A resource that is no promise is registered synchronously.
   *
   * **Cancel safety.** No cancellation keeps the resource from being closed.
   *
   * @param value the resource, or a promise of it
   * @param closer closes it; default: its `[Symbol.asyncDispose]`, else its `[Symbol.dispose]`
   * @param options `name`: name of its cleanup in `tree()` and errors; default: the name of `closer`
   * @returns a task with the resource. If the promise rejects, that failure belongs to the code that awaits the task. If no
   *   code did, the scope throws it at its end. A resource that arrives after the scope has given up on the task is closed,
   *   and the task rejects with the reason of its cancellation
   * @throws ClosedError as `spawn`, and the resource is still closed; TypeError when `closer` is no function. The task rejects
   *   with a TypeError when the resource cannot be disposed
   * @see contextlib.AsyncExitStack.enter_async_context (Python 3.11)
   * @example
   * ```ts
   * await scope(async (s) => {
   *   const file = await s.use(Promise.resolve({ name: 'a.txt' }), ({ name }) => console.log('closed', name));
   *   console.log('reading', file.name);
   * });
   * // => reading a.txt
   * // => closed a.txt
   * ```
   */
  use<T>(value: T, closer?: (resource: Awaited<T>) => unknown, options?: DeferOptions): Task<Awaited<T>> {
    if (closer !== undefined) checkFunction('use', closer);
    checkOptions('use', options, ['name']);
    return useIn(this.scopeState, value, closer, options?.name ?? (closer?.name || 'a resource'), Scope.prototype.use);
  }

  /**
   * Registers a cleanup. It runs once, when the body and all tasks have ended.
   *
   * The last cleanup runs first, one after the other. No cancellation reaches them. An error of one is a failure of the scope,
   * and the others still run.
   *
   * Use it for cleanup code that closes nothing, such as a summary. To close a resource, use `use`.
   *
   * @param cleanup the function to run. It may return a promise, which the scope awaits for up to `cleanupTimeout`
   * @param options `name`: shown in `tree()` and errors; default: the name of the function
   * @throws ClosedError when the scope has settled; TypeError when `cleanup` is not a function
   * @see Go's defer
   */
  defer(cleanup: Cleanup, options?: DeferOptions): void {
    checkFunction('defer', cleanup);
    checkOptions('defer', options, ['name']);
    this.scopeState.defer(cleanup, options?.name ?? (cleanup.name || 'a cleanup'));
  }

  /**
   * Cancels the body and all tasks. The scope then awaits them and runs its cleanups. It rejects with the reason, unless its
   * body had fulfilled before.
   *
   * **Timing.** Synchronous, as `CancellationToken.cancel`. The scope settles later.
   *
   * @param reason the reason, verbatim; default: a `CancelledError` that names the scope
   * @returns whether this call cancelled the scope
   */
  cancel(reason?: unknown): boolean {
    if (this.token.isCancelled) return false;
    if (reason !== undefined) return this.token.cancel(reason);
    const label = this.name === undefined ? '' : `${JSON.stringify(this.name)} `;
    return this.token.cancel(new CancelledError(`Scope ${label}was cancelled`, { source: 'scope' }));
  }

  /** Returns the running task with this key, or `undefined`. Synchronous. */
  task(key: unknown): Task<unknown> | undefined {
    return this.scopeState.taskOf(key);
  }

  /**
   * Returns the running work: this scope, its tasks, and the scopes that were given its token or the token of one of its tasks.
   *
   * **Timing.** Synchronous. It costs nothing until you call it. Scopes with `spawnSites` also record spawn sites.
   *
   * @returns a snapshot of plain data; {@link formatTree} prints it
   * @see tokio::runtime::dump (tokio 1.53)
   */
  tree(): ScopeTree {
    return snapshot(this.scopeState);
  }

  /**
   * Ends the block: waits for the tasks, which may still spawn others, and for the cleanups.
   *
   * Call it from outside the tasks and cleanups of the scope: each would wait for the other. If one of them awaits `join` before
   * any other `await`, that call rejects with a TypeError, and the scope still ends. After another `await` the caller is
   * unknown, and such a wait never ends. Node, Bun and Deno report it when the process ends because nothing is left to run.
   *
   * **Timing.** Waits as long as the tasks run. Later calls of `join` or `close` return the same end.
   *
   * @throws (rejects) the failures, as `scope` does; the reason, verbatim, when the scope was cancelled before its last task had
   *   ended; TypeError inside `scope(body)`, which joins its tasks itself, and inside a task or cleanup of the scope
   */
  join(): Promise<void> {
    const { scopeState } = this;
    return this.#finish('join', async () => {
      this.#isJoined = true;
      await waitForEnd(scopeState, 'join');
      scopeState.result();
    });
  }

  /**
   * Ends the block: cancels and awaits the running tasks, and runs the cleanups. `await using` calls it.
   *
   * **Timing.** After `join` it never rejects: `join` throws the errors.
   *
   * @throws (rejects) the failures, as `scope` does, but never a reason; TypeError as `join`
   */
  close(): Promise<void> {
    const { scopeState } = this;
    if (!scopeState.hasBody) this.cancel();
    if (this.#isJoined) return scopeState.activeCalls > 0 ? neverEnds('close', scopeState.label()) : scopeState.closed;
    return this.#finish('close', async () => {
      await waitForEnd(scopeState, 'close');
      scopeState.throwFailures();
    });
  }

  #finish(call: string, end: () => Promise<void>): Promise<void> {
    if (this.scopeState.hasBody) {
      return Promise.reject(
        new TypeError(`${call}: scope(body) ends when its body returns; ${call} is for new Scope()`),
      );
    }
    releaseLeak(this);
    this.#end ??= end();
    if (this.scopeState.activeCalls > 0) return neverEnds(call, this.scopeState.label());
    return this.#end;
  }
}

/** The result for a task or cleanup that waits for its own scope. The rejection is handled, since the caller may not await it. */
function neverEnds(call: string, label: string): Promise<never> {
  const text =
    `${call}: a task or cleanup of ${label} awaits ${call}, which waits for that task or cleanup: neither would end. ` +
    `Await ${call} outside of the scope`;
  const refusal = Promise.reject(new TypeError(text));
  refusal.catch(() => {});
  return refusal;
}
