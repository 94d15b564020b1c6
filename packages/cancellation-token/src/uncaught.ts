import { checkKind, checkOptions, replaceUncaughtHandler, reportError } from '@quiesce/internal';

/** Receives errors that have no caller: those of cancellation callbacks, and of work that outlived its owner. */
export type UncaughtHandler = (error: unknown) => void;

/**
 * Replaces the handler of errors that have no caller. By default they become the platform's uncaught errors: Node ends the
 * process, a browser fires `error` on the window.
 *
 * **Timing.** Synchronous; errors that were reported before and not yet delivered go to the new handler. All copies of this
 * package in a process share one handler.
 *
 * @param handler called from a microtask, once for each error; `undefined` restores the default. An error that it throws is
 *   uncaught in the platform's sense.
 * @returns the previous handler
 * @throws TypeError when `handler` is neither a function nor `undefined`
 * @example
 * ```ts
 * const before = setUncaughtHandler((error) => console.log('caught:', error));
 * const token = new CancellationToken();
 * token.onCancelled(() => {
 *   throw 'a callback that fails';
 * });
 * token.cancel();
 * await Promise.resolve(); // => caught: a callback that fails
 * setUncaughtHandler(before);
 * ```
 */
export function setUncaughtHandler(handler: UncaughtHandler | undefined): UncaughtHandler | undefined {
  checkKind(
    handler === undefined || typeof handler === 'function',
    'setUncaughtHandler',
    'a function or undefined',
    handler,
  );
  return replaceUncaughtHandler(handler);
}

/** Runs a callback whose error must not stop the caller; the error is reported. */
export function guarded(act: () => void): void {
  try {
    act();
  } catch (error) {
    reportUncaught(error);
  }
}

/** Options for `reportUncaught`. */
export interface ReportOptions {
  /**
   * `false`: the error may still reach a caller, so it does not end the process. Without an uncaught handler it is printed by
   * `console.error`. Default: true.
   */
  readonly fatal?: boolean | undefined;
}

/**
 * Hands an error that has no caller to the uncaught handler, from a microtask, so that it never interrupts running code.
 *
 * @param error any value
 * @param options `fatal`
 * @example
 * ```ts
 * const before = setUncaughtHandler((error) => console.log(error));
 * reportUncaught('the cleanup of "cache" failed after its scope had given up on it');
 * await Promise.resolve(); // => the cleanup of "cache" failed after its scope had given up on it
 * setUncaughtHandler(before);
 * ```
 */
export function reportUncaught(error: unknown, options?: ReportOptions): void {
  checkOptions('reportUncaught', options, [], ['fatal']);
  reportError(error, options?.fatal);
}
