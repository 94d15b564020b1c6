import { nameError } from '@quiesce/internal';
import type { AnyOutcome } from './branches.ts';

/**
 * `select` could not give one outcome, or one error, without losing another error.
 *
 * Either every branch was off and there was no `else` (then `errors` is empty), or functions that had lost failed with
 * errors of their own: `errors` holds them, behind the error of the winning branch if that had failed; `outcome` is
 * what had won otherwise.
 *
 * @example
 * ```ts
 * const off = false;
 * await select({ job: off }).catch((error) => console.log(error.name, error.code)); // => SelectError ERR_SELECT
 * ```
 */
export class SelectError extends AggregateError {
  /** @internal See `nameError`. */
  static readonly completed: object = /* @__PURE__ */ nameError(SelectError, 'SelectError');
  /** Always `SelectError`. */
  declare readonly name: 'SelectError';
  /** Always `ERR_SELECT`. */
  readonly code = 'ERR_SELECT' as const;
  /** What had won; `undefined`: nothing, or a failure, which is then the first of `errors`. */
  readonly outcome: AnyOutcome | undefined;

  /** @internal */
  constructor(message: string, errors: readonly unknown[], outcome?: AnyOutcome) {
    super(errors, message);
    this.outcome = outcome;
  }
}

/** Work that was cancelled and went on. */
export interface Unfinished {
  /** The branch, or the task. */
  readonly name: string;
  /** For how long it had been running when it was given up, in milliseconds. */
  readonly ageMs: number;
  /** Where it was started, if that is known. */
  readonly site?: string;
}

/** How many the text of an error names. */
const NAMED = 10;

/**
 * Cancelled work did not end within `cleanupTimeout`: it is no longer waited for, and named in `unfinished`; the text
 * names the first ten.
 *
 * What it gives later goes to the uncaught handler. `errors` holds what had failed by then, and `outcome` what had won.
 *
 * @example
 * ```ts
 * const deaf = () => new Promise(() => {});
 * const error = await select({ deaf, tick: sleep(0).then(() => 1) }, { cleanupTimeout: 5 }).catch((error) => error);
 * console.log(error.code, error.unfinished[0].name, error.outcome.branch); // => ERR_CLEANUP_TIMEOUT deaf tick
 * ```
 */
export class CleanupTimeoutError extends AggregateError {
  /** @internal See `nameError`. */
  static readonly completed: object = /* @__PURE__ */ nameError(CleanupTimeoutError, 'CleanupTimeoutError');
  /** Always `CleanupTimeoutError`. */
  declare readonly name: 'CleanupTimeoutError';
  /** Always `ERR_CLEANUP_TIMEOUT`. */
  readonly code = 'ERR_CLEANUP_TIMEOUT' as const;
  /** How long was waited, in milliseconds. */
  readonly ms: number;
  /** What was still running, in order of declaration. */
  readonly unfinished: readonly Unfinished[];
  /** What had won; `undefined`: nothing, or a failure, which is then the first of `errors`. */
  readonly outcome: AnyOutcome | undefined;

  /**
   * @param ms how long was waited, in milliseconds
   * @param unfinished what is still running
   * @param more `owner`: who had waited; `errors`: what had failed by then; `outcome`: what had won
   */
  constructor(
    ms: number,
    unfinished: readonly Unfinished[],
    more?: {
      readonly owner?: string | undefined;
      readonly errors?: readonly unknown[] | undefined;
      readonly outcome?: AnyOutcome | undefined;
    },
  ) {
    const list = unfinished.slice(0, NAMED).map(({ name, ageMs, site }) => {
      const where = site === undefined ? '' : `, started at ${site}`;
      return `${JSON.stringify(name)} (running for ${Math.round(ageMs)} ms${where})`;
    });
    if (unfinished.length > NAMED) list.push(`and ${unfinished.length - NAMED} more`);
    const what = more?.owner === undefined ? 'Cancelled' : `${more.owner}: cancelled`;
    super(more?.errors ?? [], `${what}, and not done within ${ms} ms: ${list.join(', ')}; no longer waited for`);
    this.ms = ms;
    this.unfinished = unfinished;
    this.outcome = more?.outcome;
  }
}
