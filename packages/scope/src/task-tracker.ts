/**
 * Counts work that is under way, and tells when there is none.
 *
 * Invariants
 *  1. `epoch` grows at each instant at which the tracker becomes closed and empty; those that wait are woken then.
 *  2. A wait remembers the epoch of its making, one before it if the tracker was closed and empty then: it is ready when
 *     the epoch has moved on, for good, whatever happened to the tracker since.
 */

import {
  CancellationToken,
  consumeSlice,
  PENDING,
  type Source,
  untilCancelled,
  type Waiter,
  wait,
} from '@quiesce/cancellation-token';
import {
  callSite,
  checkFunction,
  checkKind,
  checkOptions,
  defineHandle,
  isThenable,
  parkOn,
  unparkFrom,
  type WaiterItem,
  wakeAll,
} from '@quiesce/internal';
import type { Drainable } from './drainable.ts';
import { releaseLeak, watchLeak } from './leak.ts';
import { nativeThen } from './native-then.ts';
import { quoted } from './options.ts';

/** What can be said of a new tracker. */
export interface TaskTrackerOptions {
  /** How reports call it; default: `tasks`. */
  readonly name?: string | undefined;
  /** Reports guards that are collected undisposed, as a `LeakError` to the uncaught handler. Default: false. */
  readonly leakDetection?: boolean | undefined;
}

