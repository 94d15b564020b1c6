import { CancellationToken } from '@quiesce/cancellation-token';
import { checkCount, checkFunction, checkKind, checkOptions, isThenable } from '@quiesce/internal';

/**
 * A component that accepts work and can drain it: a server, a pool, a tracker. A shutdown stops each one and waits for it.
 *
 * Implement it in a class of your own, or make one from functions with {@link drainable}.
 *
 * The calls come in this order: `announce`, `stop`, then `drain` once. `abort` comes only when time has run out.
 *
 * @example
 * ```ts
 * import { type Drainable, TaskTracker } from '@quiesce/scope';
 *
 * const requests = new TaskTracker({ name: 'requests' });
 * const parts: Drainable[] = [requests];
 * for (const part of parts) part.stop();
 * for (const part of parts) await part.drain(CancellationToken.never);
 * console.log(requests.inFlightCount); // => 0
 * ```
 */
export interface Drainable {
  /** The name in reports. */
  readonly name: string;
  /** The number of pieces of work in progress. */
  readonly inFlightCount: number;
  /** The names of the work in progress, for reports, such as `GET /path`. Absent when only the number is known. */
  readonly inFlightNames?: readonly string[];
  /** Whether work can still arrive from outside the process, as at a listening server. Absent when it cannot. */
  readonly isAccepting?: boolean;
  /**
   * Announces the coming stop: readiness becomes false, and each connection ends with its last response.
   * The component still accepts all work. Synchronous and idempotent. Optional.
   */
  announce?(): void;
  /** Stops accepting work. Synchronous and idempotent. May be called without `announce`. */
  stop(): void;
  /**
   * Waits until no work is in progress. Called once, after `stop`.
   *
   * @param signal a token or an `AbortSignal`. Its cancellation ends the wait. A component that can cancel its work does so
   *   then, as `abort` does, before it rejects
   * @throws (rejects) its reason, when it was cancelled before the work had ended
   */
  drain(signal: CancellationToken | AbortSignal): Promise<void>;
  /**
   * Cancels the work in progress. `drain` continues, and settles when that work has ended. Synchronous and idempotent. Called
   * after `stop`, also before `drain`.
   *
   * Optional. A shutdown cancels the signal of `drain` only when it no longer waits. A component without `abort` therefore
   * needs work that ends with `shutdown.stopNow`.
   *
   * @param reason the reason of the cancellation
   */
  abort?(reason: unknown): void;
}

/** The functions of a drainable. */
export interface DrainableOptions {
  /** The name in reports and errors. Not empty. */
  readonly name: string;
  /** Returns the number of pieces of work in progress: an integer from 0. */
  readonly inFlightCount: () => number;
  /** Returns the names of the work in progress, for reports. */
  readonly inFlightNames?: (() => readonly string[]) | undefined;
  /** Returns whether work can still arrive from outside the process, as at a listening server. */
  readonly isAccepting?: (() => boolean) | undefined;
  /** Announces the coming stop, while all work is still accepted. Synchronous. Called once at most. */
  readonly announce?: (() => void) | undefined;
  /** Stops accepting work. Synchronous. Called once at most. */
  readonly stop: () => void;
  /**
   * Returns a promise that fulfils when no work is in progress. Called once at most. It ends when the token is cancelled, which
   * `token.runUntilCancelled(promise)` does for a promise that takes no signal.
   */
  readonly drain: (token: CancellationToken) => PromiseLike<unknown>;
  /** Cancels the work in progress. Synchronous. Called once at most. */
  readonly abort?: ((reason: unknown) => void) | undefined;
}

