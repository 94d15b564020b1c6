/**
 * The machine of a scope.
 *
 *     BODY ──────► JOINING ──────► CLEANING ──────► CLOSED
 *       │ the body    │ the last       │ the last       the promise settles
 *       │ settles     │ child ends     │ cleanup ends
 *
 * Invariants
 *  1. A child is in the list from `spawn` until it has ended; `spawn` refuses from CLEANING on. The scope is therefore
 *     never CLOSED while a child runs.
 *  2. The first failure, of the body, a child or a cleanup, cancels the scope's token; `failures` grows in order of
 *     failure and holds no error twice: a body that awaits a failing child throws the child's error again.
 *  3. Each cleanup runs once, the last one deferred first, one after the other, whatever the others did.
 *  4. The token is disposed when CLOSED: what is cancelled above later does not reach work that has ended.
 */

import {
  CancellationToken,
  CancelledError,
  ClosedError,
  consumeBudget,
  isCancellationOf,
} from '@quiesce/cancellation-token';
import { append, isThenable, remove, show } from '@quiesce/internal';
import { ScopeError } from './errors.ts';
import { Task } from './task.ts';

const BODY = 0;
const JOINING = 1;
const CLEANING = 2;
const CLOSED = 3;

/** How a scope runs. */
export interface ScopeOptions {
  /** Cancels the scope; a scope whose signal is cancelled already does not start its body. */
  readonly signal?: CancellationToken | AbortSignal | undefined;
  /** How error texts call it. */
  readonly name?: string | undefined;
}

/** How a task runs. */
export interface SpawnOptions {
  /** How error texts call it. */
  readonly name?: string | undefined;
}

/** What is run when a scope ends. */
export type Cleanup = () => unknown;

/**
 * The inside of `scope(…)`: starts tasks and registers cleanups that the scope awaits before it settles.
 */
export class Scope {
  /** @internal The children that are running. */
  head: Task<unknown> | undefined = undefined;
  /** The name given to `scope`. */
  readonly name: string | undefined;
  /** Cancelled with the scope's `signal`, by `cancel`, and by the first failure; the children's tokens are below it. */
  readonly token: CancellationToken;
  readonly #cleanups: Cleanup[] = [];
  readonly #failures: Set<unknown> = new Set();
  #state: typeof BODY | typeof JOINING | typeof CLEANING | typeof CLOSED = BODY;
  /** Called when the last child has ended; set while the scope waits for that. */
  #joined: (() => void) | undefined = undefined;

  /** @internal */
  constructor(options?: ScopeOptions) {
    const outer = options?.signal === undefined ? undefined : CancellationToken.from(options.signal);
    this.name = options?.name;
    this.token = outer === undefined ? new CancellationToken() : outer.childToken();
  }

  /** `token.signal`, for everything that takes an `AbortSignal`. */
  get signal(): AbortSignal {
    return this.token.signal;
  }

