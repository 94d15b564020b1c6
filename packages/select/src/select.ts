import { callable } from '@quiesce/internal';
import {
  type AnyBranches,
  type AnyOutcome,
  argumentError,
  type Branches,
  elseOf,
  elseOutcome,
  type Outcomes,
} from './branches.ts';
import { checkBranches } from './kinds.ts';
import { run } from './race.ts';
import { createRace } from './race-entries.ts';
import { rejectAfterPause } from './race-settle.ts';
import type { Race } from './race-state.ts';
import { type SelectOptions, settingsOf } from './settings.ts';

/** The type of {@link select}. */
export interface Select {
  <B extends Branches<B>>(branches: B, options?: SelectOptions): Promise<Outcomes<B>[keyof B]>;
  /** Works as `select`, but polls the branches in the order of declaration. Put the token first. */
  biased<B extends Branches<B>>(branches: B, options?: Omit<SelectOptions, 'random'>): Promise<Outcomes<B>[keyof B]>;
}

/**
 * Waits for the first of several branches, takes its value, and consumes nothing from the others.
 *
 * A branch is a source (token, receiver, timer, task), an `AbortSignal`, a promise, or a function `(token) => promise`.
 * `false`, `null` and `undefined` switch a branch off. `else: () => value` is taken when every branch is off.
 *
 * Use it when you need one outcome. For a loop, use `selectEach`, which keeps its functions running between rounds. For a
 * single time limit, use `timeout`.
 *
 * **Timing.** If a source is ready, it is taken synchronously inside the call, and no function starts. Otherwise functions are
 * started, in order of declaration, and the first wake-up decides, synchronously. The promise settles when every losing function
 * has been cancelled and has settled. A select notices a settled promise one microtask after its first poll of that promise, so
 * a source that is ready now wins over it.
 *
 * **Cancel safety.** A losing source gives no value. A losing promise stays untouched, and its rejection is never unhandled. A
 * losing function is cancelled and awaited. A value that it still returns is in `late`.
 *
 * **Fairness.** The branch that is polled first is random; the others follow cyclically. `select.biased` polls in the order of
 * declaration, so a branch that is always ready starves the branches after it.
 *
 * @param branches names and branches, as plain values: a getter is read several times. The name `else` is reserved
 * @param options `signal` cancels the select; `random` replaces `Math.random`; `cleanupTimeout` (ms) limits the wait for
 *   losing functions; `clock`
 * @returns the winning branch and its value
 * @throws the error of the branch that failed first, verbatim (`branchOf` names it); the reason, when cancelled;
 *   {@link SelectError} when every branch is off and there is no `else`, or when losers failed with errors of their own;
 *   CleanupTimeoutError when losers do not end within `cleanupTimeout`; TypeError for a value that is no branch, before any
 *   branch is polled or started
 * @see tokio::select! (tokio 1.53)
 * @example
 * ```ts
 * const stop = new CancellationToken();
 * const outcome = await select({
 *   stopped: stop,
 *   page: async ({ signal }) => 'the page',
 * });
 * console.log(outcome.branch, outcome.value); // => page the page
 * ```
 */
export const select: Select = /* @__PURE__ */ callable(
  'select',
  (branches: AnyBranches, options?: SelectOptions) => beginSelect(branches, options, false) as never,
  { biased: (branches: AnyBranches, options?: SelectOptions) => beginSelect(branches, options, true) as never },
);

/** Never throws: every error is a rejection, since it returns a promise. */
function beginSelect(
  branches: AnyBranches,
  options: SelectOptions | undefined,
  isBiased: boolean,
): Promise<AnyOutcome> {
  let race: Race;
  try {
    checkBranches(branches);
    // Checks all branches before any is polled. A poll may consume a value, which a later mistake must not lose.
    race = createRace(settingsOf(options, isBiased, false), branches);
  } catch (error) {
    return rejectAfterPause(argumentError(branches, error, isBiased ? 'select.biased' : 'select'));
  }
  const result = run(race);
  // All branches can be off only if one has a pattern, or if none was on.
  return race.canRunOut
    ? result.then((outcome) => outcome ?? elseOutcome(elseOf(branches)))
    : (result as Promise<AnyOutcome>);
}
