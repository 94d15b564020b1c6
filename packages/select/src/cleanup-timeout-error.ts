import { nameError } from '@quiesce/internal';

/** Work that was still running when it was given up on. */
export interface Unfinished {
  /** What its owner called it. */
  readonly name: string;
  /** For how long it had been running, in milliseconds. */
  readonly ageMs: number;
  /** Where it was started, where that was recorded. */
  readonly site?: string;
}

/**
 * Work that was asked to stop, and was still running when its time for cleaning up was over: who waits has gone on
 * without it. `unfinished` says what that was.
 *
 * @example
 * ```ts
 * const error = new CleanupTimeoutError('scope "page"', 1_000, [{ name: 'poller', ageMs: 5_000 }]);
 * console.log(error.message); // => scope "page": after 1000 ms still unfinished: "poller" (running for 5000 ms)
 * ```
 */
export class CleanupTimeoutError extends Error {
  /** Always `CleanupTimeoutError`. */
  declare readonly name: 'CleanupTimeoutError';
  /** Always `ERR_CLEANUP_TIMEOUT`. */
  readonly code = 'ERR_CLEANUP_TIMEOUT' as const;
  /** What did not finish, the oldest first. */
  readonly unfinished: readonly Unfinished[];

  /**
   * @param owner who had waited, as it is called in a text
   * @param ms how long it had waited, in milliseconds
   */
  constructor(owner: string, ms: number, unfinished: readonly Unfinished[]) {
    const list = unfinished.map(({ name, ageMs, site }) => {
      return `${JSON.stringify(name)} (running for ${ageMs} ms${site === undefined ? '' : `, ${site}`})`;
    });
    super(`${owner}: after ${ms} ms still unfinished: ${list.join(', ')}`);
    this.unfinished = unfinished;
  }
}
nameError(CleanupTimeoutError, 'CleanupTimeoutError');