  /**
   * Starts work that the scope will await, whatever happens.
   *
   * **Timing.** `work` is called synchronously; the task never ends inside this call. In a cancelled scope it starts
   * with a cancelled token. When the work fails, the scope's token is cancelled before anybody who awaits the task goes on.
   *
   * @param work gets a token of its own below the scope's
   * @param options `name`: how error texts call it
   * @returns the task; its failure is the scope's, also if nobody awaits the task
   * @throws ClosedError when the body has returned and the last child has ended, also in cleanups; TypeError when `work`
   *   is not a function
   * @see tokio::task::JoinSet::spawn (tokio 1.53)
   */
  spawn<T>(work: (token: CancellationToken) => T, options?: SpawnOptions): Task<Awaited<T>> {
    if (typeof work !== 'function') throw new TypeError(`spawn: expected a function, got ${show(work)}`);
    if (this.#state >= CLEANING) throw this.#closed('spawn');
    const task = new Task<Awaited<T>>(this, this.token.childToken(), options?.name);
    append<Task<unknown>>(this, task);
    task.start(work);
    return task;
  }

  /**
   * Registers a cleanup, to be run once when the body and all children have ended: the last one first, one after the
   * other, untouched by cancellation. An error of one is a failure of the scope; the others run all the same.
   *
   * @throws ClosedError when the scope has settled; TypeError when `cleanup` is not a function
   */
  defer(cleanup: Cleanup): void {
    if (typeof cleanup !== 'function') throw new TypeError(`defer: expected a function, got ${show(cleanup)}`);
    if (this.#state === CLOSED) throw this.#closed('defer');
    this.#cleanups.push(cleanup);
  }

  /**
   * Cancels the body and all children; the scope then awaits them, cleans up, and rejects with the reason unless its
   * body had fulfilled before.
   *
   * @param reason default: a `CancelledError` that names the scope
   * @returns whether this call cancelled the scope
   */
  cancel(reason?: unknown): boolean {
    if (reason !== undefined) return this.token.cancel(reason);
    return this.token.cancel(new CancelledError(`Scope ${this.#label()}was cancelled`, { source: 'scope' }));
  }

  /** @internal Runs the whole life of the scope. */
  async run<T>(body: (scope: this) => T): Promise<Awaited<T>> {
    const token = this.token;
    let value: Awaited<T> | undefined;
    let isCancelled = token.isCancelled;
    try {
      if (!isCancelled) {
        const result: unknown = body(this);
        // A body that returns no promise has fulfilled here and now, before anything can cancel it.
        value = (isThenable(result) ? await result : result) as Awaited<T>;
        isCancelled = token.isCancelled;
      }
    } catch (error) {
      isCancelled = isCancellationOf(error, token);
      if (!isCancelled) this.#failed(error);
    }
    // Kept here, since a disposed token still answers but a later cancel must not count.
    const reason = isCancelled ? token.reason : undefined;
    await this.#join();
    await this.#clean();
    token.dispose();
    const turn = consumeBudget();
    if (turn !== undefined) await turn;
    const failures = [...this.#failures];
    if (failures.length === 1) throw failures[0];
    if (failures.length > 1) throw new ScopeError(this.name, failures);
    if (isCancelled) throw reason;
    return value as Awaited<T>;
  }

  /** @internal */
  ended(task: Task<unknown>): void {
    remove<Task<unknown>>(this, task);
    if (task.state === 'failed') this.#failed(task.error, task.name);
    if (this.head === undefined) this.#joined?.();
  }

  /** Waits for the last child; a child that runs may still spawn others (invariant 1). */
  async #join(): Promise<void> {
    this.#state = JOINING;
    if (this.head !== undefined) {
      await new Promise<void>((resolve) => {
        this.#joined = (): void => {
          this.#state = CLEANING;
          resolve();
        };
      });
    }
    this.#state = CLEANING;
  }

  async #clean(): Promise<void> {
    for (let cleanup = this.#cleanups.pop(); cleanup !== undefined; cleanup = this.#cleanups.pop()) {
      try {
        await cleanup();
      } catch (error) {
        this.#failed(error);
      }
    }
    this.#state = CLOSED;
  }

  /** Takes an error that is a failure (invariant 2). */
  #failed(error: unknown, taskName?: string): void {
    this.#failures.add(error);
    const who = taskName === undefined ? 'A sibling' : `Task ${JSON.stringify(taskName)}`;
    this.token.cancel(new CancelledError(`${who} in the same scope failed`, { source: 'sibling', cause: error }));
  }

  #closed(call: string): ClosedError {
    return new ClosedError(
      `${call}: scope ${this.#label()}has ended: its body and all its tasks are done; ${call} while one of them runs`,
    );
  }

  #label(): string {
    return this.name === undefined ? '' : `${JSON.stringify(this.name)} `;
  }
}

/**
 * Runs `body`, and settles when the body, every task that it spawned and every cleanup that it deferred have ended.
 *
 * A failure of the body or of a task cancels the rest, waits for all of them and their cleanups, and is then thrown, also
 * if the body has caught it. What it settles with, the first that applies: failures (one verbatim, several distinct ones
 * as {@link ScopeError}); the reason, verbatim, if it was cancelled before the body fulfilled; the body's value.
 *
 * **Timing.** The body is called synchronously. That an asynchronous body has fulfilled is known one microtask later; a
 * cancellation in between still counts. Cleanups run when the last child has ended, one at a time.
 *
 * **Cancel safety.** Cancelling the scope cancels what it runs; it settles when all of that has ended, not before.
 *
 * @param body gets the {@link Scope}
 * @param options `signal` cancels the scope, and one that is cancelled already keeps the body from starting; `name`
 * @returns what the body returns
 * @throws what failed, the reason, TypeError when `body` is not a function or `signal` is no signal
 * @see trio.open_nursery (trio 0.31), asyncio.TaskGroup (Python 3.11)
 * @example
 * ```ts
 * const sum = await scope(async (s) => {
 *   s.defer(() => console.log('cleaned up'));
 *   const a = s.spawn(async () => 1);
 *   const b = s.spawn(async () => 2);
 *   return (await a) + (await b);
 * }); // => cleaned up
 * console.log(sum); // => 3
 * ```
 */
export async function scope<T>(body: (scope: Scope) => T, options?: ScopeOptions): Promise<Awaited<T>> {
  if (typeof body !== 'function') throw new TypeError(`scope: expected a function, got ${show(body)}`);
  return new Scope(options).run(body);
}
