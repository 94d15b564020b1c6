import { CancellationToken, type Clock } from '@quiesce/cancellation-token';
import { type BackoffOptions, checkOptions, dateTime } from '@quiesce/internal';

/** Options for `scope` and `new Scope`. */
export interface ScopeOptions {
  /** Cancels the scope. If it is already cancelled, the body does not start. */
  readonly signal?: CancellationToken | AbortSignal | undefined;
  /**
   * Requests that the work of this scope, and of the scopes below it, ends. It cancels nothing: pass it to the calls that wait.
   * Work that rejects because of it counts as cancelled and not as failed, so the other tasks continue.
   * In all other scopes this holds for the signal's reason, verbatim or as the `cause` of an `AbortError`, until this scope ends.
   */
  readonly stopSignal?: CancellationToken | AbortSignal | undefined;
  /** Name shown in errors and in `tree()`. */
  readonly name?: string | undefined;
  /** Cancels the scope with a `TimeoutError` after this time, in milliseconds from 0 to `Infinity` (never, the default). */
  readonly timeout?: number | undefined;
  /** Cancels the scope with a `TimeoutError` at this date. */
  readonly deadline?: Date | undefined;
  /**
   * How long the scope waits for cancelled work, and then for each cleanup, in milliseconds from 0 to `Infinity` (the
   * default). After that it gives up on the work, and names it in a `CleanupTimeoutError`. It also holds for the work that a `map`,
   * a `race` or an `any` cancels.
   */
  readonly cleanupTimeout?: number | undefined;
  /** Source of time. Default: the platform's clock; for `timeout`, the clock of an inherited deadline. */
  readonly clock?: Clock | undefined;
  /** Records the line that spawned each task, for `tree()` and `CleanupTimeoutError`. Costs a stack trace a task. */
  readonly spawnSites?: boolean | undefined;
  /** Reports a `new Scope` that is garbage-collected unclosed, as a `LeakError` to the uncaught handler. Default: false. */
  readonly leakDetection?: boolean | undefined;
}

/** Options for restarting a task. */
export interface RestartOptions extends BackoffOptions {
  /** With `failure` (the default), the work is restarted when it has thrown. With `always`, also when it has returned. */
  readonly when?: 'failure' | 'always' | undefined;
  /**
   * How many restarts are allowed within `within`: an integer from 0, or `Infinity`. At one more, the task fails with a
   * `RetryError`, which has the last 100 errors. Default: 5.
   */
  readonly limit?: number | undefined;
  /** The time in which the restarts count, in milliseconds from 0 to `Infinity`. Default: 60,000. */
  readonly within?: number | undefined;
  /** Returns whether the work is restarted after this error. It must not be async. Default: after every error. */
  readonly restartIf?: ((error: unknown) => boolean) | undefined;
  /** Called before the delay of each restart. Default: the failure is printed with `console.warn`. */
  readonly onRestart?: ((restart: Restart) => void) | undefined;
}

/** The end of a run that is followed by another one. */
export interface Restart {
  /** The error, or `undefined` when the work returned. */
  readonly error: unknown;
  /** How often the task has been restarted, this time included. */
  readonly restartCount: number;
  /** The delay before the next run, in milliseconds. */
  readonly delayMs: number;
}

/** Options for `spawn` and `start`. */
export interface SpawnOptions {
  /** Name shown in errors and in `tree()`. */
  readonly name?: string | undefined;
  /** If `true`, the scope cancels and awaits the task once everything else has ended. Default: false. */
  readonly daemon?: boolean | undefined;
  /** Identifies the task among the running tasks of its scope, by `Map`'s equality. `undefined` means no key. */
  readonly key?: unknown;
  /** If a task with this `key` is running, `replace` (the default) cancels that task, and `refuse` throws. */
  readonly onConflict?: 'replace' | 'refuse' | undefined;
  /**
   * With `cancel` (the default), a failure of the task cancels the scope and fails it. With `isolate`, the failure belongs to
   * the code that awaits the task. If no code did, the scope throws it at its end.
   */
  readonly onFailure?: 'cancel' | 'isolate' | undefined;
  /**
   * Starts the work again when it fails, with a growing delay, and fails the task when it fails too often. `{}` takes the
   * defaults: 5 restarts within a minute. Use it for work that runs as long as its scope, such as a consumer of a queue.
   */
  readonly restart?: RestartOptions | undefined;
}

/** Options for `defer` and `use`. */
export interface DeferOptions {
  /** Name shown in `tree()` and in `CleanupTimeoutError`. Default: the name of the function. */
  readonly name?: string | undefined;
}

/** The progress of a `map` or `mapUnordered`. */
export interface MapProgress {
  /** How many items have fulfilled. */
  readonly completedCount: number;
  /** How many items run. */
  readonly runningCount: number;
  /** How many items there are. Absent when the items have neither a `length` nor a `size`, or are an async iterable. */
  readonly totalCount?: number;
}

/** Options for `map` and `mapUnordered`. */
export interface MapOptions {
  /** Name shown in errors and in `tree()`. */
  readonly name?: string | undefined;
  /**
   * How many items run at once: an integer from 1, or `Infinity` (the default). In `mapUnordered`, an item whose result is unread
   * counts as running.
   */
  readonly concurrency?: number | undefined;
  /** Cancels the token of an item with a `TimeoutError` after this time, in milliseconds from 0. Default: no limit. */
  readonly timeout?: number | undefined;
  /**
   * Starts no more items once it is cancelled. The running items end as usual, and `map` fulfils with the results so far: those
   * of the first items. `mapUnordered` ends after their results.
   */
  readonly stopSignal?: CancellationToken | AbortSignal | undefined;
  /** Called when an item starts, and when it has fulfilled. */
  readonly onProgress?: ((progress: MapProgress) => void) | undefined;
}

/** A function that a scope runs at its end. It may return a promise. */
export type Cleanup = () => unknown;

/** The names of `ScopeOptions`. */
const known: readonly (keyof ScopeOptions)[] = [
  ...(['signal', 'stopSignal', 'name', 'timeout', 'deadline', 'cleanupTimeout', 'clock'] as const),
];
const flags: readonly (keyof ScopeOptions)[] = ['spawnSites', 'leakDetection'];

/** Throws for unknown options and wrong values, naming the call that the user wrote. */
export function checkScopeOptions(call: string, options: ScopeOptions | undefined): void {
  checkOptions(call, options, known, flags);
  const { signal, stopSignal, deadline } = options ?? {};
  if (signal !== undefined) CancellationToken.from(signal, `${call}: signal`);
  if (stopSignal !== undefined) CancellationToken.from(stopSignal, `${call}: stopSignal`);
  if (deadline !== undefined) dateTime(`${call}: deadline`, deadline);
}

/** A name in quotes after a space, or the empty string without a name. */
export function quoted(name: string | undefined): string {
  return name === undefined ? '' : ` ${JSON.stringify(name)}`;
}
