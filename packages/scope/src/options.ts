import { CancellationToken, type Clock } from '@quiesce/cancellation-token';
import { checkOptions, dateTime } from '@quiesce/internal';

/** How a scope runs. */
export interface ScopeOptions {
  /** Cancels the scope; a scope whose signal is cancelled already does not start its body. */
  readonly signal?: CancellationToken | AbortSignal | undefined;
  /**
   * Asks the work of this scope, and of the scopes below it, to end. It cancels nothing: you pass it to the calls that wait.
   * Work that rejects because of it has ended and not failed, so the other tasks go on.
   * In all other scopes this holds for the signal's reason, verbatim or as the `cause` of an `AbortError`, until this scope ends.
   */
  readonly stopSignal?: CancellationToken | AbortSignal | undefined;
  /** How error texts and `tree()` call it. */
  readonly name?: string | undefined;
  /** Cancels the scope with a `TimeoutError` so many milliseconds from now: 0 to `Infinity` (never, the default). */
  readonly timeout?: number | undefined;
  /** Cancels the scope with a `TimeoutError` at this time of day. */
  readonly deadline?: Date | undefined;
  /**
   * For how many milliseconds, 0 to `Infinity` (the default), the scope waits for what it has cancelled, and then again
   * for each cleanup. What is not done by then is named in a `CleanupTimeoutError`.
   */
  readonly cleanupTimeout?: number | undefined;
  /** Where time comes from; default: that of an inherited deadline for `timeout`, else the platform's. */
  readonly clock?: Clock | undefined;
  /** Records where each task was spawned, for `tree()` and `CleanupTimeoutError`: a stack trace a task. Default: false. */
  readonly spawnSites?: boolean | undefined;
  /** Reports a `new Scope` that is collected unclosed, as a `LeakError` to the uncaught handler. Default: false. */
  readonly leakDetection?: boolean | undefined;
}

/** How a task runs. */
export interface SpawnOptions {
  /** How error texts and `tree()` call it. */
  readonly name?: string | undefined;
  /** `true`: the scope does not wait for it, but cancels it, and awaits it, once everything else has ended. */
  readonly daemon?: boolean | undefined;
  /** Identifies it among the running tasks of its scope, by `Map`'s equality; `undefined`: it has no key. */
  readonly key?: unknown;
  /** When a task with this `key` is running: `replace` (the default) cancels that one, `refuse` throws. */
  readonly onConflict?: 'replace' | 'refuse' | undefined;
  /**
   * `cancel` (the default): its failure cancels the scope, and fails it. `isolate`: its failure belongs to whoever awaits
   * it, and is thrown at the scope's end if nobody did.
   */
  readonly onFailure?: 'cancel' | 'isolate' | undefined;
}

/** How a cleanup runs. */
export interface DeferOptions {
  /** How `tree()` and `CleanupTimeoutError` call it; default: the name of the function. */
  readonly name?: string | undefined;
}

/** How `map` runs. */
export interface MapOptions {
  /** How error texts and `tree()` call it. */
  readonly name?: string | undefined;
  /** How many items are worked on at the same time: an integer from 1, or `Infinity`, which is the default. */
  readonly concurrency?: number | undefined;
}

/** What is run when a scope ends. */
export type Cleanup = () => unknown;

/** The options of `scope` and `new Scope`. */
const known: readonly (keyof ScopeOptions)[] = [
  ...(['signal', 'stopSignal', 'name', 'timeout', 'deadline', 'cleanupTimeout', 'clock'] as const),
];
const flags: readonly (keyof ScopeOptions)[] = ['spawnSites', 'leakDetection'];

/** Refuses unknown options and values that are none, in the name of the call that the user wrote. */
export function checkScopeOptions(call: string, options: ScopeOptions | undefined): void {
  checkOptions(call, options, known, flags);
  const { signal, stopSignal, deadline } = options ?? {};
  if (signal !== undefined) CancellationToken.from(signal, `${call}: signal`);
  if (stopSignal !== undefined) CancellationToken.from(stopSignal, `${call}: stopSignal`);
  if (deadline !== undefined) dateTime(`${call}: deadline`, deadline);
}

/** A name in quotes, with a space before it; nothing when there is none. */
export function quoted(name: string | undefined): string {
  return name === undefined ? '' : ` ${JSON.stringify(name)}`;
}
