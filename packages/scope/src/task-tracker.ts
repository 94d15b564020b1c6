/**
 * Counts work in progress, and waits until none is left.
 *
 * Invariants
 *  1. The epoch grows each time the tracker becomes closed and empty. All waiters are woken then.
 *  2. A wait keeps the epoch of its creation, or the one before if the tracker was closed and empty then. It is ready once the
 *     tracker's epoch differs, and stays ready.
 */

import { CancellationToken, consumeSlice, wait } from '@quiesce/cancellation-token';
import { Awaitable, Condition, untilCancelled } from '@quiesce/cancellation-token/internal';
import {
  callSite,
  checkFunction,
  checkKind,
  checkOptions,
  defineHandle,
  isThenable,
  type WaiterList,
  wakeAll,
} from '@quiesce/internal';
import type { Drainable } from './drainable.ts';
import { releaseLeak, watchLeak } from './leak.ts';
import { quoted } from './options.ts';
import { nativeThen } from './task-promise.ts';

/** Options for `new TaskTracker`. */
export interface TaskTrackerOptions {
  /** Name shown in reports. Default: `tasks`. */
  readonly name?: string | undefined;
  /** Reports a guard that is garbage-collected undisposed, as a `LeakError` to the uncaught handler. Default: false. */
  readonly leakDetection?: boolean | undefined;
}

/**
 * Counts work in progress, such as requests, jobs or connections, and waits until none is left. Retains nothing about finished
 * work.
 *
 * A tracker never fails, and cancels nothing. A closed tracker still counts new work. Use it when you need only the count.
 * Use a `JoinSet` when you need the results, and a scope when a failure must cancel the other tasks.
 *
 * **Timing.** All methods are synchronous, except `wait` and `drain`.
 *
 * @see tokio_util::task::TaskTracker (tokio-util 0.7.19)
 * @example
 * ```ts
 * const tracker = new TaskTracker();
 * void tracker.spawn(() => sleep(1));
 * tracker.close();
 * console.log(tracker.length); // => 1
 * await tracker.wait();
 * console.log(tracker.length); // => 0
 * ```
 */
export class TaskTracker implements Drainable {
  /** @internal See `defineHandle`. */
  static readonly completed: object = /* @__PURE__ */ defineHandle(TaskTracker, {
    name: 'tracker',
    owns: (value) => #length in value,
    facts: ({ name, length, isClosed }) => ({ name, length, isClosed }),
  });
  /** The name given to the constructor. */
  readonly name: string;
  #epoch = 0;
  #length = 0;
  #isClosed = false;
  readonly #detectsLeaks: boolean;
  /** The waiters for the next time that the tracker becomes closed and empty. */
  readonly #waiting: WaiterList = { head: undefined };

  /**
   * Creates an open, empty tracker.
   *
   * @throws TypeError for an unknown option
   */
  constructor(options?: TaskTrackerOptions) {
    checkOptions('new TaskTracker', options, ['name'], ['leakDetection']);
    this.name = options?.name ?? 'tasks';
    this.#detectsLeaks = options?.leakDetection === true;
  }

  /** The amount of work in progress: unsettled promises, and guards that are not disposed. */
  get length(): number {
    return this.#length;
  }

  /** Whether no work is in progress. */
  get isEmpty(): boolean {
    return this.#length === 0;
  }

  /** Whether the tracker is closed. `reopen` makes it false again. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** The same as `length`. */
  get inFlightCount(): number {
    return this.#length;
  }

