import { type CancellationToken, CancelledError } from '@quiesce/cancellation-token';
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
import { endOf } from './deadlock.ts';
import { releaseLeak, watchLeak } from './leak.ts';
import { Life } from './life.ts';
import {
  type Cleanup,
  checkScopeOptions,
  type DeferOptions,
  type MapOptions,
  quoted,
  type ScopeOptions,
  type SpawnOptions,
} from './options.ts';
import { firstOf, mapItems } from './several.ts';
import { type Started, startIn } from './start.ts';
import type { Task } from './task.ts';
import { type ScopeTree, snapshot, states } from './tree.ts';
import { useIn } from './use.ts';

/**
 * Owns the tasks that are started in it: what `scope(body)` passes to its body, or made with `new` for a block.
 *
 * In a block, `await using s = new Scope()` **cancels** what is still running when the block is left, awaits it and runs
 * the cleanups, since a disposer is not told whether the block failed; end the block with `await s.join()` to wait for
 * the tasks instead. Without `using`, call `close` in `finally`. Only `scope(body)` tells a failure of the body from its
 * success: here a failure of the block and one of a task meet as the language's `SuppressedError`.
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
    facts: ({ life: { name, token, state, taskCount } }) => {
      const { isCancelled, reason, deadline } = token;
      return { name, state: states[state], taskCount, isCancelled, reason, deadline };
    },
  });
  /** @internal */
  readonly life: Life;
  /** Set by the first `join` or `close`: what all further ones give. */
  #end: Promise<void> | undefined = undefined;
  /** Whether that was `join`, which has taken the errors. */
  #isJoined = false;
  /** The same as `close`. */
  declare readonly [Symbol.asyncDispose]: () => Promise<void>;

  /**
   * Opens a scope for a block.
   *
   * @param options `signal`, `name`, `timeout`, `deadline`, `cleanupTimeout`, `clock`, `spawnSites`, `leakDetection`
   * @throws TypeError when `signal` is no signal; RangeError for a time that is negative or no number
   */
  constructor(options?: ScopeOptions) {
    checkScopeOptions('new Scope', options);
    this.life = new Life(options);
    if (options?.leakDetection !== true) return;
    const what = `Scope${quoted(this.name)}`;
    watchLeak(this, { what, remedy: 'close it, or make it with `await using`', site: callSite(Scope) });
  }

  /** The name given; `undefined`: none. */
  get name(): string | undefined {
    return this.life.name;
  }

  /** Cancelled with the scope's `signal`, by `cancel`, its deadline, and the first failure; the tasks' tokens are below. */
  get token(): CancellationToken {
    return this.life.token;
  }

  /** `token.signal`, for everything that takes an `AbortSignal`. */
  get signal(): AbortSignal {
    return this.token.signal;
  }

  /** When the scope is cancelled at the latest, of its own or inherited; `undefined`: never. */
  get deadline(): Date | undefined {
    return this.token.deadline;
  }

  /**
   * Starts work that the scope will await, whatever happens.
   *
   * **Timing.** `work` is called synchronously; the task never ends inside this call. In a cancelled scope it starts
   * with a cancelled token. When the work fails, the scope's token is cancelled before anybody who awaits the task goes on.
   * A daemon is cancelled when the body and all other tasks have ended. One with the key of a running task and
   * `onConflict: 'replace'` starts at once, beside the earlier one's cleanup; await that where they must not overlap.
   *
   * @param work gets a token of its own below the scope's
   * @param options `name`; `daemon`; `key` and `onConflict`; `onFailure`
   * @returns the task; its failure is the scope's, also if nobody awaits the task, unless `onFailure` is `isolate`
   * @throws ClosedError when the body has returned and the last task has ended, also in cleanups; KeyConflictError when
   *   `onConflict` is `refuse` and a task with that key is running; TypeError when `work` is not a function, or an option
   *   has no such value
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
    // For itself, since `defineHandle` would cost each task some nanoseconds.
    if (!(#end in Object(this))) throw misused(Scope.prototype, 'scope', 'spawn', this);
    return this.life.spawn(work, options, Scope.prototype.spawn);
  }

  /**
   * Starts work and waits until it says that it is ready: a server that listens, a connection that stands.
   *
   * **Timing.** `work` is called synchronously; the promise settles at its first `ready(value)`, or when it ends before.
   *
   * @param work gets a token and `ready`, whose type says what it is called with; a second call is a `ClosedError`
   * @param options as `spawn`
   * @returns `{ task, value }`, the value passed to `ready`
   * @throws (rejects) what the work fails with before it is ready, which is the scope's failure as well, unless
   *   `onFailure` is `isolate`; ClosedError when it returns without being ready; what `spawn` throws
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
    return startIn(this.life, work, options, Scope.prototype.start);
  }

  /**
   * Does the same with every item, several at a time, in a scope of its own.
   *
   * **Timing.** The first ones are started synchronously; items are taken one by one as there is room. After the first
   * failure, or a cancellation, none is started; those that run are cancelled and awaited.
   *
   * @param items what to iterate over
   * @param work gets the item, a token of its own, and the index from 0
   * @param options `name`; `concurrency`: how many at the same time, an integer from 1 or `Infinity`, the default
   * @returns a task with the results in the order of the items; its failure belongs to whoever awaits it, and is thrown
   *   at the scope's end if nobody did
   * @throws ClosedError as `spawn`; RangeError for another `concurrency`; TypeError when `work` is not a function or
   *   `items` not iterable. The task: the first failure, several as {@link ScopeError}; the reason, when cancelled
   * @see Promise.all, which leaves the others running
   * @example
   * ```ts
   * const lengths = await scope((s) => s.map(['a', 'bb', 'ccc'], async (word) => word.length, { concurrency: 2 }));
   * console.log(lengths); // => [ 1, 2, 3 ]
   * ```
   */
  map<I, R>(
    items: Iterable<I>,
    work: (item: I, token: CancellationToken, index: number) => R,
    options: MapOptions = {},
  ): Task<Awaited<R>[]> {
    checkOptions('map', options, ['name', 'concurrency']);
    const { concurrency = Number.POSITIVE_INFINITY, name = 'map' } = options;
    checkFunction('map', work);
    checkIterable('map', items, 'a list');
    checkCount('map: concurrency', concurrency, 1, Number.POSITIVE_INFINITY);
    const { life } = this;
    const site = life.callSite(Scope.prototype.map);
    const run = (signal: CancellationToken): Promise<Awaited<R>[]> =>
      mapItems(items, work, concurrency, { signal, clock: life.clock, site });
    return life.spawn(run, { name, onFailure: 'isolate' }, Scope.prototype.map);
  }

  /**
   * Runs functions against each other in a scope of their own: the first one to end, also by failing or by
   * cancelling itself, decides.
   *
   * **Timing.** All are called synchronously. The losers are cancelled and awaited before the task ends.
   *
   * **Fairness.** The first one to settle wins; of several that have settled, the one that is declared first.
   *
   * @param works at least one function; each gets a token of its own
   * @returns a task with the value of the winner. Its failure, and any error with which a loser failed on its own, belongs
   *   to whoever awaits it. What a loser returns all the same is dropped: `select` would list it.
   * @throws ClosedError as `spawn`; RangeError when there is none; TypeError when one is not a function
   * @see Promise.race, which leaves the losers running
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
    return this.#first('race', works, Scope.prototype.race) as Task<Awaited<ReturnType<W>>>;
  }

  /**
   * As `race`, but a function that fails is out, and the first one to fulfil decides.
   *
   * @param works at least one function; each gets a token of its own
   * @returns a task with the value of the winner; failures are dropped then. When all fail it fails with
   *   {@link ScopeError}, `errors` in order of failure.
   * @throws as `race`
   * @see Promise.any, which leaves the losers running
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
    return this.#first('any', works, Scope.prototype.any) as Task<Awaited<ReturnType<W>>>;
  }

  #first(call: 'race' | 'any', given: Iterable<(token: CancellationToken) => unknown>, above: unknown): Task<unknown> {
    checkIterable(call, given, `a list of functions, as in ${call}([a, b])`);
    const works = [...given];
    for (const work of works) checkFunction(call, work);
    if (works.length === 0) throw new RangeError(`${call}: there is nothing to run; pass at least one function`);
    const { life } = this;
    const site = life.callSite(above);
    const run = (signal: CancellationToken): Promise<unknown> =>
      firstOf(works, call === 'any', { signal, clock: life.clock, site });
    return life.spawn(run, { name: call, onFailure: 'isolate' }, above);
  }

  /**
   * Takes over a resource: it is closed at the scope's end, in its place among the cleanups, untouched by cancellation.
   *
   * A promise of one is awaited by the scope, also when nobody else awaits it or the scope is cancelled meanwhile: what
   * arrives is closed, however late. Its place is that of its arrival.
   *
   * **Timing.** A resource that is no promise is taken over synchronously.
   *
   * @param value the resource, or a promise of it
   * @param closer closes it; default: its `[Symbol.asyncDispose]`, else its `[Symbol.dispose]`
   * @param options `name`: how `tree()` and error texts call its cleanup; default: the name of `closer`
   * @returns a task with the resource. If the promise rejects, that failure belongs to whoever awaits the task, and is
   *   thrown at the scope's end if nobody did. When the resource arrives after the scope has given up on the task, it is
   *   closed, and the task rejects with the reason of its cancellation
   * @throws ClosedError as `spawn`; the resource is closed all the same. TypeError when `closer` is no function. The task:
   *   TypeError for what cannot be disposed
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
    return useIn(this.life, value, closer, options?.name ?? (closer?.name || 'a resource'), Scope.prototype.use);
  }

  /**
   * Registers a cleanup, to be run once when the body and all tasks have ended: the last one first, one after the
   * other, untouched by cancellation. An error of one is a failure of the scope; the others run all the same.
   *
   * @param cleanup what to run; it may wait, no longer than the scope's `cleanupTimeout`
   * @param options `name`: how `tree()` and error texts call it; default: the name of the function
   * @throws ClosedError when the scope has settled; TypeError when `cleanup` is not a function
   * @see Go's defer
   */
  defer(cleanup: Cleanup, options?: DeferOptions): void {
    checkFunction('defer', cleanup);
    checkOptions('defer', options, ['name']);
    this.life.defer(cleanup, options?.name ?? (cleanup.name || 'a cleanup'));
  }

  /**
   * Cancels the body and all tasks; the scope then awaits them, cleans up, and rejects with the reason unless its
   * body had fulfilled before.
   *
   * @param reason default: a `CancelledError` that names the scope
   * @returns whether this call cancelled the scope
   */
  cancel(reason?: unknown): boolean {
    if (this.token.isCancelled) return false;
    if (reason !== undefined) return this.token.cancel(reason);
    const label = this.name === undefined ? '' : `${JSON.stringify(this.name)} `;
    return this.token.cancel(new CancelledError(`Scope ${label}was cancelled`, { source: 'scope' }));
  }

  /** The running task with this key; `undefined`: none. Synchronous. */
  task(key: unknown): Task<unknown> | undefined {
    return this.life.taskOf(key);
  }

  /**
   * What is running now: this scope, its tasks, and the scopes that were given its token or that of one of its tasks.
   *
   * **Timing.** Synchronous; costs something only when called. Spawn sites are recorded in scopes with `spawnSites`.
   *
   * @returns a snapshot of plain data; {@link formatTree} prints it
   * @see tokio::runtime::dump (tokio 1.53)
   */
  tree(): ScopeTree {
    return snapshot(this.life);
  }

  /**
   * Ends the block by waiting: for the tasks, which may still spawn others, and for the cleanups.
   *
   * **Timing.** May wait as long as the tasks do. Further calls, and `close` afterwards, give the same end.
   *
   * @throws (rejects) what failed, as `scope`; the reason, verbatim, when the scope was cancelled before its last task had
   *   ended; TypeError inside of `scope(body)`, which joins by itself, and when a task or cleanup of the scope awaits it
   *   before any other `await`, since each would wait for the other; the scope ends all the same. After an `await` the caller is not
   *   known: such a wait never ends. Node, Bun and Deno print that when the process ends because nothing is left to run
   */
  join(): Promise<void> {
    const { life } = this;
    return this.#finish('join', async () => {
      this.#isJoined = true;
      await endOf(life, 'join');
      life.result();
    });
  }

  /**
   * Ends the block by cancelling: what is running is cancelled and awaited, and the cleanups run. Also as `await using`.
   *
   * **Timing.** After `join` it never rejects: whoever joined has the errors.
   *
   * @throws (rejects) what failed, as `scope`; never a reason; TypeError as `join`
   */
  close(): Promise<void> {
    const { life } = this;
    if (!life.hasBody) this.cancel();
    if (this.#isJoined) return life.calling > 0 ? neverEnds('close', life.label()) : life.over;
    return this.#finish('close', async () => {
      await endOf(life, 'close');
      life.throwFailures();
    });
  }

  #finish(call: string, end: () => Promise<void>): Promise<void> {
    if (this.life.hasBody) {
      return Promise.reject(
        new TypeError(`${call}: scope(body) ends when its body returns; ${call} is for new Scope()`),
      );
    }
    releaseLeak(this);
    this.#end ??= end();
    if (this.life.calling > 0) return neverEnds(call, this.life.label());
    return this.#end;
  }
}

/** What a task or cleanup gets that waits for its own scope. One that only asks for the end does not look at it. */
function neverEnds(call: string, label: string): Promise<never> {
  const text =
    `${call}: a task or cleanup of ${label} awaits ${call}, which waits for that task or cleanup: neither would end. ` +
    `Await ${call} outside of the scope`;
  const refusal = Promise.reject(new TypeError(text));
  refusal.catch(() => {});
  return refusal;
}
