import {
  type CancellationToken,
  CancelledError,
  isCancellationOf,
  PENDING,
  type Source,
  type SourceProtocol,
  source,
  type Waiter,
  wait,
} from '@quiesce/cancellation-token';
import { parkOn, unparkFrom, type WaiterItem, wakeAll } from '@quiesce/internal';

/** Where a task stands: it starts `running` and ends in one of the others, once. */
export type TaskState = 'running' | 'fulfilled' | 'failed' | 'cancelled';

/** How a task ended. */
export type TaskOutcome<T> =
  | { readonly state: 'fulfilled'; readonly value: T }
  | { readonly state: 'failed' | 'cancelled'; readonly reason: unknown };

/** Who is told that a task has ended; its scope. */
export interface TaskParent {
  ended(task: Task<unknown>): void;
}

/**
 * Work that a scope has started: awaitable, and a `select` branch.
 *
 * Its failure is never an unhandled rejection: the scope takes it, whether or not somebody awaits the task as well.
 *
 * **Cancel safety.** Waiting for a task can be given up at any time; the task goes on.
 *
 * @see tokio::task::JoinHandle (tokio 1.53)
 */
export class Task<T> implements PromiseLike<T> {
  /** @internal Links in the scope's list of what is running. */
  next: Task<unknown> | undefined = undefined;
  /** @internal */
  prev: Task<unknown> | undefined = undefined;
  /** @internal Who waits for the end. */
  head: WaiterItem | undefined = undefined;
  /** The name given to `spawn`. */
  readonly name: string | undefined;
  readonly #token: CancellationToken;
  /** Told at the end, then let go, so that a task that is kept does not keep its scope. */
  #parent: TaskParent | undefined;
  #state: TaskState = 'running';
  /** The value, the error or the reason, from the end on. */
  #value: unknown = undefined;

  /** @internal */
  constructor(parent: TaskParent, token: CancellationToken, name: string | undefined) {
    this.#parent = parent;
    this.#token = token;
    this.name = name;
  }

  /** @internal Starts the work. It never ends inside this call, also when it throws synchronously. */
  start(work: (token: CancellationToken) => unknown): void {
    let result: unknown;
    try {
      result = work(this.#token);
    } catch (error) {
      result = Promise.reject(error);
    }
    Promise.resolve(result).then(
      (value) => this.#end('fulfilled', value),
      (error) => this.#end(isCancellationOf(error, this.#token) ? 'cancelled' : 'failed', error),
    );
  }

  /** Where it stands. */
  get state(): TaskState {
    return this.#state;
  }

  /**
   * Asks the task to stop; it alone, not its scope.
   *
   * **Timing.** Synchronous as `CancellationToken.cancel`; the task has ended when it settles, not before.
   *
   * @param reason default: a `CancelledError` that names the task
   * @returns whether this call cancelled its token: `false` when that was cancelled before, or the task has ended
   */
  cancel(reason?: unknown): boolean {
    if (this.#state !== 'running') return false;
    if (reason !== undefined) return this.#token.cancel(reason);
    const label = this.name === undefined ? '' : `${JSON.stringify(this.name)} `;
    return this.#token.cancel(new CancelledError(`Task ${label}was cancelled`));
  }

  /** Waits for the end, and never rejects. */
  async settled(): Promise<TaskOutcome<T>> {
    try {
      return { state: 'fulfilled', value: await wait(this) };
    } catch (reason) {
      return { state: this.#state as 'failed' | 'cancelled', reason };
    }
  }

  /** Called by `await`: gives the task's value, or throws its error or reason. */
  // biome-ignore lint/suspicious/noThenProperty: being awaitable is what this class is for
  then<A = T, B = never>(
    onFulfilled?: ((value: T) => A | PromiseLike<A>) | null,
    onRejected?: ((error: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return wait(this).then(onFulfilled, onRejected);
  }

  /** As a promise's `catch`. */
  catch<B = never>(onRejected?: ((error: unknown) => B | PromiseLike<B>) | null): Promise<T | B> {
    return this.then(undefined, onRejected);
  }

  /** As a promise's `finally`. */
  finally(onFinally?: (() => void) | null): Promise<T> {
    return wait(this).finally(onFinally);
  }

  /** @internal The error or the reason of a task that has not fulfilled. */
  get error(): unknown {
    return this.#value;
  }

  /** @internal */
  poll(): T | typeof PENDING {
    if (this.#state === 'running') return PENDING;
    if (this.#state === 'fulfilled') return this.#value as T;
    throw this.#value;
  }

  /** @internal */
  park(waiter: Waiter): void {
    parkOn(this, waiter);
  }

  /** @internal */
  unpark(waiter: Waiter): void {
    unparkFrom(this, waiter);
  }

  #end(state: TaskState, value: unknown): void {
    this.#state = state;
    this.#value = value;
    this.#token.dispose();
    const parent = this.#parent;
    this.#parent = undefined;
    // The scope first: whoever awaits this task finds its siblings cancelled already.
    parent?.ended(this);
    wakeAll(this);
  }
}

// Declared by merging: isolatedDeclarations allows no computed key but the language's own in a class.
export interface Task<T> extends Source<T> {}
Object.defineProperty(Task.prototype, source, {
  get(this: Task<unknown>): SourceProtocol<unknown> {
    return this;
  },
});
