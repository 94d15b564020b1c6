import { ignore } from '@quiesce/internal';
import { nativeThen } from './native-then.ts';
import type { Task } from './task.ts';

/** Tasks that a set has let go of while something waited for them: their failures belong to it. */
export const orphans: WeakSet<Task<unknown>> = new WeakSet();

/** How many waits for a task look at its value only, or not at all: its failure reaches nothing through them. */
export const silentWaits: WeakMap<Task<unknown>, number> = new WeakMap();

/** What the promises that are derived from one wait for a task know of it. */
export class TaskWait {
  readonly #task: Task<unknown>;
  /** Whether one of the promises has a rejection handler. */
  #isHandled = false;
  /** Whether it counts as silent. */
  #isSilent = false;
  /** An error of the wait itself that needs no handler; set by `start`. */
  own: unknown = undefined;

  constructor(task: Task<unknown>) {
    this.#task = task;
  }

  /** The failure of the task is thrown to it, now or later. */
  looks(): void {
    this.#isSilent = !this.#isHandled;
    if (this.#isSilent) this.#count(1);
  }

  handle(): void {
    if (this.#isSilent) this.#count(-1);
    this.#isSilent = false;
    this.#isHandled = true;
  }

  #count(more: number): void {
    silentWaits.set(this.#task, (silentWaits.get(this.#task) ?? 0) + more);
  }

  /** Whether an error needs no handler: it is the task's own, and its scope has taken it. */
  isTaken(error: unknown): boolean {
    const { current, value, info } = this.#task;
    if (current === 'running' || current === 'fulfilled') return error !== undefined && error === this.own;
    if (!Object.is(error, value)) return false;
    return current === 'cancelled' || (info?.isIsolated !== true && !orphans.has(this.#task));
  }
}

/**
 * A promise that waits for a task, or is derived from one that does, without a rejection handler in between. The task's own error is no
 * unhandled rejection of it, since the scope has that error. Any other error is one.
 *
 * A subclass, so that it learns of promises that are derived from it, and of handlers: `await` attaches one as well.
 */
export class TaskPromise<T> extends Promise<T> {
  /** `undefined` behind a rejection handler. */
  wait: TaskWait | undefined = undefined;

  // biome-ignore lint/suspicious/noThenProperty: it is a promise
  override then<A = T, B = never>(
    onFulfilled?: ((value: T) => A | PromiseLike<A>) | null,
    onRejected?: ((error: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    const derived = super.then(onFulfilled, onRejected) as TaskPromise<A | B>;
    if (typeof onRejected === 'function') this.wait?.handle();
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
    // Not `this`, whose `then` would take that for a handler of the caller's.
    const derived = nativeThen.call(called, () => nativeThen.call(this)) as TaskPromise<T>;
    derived.wait = this.wait;
    nativeThen.call(called, () => leaveToScope(this, derived), ignore);
    return derived;
  }
}

/** Handles the rejection of a derived promise when it is one that the scope has taken. */
function leaveToScope(from: TaskPromise<unknown>, derived: Promise<unknown>): void {
  const { wait } = from;
  if (wait === undefined) return;
  nativeThen.call(from, undefined, (error) => {
    if (wait.isTaken(error)) nativeThen.call(derived, undefined, ignore);
  });
}