const required: readonly string[] = ['inFlightCount', 'stop', 'drain'];
const notices = ['announce', 'stop', 'abort'] as const;
/** The checks of the values that the members read. */
const checks = {
  inFlightCount: (what: string, value: unknown): void => checkCount(what, value, 0),
  inFlightNames: (what: string, value: unknown): void => {
    const areNames = Array.isArray(value) && value.every((name) => typeof name === 'string');
    checkKind(areNames, what, 'a list of strings', value);
  },
  isAccepting: (what: string, value: unknown): void => {
    checkKind(typeof value === 'boolean', what, 'true or false', value);
  },
};
const parts = [...notices, 'drain', 'inFlightCount', 'inFlightNames', 'isAccepting'] as const;

/**
 * Makes a drainable from functions, such as those of a queue or a server of another library.
 *
 * Use it in place of an object literal, which has to keep the contract of {@link Drainable} without help. Work of your own needs none:
 * a `TaskTracker`, a pool and an `HttpDrain` are drainables.
 *
 * **Timing.** The functions run when the shutdown, or other code, calls the drainable. A second `announce`, `stop` or `abort` does
 * nothing, and a second `drain` returns the promise of the first one.
 *
 * **Cancel safety.** The cancellation of the signal reaches the function `drain` as its token, and ends nothing else.
 *
 * @param options `name`; `inFlightCount`, `stop` and `drain`; optionally `inFlightNames`, `isAccepting`, `announce` and `abort`
 * @returns a drainable for `shutdown.add`. Its members throw an error that names the drainable when a function returns a
 *   wrong value. It is a TypeError for a promise from `announce`, `stop` or `abort`, or none from `drain`. It is a
 *   TypeError or RangeError for a wrong count, with which `drain` rejects as well, since a shutdown takes a count that it
 *   cannot read for 0
 * @throws TypeError when `name` is empty or missing, a function is missing or no function, or an option is unknown
 * @example
 * ```ts
 * const jobs = new Set<Promise<void>>(); // in place of a queue of another library
 * let isOpen = true;
 * const queue = drainable({
 *   name: 'mails',
 *   inFlightCount: () => jobs.size,
 *   stop: () => {
 *     isOpen = false;
 *   },
 *   drain: (token) => token.runUntilCancelled(Promise.all(jobs)),
 * });
 * queue.stop();
 * await queue.drain(CancellationToken.timeout(5_000));
 * console.log(queue.name, queue.inFlightCount, isOpen); // => mails 0 false
 * ```
 */
export function drainable(options: DrainableOptions): Drainable {
  checkOptions('drainable', options, ['name', ...parts]);
  const { name, drain } = options ?? {};
  checkKind(typeof name === 'string' && name !== '', 'drainable: name', 'a name that is not empty', name);
  for (const part of parts) {
    if (options[part] !== undefined || required.includes(part)) checkFunction(`drainable: ${part}`, options[part]);
  }
  const label = `drainable ${JSON.stringify(name)}`;
  const run = async (token: CancellationToken): Promise<void> => {
    const result = drain(token);
    checkKind(isThenable(result), `${label}: drain`, 'a promise', result, '; make the function async');
    await result;
    // A shutdown takes a count that cannot be read for 0. Here its error is seen.
    void made.inFlightCount;
  };
  let draining: Promise<void> | undefined;
  const made = {
    name,
    drain(signal) {
      try {
        draining ??= run(CancellationToken.from(signal, 'drain'));
        return draining;
      } catch (error) {
        return Promise.reject(error);
      }
    },
  } as Drainable;
  for (const notice of notices) {
    const call = options[notice] as ((reason?: unknown) => unknown) | undefined;
    if (call === undefined) continue;
    let isCalled = false;
    made[notice] = (reason?: unknown) => {
      if (isCalled) return;
      isCalled = true;
      const result = call(reason);
      checkKind(!isThenable(result), `${label}: ${notice}`, 'no promise', result, '; await it in drain');
    };
  }
  for (const [part, check] of Object.entries(checks)) {
    const read = options[part as keyof typeof checks];
    if (read === undefined) continue;
    const get = (): unknown => {
      const value = read();
      check(`${label}: ${part}`, value);
      return value;
    };
    Object.defineProperty(made, part, { get, enumerable: true });
  }
  return made;
}
