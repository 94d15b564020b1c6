import { nameError } from '@quiesce/internal';

/** Cancelled work that was still running when its owner gave up on it. */
export interface Unfinished {
  /** The name of the branch, task or cleanup. */
  readonly name: string;
  /** How long it had been running at that time, in milliseconds. */
  readonly ageMs: number;
  /** Where it was started; absent when that was not recorded. */
  readonly site?: string;
}

/** The outcome of a `select`, as `AnyOutcome` of `@quiesce/select`. */
interface WonOutcome {
  readonly branch: string;
  readonly value: unknown;
  late?: readonly { readonly branch: string; readonly value: unknown }[];
}

/** How many pieces of work the message names. */
const NAMED = 10;

/**
 * Cancelled work did not end within `cleanupTimeout`. Its owner no longer waits for it.
 *
 * `unfinished` names all of that work, and the message names the first ten. A result that arrives later goes to the uncaught
 * handler. `errors` holds the failures up to that time, and `outcome` the outcome of a `select` that had one.
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
  /** How long the owner waited, in milliseconds. */
  readonly ms: number;
  /** The work that was still running, in order of declaration. */
  readonly unfinished: readonly Unfinished[];
  /** The outcome of the `select`. `undefined` in a scope, and when no branch won; a failed branch is the first of `errors`. */
  readonly outcome: WonOutcome | undefined;

  /**
   * @param ms how long the owner waited, in milliseconds
   * @param unfinished the work that is still running
   * @param more `owner`: the name of the owner; `errors`: the failures up to now; `outcome`: the outcome of the `select`
   */
  constructor(
    ms: number,
    unfinished: readonly Unfinished[],
    more?: {
      readonly owner?: string | undefined;
      readonly errors?: readonly unknown[] | undefined;
      readonly outcome?: WonOutcome | undefined;
    },
  ) {
    const list = unfinished.slice(0, NAMED).map(({ name, ageMs, site }) => {
      const where = site === undefined ? '' : `, started at ${site}`;
      return `${JSON.stringify(name)} (running for ${Math.round(ageMs)} ms${where})`;
    });
    if (unfinished.length > NAMED) list.push(`and ${unfinished.length - NAMED} more`);
    const work = more?.owner === undefined ? 'Cancelled work' : `${more.owner}: cancelled work`;
    super(more?.errors ?? [], `${work} did not end within ${ms} ms: ${list.join(', ')}; no longer awaited`);
    this.ms = ms;
    this.unfinished = unfinished;
    this.outcome = more?.outcome;
  }
}