/**
 * Tells when all work that was handed to it has ended, keeping nothing of what has: for requests, jobs, connections.
 *
 * It fails with nothing, cancels nothing, and refuses nothing: a closed one still counts what is handed to it.
 *
 * **Timing.** Everything but `wait` is synchronous.
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
  /** The name given. */
  readonly name: string;
  /** @internal Who waits for the next instant at which it is closed and empty. */
  head: WaiterItem | undefined = undefined;
  /** @internal */
  epoch = 0;
  #length = 0;
  #isClosed = false;
  readonly #detectsLeaks: boolean;

  /** Makes one that is open and empty. */
  constructor(options?: TaskTrackerOptions) {
    checkOptions('new TaskTracker', options, ['name'], ['leakDetection']);
    this.name = options?.name ?? 'tasks';
    this.#detectsLeaks = options?.leakDetection === true;
  }

  /** How much is under way: promises that have not settled, and guards that are not disposed. */
  get length(): number {
    return this.#length;
  }

  /** Whether nothing is under way. */
  get isEmpty(): boolean {
    return this.#length === 0;
  }

  /** Whether it was closed, and not reopened since. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** The same as `length`. */
  get inFlight(): number {
    return this.#length;
  }

  /**
   * Counts a promise until it has settled.
   *
   * **Timing.** It is counted inside the call, and no longer one microtask before whoever awaits what this returns goes on.
   *
   * @param work a promise, or another thenable
   * @returns a promise with the outcome of `work`, which is to be awaited or handled in its place
   * @throws (rejects) what `work` rejects with; TypeError when `work` is no thenable
   * @see tokio_util::task::TaskTracker::track_future, which counts until the future is dropped
   */
  track<T>(work: PromiseLike<T>): Promise<T> {
    const fulfilled = (value: unknown): unknown => {
      this.#leave();
      return consumeSlice()?.then(() => value) ?? value;
    };
    const rejected = (error: unknown): Promise<never> => {
      this.#leave();
      const turn = consumeSlice();
      if (turn === undefined) throw error;
      return turn.then(() => Promise.reject(error));
    };
    try {
      checkKind(isThenable(work), 'track', 'a promise', work);
      const tracked = nativeThen.call(Promise.resolve(work), fulfilled, rejected) as Promise<T>;
      // Counted once nothing can throw any more, not even for want of stack; neither reaction runs inside of this call.
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
   * @returns a promise with its outcome; a failure that nobody handles is an unhandled rejection, as of any promise
   * @throws (rejects) what the work fails with; TypeError when `work` is not a function
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
   * Counts one more, until the guard is disposed: the in-flight guard for work that is no promise.
   *
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
    const guard = new TrackerGuard(this, () => this.#leave());
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
   * Closes it: only a closed tracker can be waited for to the end. It still counts what is handed to it.
   *
   * @returns whether it was open
   */
  close(): boolean {
    if (this.#isClosed) return false;
    this.#isClosed = true;
    this.#check();
    return true;
  }

  /**
   * Opens it again.
   *
   * @returns whether it was closed
   */
  reopen(): boolean {
    const wasClosed = this.#isClosed;
    this.#isClosed = false;
    return wasClosed;
  }

  /**
   * Waits until the tracker is closed and empty at the same time.
   *
   * **Timing.** The object remembers each such instant since it was made, also one at which nobody awaited it, and though
   * the tracker was reopened or filled since. One that is made anew at each turn of a loop remembers nothing.
   *
   * **Cancel safety.** It can be awaited, given up, and awaited again.
   *
   * @returns a new awaitable, which is also a source, at each call
   * @see tokio_util::task::TaskTracker::wait
   */
  wait(): TrackerWait {
    return new TrackerWait(this, this.#isClosed && this.#length === 0 ? this.epoch - 1 : this.epoch);
  }

  /** The same as `close`. */
  stop(): void {
    this.close();
  }

  /**
   * Waits as `wait`, until `token` is cancelled; only a closed tracker comes to that end.
   *
   * @param token a token or an `AbortSignal`: gives up the wait, and nothing else
   * @throws (rejects) its reason; TypeError when it is neither
   */
  async drain(token: CancellationToken | AbortSignal): Promise<void> {
    const outcome = await wait(untilCancelled(CancellationToken.from(token, 'drain'), this.wait()));
    if (outcome.cancelled) throw outcome.reason;
  }

  #leave(): void {
    this.#length--;
    if (this.#isClosed) this.#check();
  }

  /** Something was closed or has ended (invariant 1). */
  #check(): void {
    if (this.#length > 0) return;
    this.epoch++;
    wakeAll(this);
  }
}

/**
 * One piece of work under way; `using guard = tracker.guard()`.
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
    owns: (value) => #leave in value,
    dispose: 'dispose',
    facts: ({ tracker }) => ({ tracker: tracker.name }),
  });
  /** Which tracker counts it. */
  readonly tracker: TaskTracker;
  /** `undefined` once disposed. */
  #leave: (() => void) | undefined;
  /** The same as `dispose`. */
  declare readonly [Symbol.dispose]: () => void;

  /** @internal */
  constructor(tracker: TaskTracker, leave: () => void) {
    this.tracker = tracker;
    this.#leave = leave;
  }

  /** The work has ended. Synchronous; idempotent. */
  dispose(): void {
    const leave = this.#leave;
    this.#leave = undefined;
    if (leave === undefined) return;
    releaseLeak(this);
    leave();
  }
}

/**
 * What `wait` of a tracker returns: awaitable, and a `select` branch.
 *
 * @see tokio_util::task::task_tracker::TaskTrackerWaitFuture (tokio-util 0.7.19)
 * @example
 * ```ts
 * const tracker = new TaskTracker();
 * void tracker.track(Promise.resolve('work'));
 * tracker.close(); // no wait ends before
 * const { branch } = await select({ idle: tracker.wait(), late: sleep(60_000) });
 * console.log(branch); // => idle
 * ```
 */
export class TrackerWait implements PromiseLike<void> {
  /** @internal See `defineHandle`. */
  static readonly completed: object = /* @__PURE__ */ defineHandle(TrackerWait, {
    name: 'wait',
    owns: (value) => #tracker in value,
    source: (wait) => wait,
    unguarded: ['then', 'poll', 'park', 'unpark', 'once'],
    facts: () => ({}),
  });
  readonly #tracker: TaskTracker;
  /** Ready once the tracker's has moved on from it (invariant 2). */
  readonly #epoch: number;

  /** @internal */
  constructor(tracker: TaskTracker, epoch: number) {
    this.#tracker = tracker;
    this.#epoch = epoch;
  }

  /** Called by `await`. Never rejects. */
  // biome-ignore lint/suspicious/noThenProperty: being awaitable is what this class is for
  then<A = void, B = never>(
    onFulfilled?: ((value: void) => A | PromiseLike<A>) | null,
    onRejected?: ((error: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return wait(this).then(onFulfilled, onRejected);
  }

  /** @internal */
  get once(): true {
    return true;
  }

  /** @internal */
  poll(): undefined | typeof PENDING {
    return this.#tracker.epoch === this.#epoch ? PENDING : undefined;
  }

  /** @internal */
  park(waiter: Waiter): void {
    parkOn(this.#tracker, waiter);
  }

  /** @internal */
  unpark(waiter: Waiter): void {
    unparkFrom(this.#tracker, waiter);
  }
}

// Declared by merging: isolatedDeclarations allows no computed key but the language's own in a class.
export interface TrackerWait extends Source<void> {}
