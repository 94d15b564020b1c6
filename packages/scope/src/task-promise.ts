import { ignore } from '@quiesce/internal';
import type { Task } from './task.ts';

/** The `then` that `await` calls. A promise's own `then` could call back synchronously, or twice. */
export const nativeThen: Promise<unknown>['then'] = Promise.prototype.then;

/** Tasks that were detached from a set while something waited for them. Their failures belong to that waiter. */
export const orphans: WeakSet<Task<unknown>> = new WeakSet();

/** For each task, the number of waits without a rejection handler. Its failure reaches no code through them. */
export const silentWaits: WeakMap<Task<unknown>, number> = new WeakMap();

/** The state that all promises share that derive from one wait for a task. */
export class TaskWait {
  readonly #task: Task<unknown>;
  /** Set when one of the promises gets a rejection handler. */
  #isHandled = false;
  /** Whether it is counted in `silentWaits`. */
  #isSilent = false;
  /** An error of the wait itself that needs no handler; set by `start`. */
  own: unknown = undefined;

  constructor(task: Task<unknown>) {
    this.#task = task;
  }

  /** The wait receives the failure of the task, now or later. */
  expectsFailure(): void {
    this.#isSilent = !this.#isHandled;
    if (this.#isSilent) this.#count(1);
  }

  /** One of the promises has got a rejection handler. */
  onHandled(): void {
    if (this.#isSilent) this.#count(-1);
    this.#isSilent = false;
    this.#isHandled = true;
  }

  #count(difference: number): void {
    silentWaits.set(this.#task, (silentWaits.get(this.#task) ?? 0) + difference);
  }

  /** Whether an error needs no handler: it is the task's own error, and its scope has it. */
  isTaken(error: unknown): boolean {
    const { current, value, info } = this.#task;
    if (current === 'running' || current === 'fulfilled') return error !== undefined && error === this.own;
    if (!Object.is(error, value)) return false;
    return current === 'cancelled' || (info?.isIsolated !== true && !orphans.has(this.#task));
  }
}

/**
 * A promise that waits for a task, or derives from such a promise with no rejection handler in between. The task's own error
 * is no unhandled rejection here, since the scope has that error. Any other error is one.
 *
 * A subclass, so that it sees derived promises and handlers, including the handler that `await` attaches.
 */
export class TaskPromise<T> extends Promise<T> {
  /** `undefined` after a rejection handler. */
  wait: TaskWait | undefined = undefined;

  // biome-ignore lint/suspicious/noThenProperty: it is a promise
  override then<A = T, B = never>(
    onFulfilled?: ((value: T) => A | PromiseLike<A>) | null,
    onRejected?: ((error: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    const derived = super.then(onFulfilled, onRejected) as TaskPromise<A | B>;
    if (typeof onRejected === 'function') this.wait?.onHandled();
    else {
      derived.wait = this.wait;
      leaveToScope(this, derived);
    }
    return derived;
  }

  override finally(onFinally?: (() => unknown) | null): Promise<T> {
    if (typeof onFinally !== 'function') return this.then();
    const called = nativeThen.call(
      this,
      () => onFinally(),
      () => onFinally(),
    );
    // Not `this`: its `then` would take this reaction for a handler of the caller.
    const derived = nativeThen.call(called, () => nativeThen.call(this)) as TaskPromise<T>;
    derived.wait = this.wait;
    nativeThen.call(called, () => leaveToScope(this, derived), ignore);
    return derived;
  }
}

/** Handles the rejection of a derived promise if the scope has that error. */
function leaveToScope(from: TaskPromise<unknown>, derived: Promise<unknown>): void {
  const { wait } = from;
  if (wait === undefined) return;
  nativeThen.call(from, undefined, (error) => {
    if (wait.isTaken(error)) nativeThen.call(derived, undefined, ignore);
  });
}