  /**
   * Counts a promise until it has settled.
   *
   * **Timing.** Counted synchronously. The count drops one microtask before code that awaits the returned promise resumes.
   *
   * @param work a promise, or another thenable
   * @returns a promise with the outcome of `work`. Await or handle this promise in place of `work`
   * @throws (rejects) the error of `work`; TypeError when `work` is no thenable
   * @see tokio_util::task::TaskTracker::track_future, which counts until the future is dropped
   */
  track<T>(work: PromiseLike<T>): Promise<T> {
    const fulfilled = (value: unknown): unknown => {
      this.#workEnded();
      return consumeSlice()?.then(() => value) ?? value;
    };
    const rejected = (error: unknown): Promise<never> => {
      this.#workEnded();
      const pause = consumeSlice();
      if (pause === undefined) throw error;
      return pause.then(() => Promise.reject(error));
    };
    try {
      checkKind(isThenable(work), 'track', 'a promise', work);
      const tracked = nativeThen.call(Promise.resolve(work), fulfilled, rejected) as Promise<T>;
      // Counted last, when nothing can throw any more, not even a stack overflow. No reaction runs during this call.
      this.#length++;
      return tracked;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * Starts work, and counts it until it has ended.
   *
   * **Timing.** `work` is called synchronously.
   *
   * @returns a promise with its outcome. An unhandled failure is an unhandled rejection, as for any promise
   * @throws (rejects) the error of the work; TypeError when `work` is not a function
   * @see tokio_util::task::TaskTracker::spawn
   */
  spawn<T>(work: () => T): Promise<Awaited<T>> {
    const run = async (): Promise<Awaited<T>> => {
      checkFunction('spawn', work);
      return await work();
    };
    return this.track(run());
  }

  /**
   * Counts one piece of work until the guard is disposed. For work that is no promise.
   *
   * @returns the guard; write `using guard = tracker.guard()`, or call its `dispose`
   * @see tokio_util::task::TaskTracker::token
   * @example
   * ```ts
   * const requests = new TaskTracker();
   * {
   *   using _ = requests.guard();
   *   console.log(requests.length); // => 1
   * }
   * console.log(requests.length); // => 0
   * ```
   */
  guard(): TrackerGuard {
    this.#length++;
    const guard = new TrackerGuard(this, () => this.#workEnded());
    if (this.#detectsLeaks) {
      const site = callSite(TaskTracker.prototype.guard);
      watchLeak(guard, {
        what: `A guard of tracker${quoted(this.name)}`,
        remedy: 'dispose it, also after a failure',
        site,
      });
    }
    return guard;
  }

  /**
   * Closes the tracker, so that `wait` can end. A closed tracker still counts new work.
   *
   * @returns whether the tracker was open
   */
  close(): boolean {
    if (this.#isClosed) return false;
    this.#isClosed = true;
    this.#checkIdle();
    return true;
  }

  /**
   * Opens the tracker again.
   *
   * @returns whether the tracker was closed
   */
  reopen(): boolean {
    const wasClosed = this.#isClosed;
    this.#isClosed = false;
    return wasClosed;
  }

  /**
   * Waits until the tracker is closed and empty at the same time.
   *
   * **Timing.** The wait is ready once that has happened since its creation, even if no code awaited it at that time, and even
   * if the tracker was reopened or got new work since. In a loop, create the wait once: a new one misses earlier ends.
   *
   * **Cancel safety.** You can await it, give it up, and await it again.
   *
   * @returns a new awaitable for each call; it is also a source
   * @see tokio_util::task::TaskTracker::wait
   */
  wait(): Awaitable<void> {
    const epoch = this.#isIdle ? this.#epoch - 1 : this.#epoch;
    return new Awaitable(new Condition(() => this.#epoch !== epoch, this.#waiting));
  }

  /** Closes the tracker, as `close` does: new work is still counted, so stop its source first. */
  stop(): void {
    this.close();
  }

  /**
   * Closes the tracker, and waits as `wait` does, until `signal` is cancelled.
   *
   * A tracker has no `abort`, because it cannot cancel the work that it counts.
   *
   * @param signal a token or an `AbortSignal`. Its cancellation ends the wait, and cancels no work
   * @throws (rejects) the reason of the signal; TypeError for a value that is neither a token nor an `AbortSignal`
   */
  async drain(signal: CancellationToken | AbortSignal): Promise<void> {
    const token = CancellationToken.from(signal, 'drain');
    this.close();
    const outcome = await wait(untilCancelled(token, this.wait()));
    if (outcome.status === 'cancelled') throw outcome.reason;
  }

  /** Whether the tracker is closed and empty. */
  get #isIdle(): boolean {
    return this.#isClosed && this.#length === 0;
  }

  #workEnded(): void {
    this.#length--;
    this.#checkIdle();
  }

  /** Called when the tracker was closed, or work has ended (invariant 1). */
  #checkIdle(): void {
    if (!this.#isIdle) return;
    this.#epoch++;
    wakeAll(this.#waiting);
  }
}

/**
 * One piece of work in progress; `using guard = tracker.guard()`.
 *
 * @see tokio_util::task::task_tracker::TaskTrackerToken (tokio-util 0.7.19)
 * @example
 * ```ts
 * const tracker = new TaskTracker();
 * const guard = tracker.guard();
 * console.log(tracker.length); // => 1
 * guard.dispose();
 * console.log(tracker.length, guard.tracker === tracker); // => 0 true
 * ```
 */
export class TrackerGuard implements Disposable {
  /** @internal See `defineHandle`. */
  static readonly completed: object = /* @__PURE__ */ defineHandle(TrackerGuard, {
    name: 'guard',
    owns: (value) => #release in value,
    dispose: 'dispose',
    facts: ({ tracker }) => ({ tracker: tracker.name }),
  });
  /** The tracker that counts it. */
  readonly tracker: TaskTracker;
  /** Drops the count, or `undefined` once disposed. */
  #release: (() => void) | undefined;
  /** The same as `dispose`. */
  declare readonly [Symbol.dispose]: () => void;

  /** @internal */
  constructor(tracker: TaskTracker, release: () => void) {
    this.tracker = tracker;
    this.#release = release;
  }

  /** Ends the work: the tracker no longer counts it. Synchronous and idempotent. */
  dispose(): void {
    const release = this.#release;
    this.#release = undefined;
    if (release === undefined) return;
    releaseLeak(this);
    release();
  }
}
