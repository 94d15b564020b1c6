import { callable } from '@quiesce/internal';
import type { AnyBranches, AnyOutcome, Branches, Outcomes } from './branches.ts';
import { elseOf, otherwise } from './else.ts';
import { rejectInTurn } from './ending.ts';
import { checkBranches } from './kinds.ts';
import { run } from './race.ts';
import { addAll, Race } from './record.ts';
import { refusal } from './refused.ts';
import { type SelectOptions, settingsOf } from './settings.ts';

/** The type of {@link select}. */
export interface Select {
  <B extends Branches<B>>(branches: B, options?: SelectOptions): Promise<Outcomes<B>[keyof B]>;
  /** The same, but looks at the branches in the order in which they are written: put the token first. */
  biased<B extends Branches<B>>(branches: B, options?: Omit<SelectOptions, 'random'>): Promise<Outcomes<B>[keyof B]>;
}

/**
 * Waits for the first of several things, takes that one and leaves the others untouched.
 *
 * A branch is a source (token, receiver, timer, task), an `AbortSignal`, a promise, a function `(token) => promise`, or
 * `false`, `null`, `undefined`, which switch it off. `else: () => value` is taken when every branch is off.
 *
 * **Timing.** Sources that are ready are taken synchronously inside the call; then no function is started. Otherwise
 * functions are started, in order of declaration, and the first wake-up decides, synchronously; the promise settles
 * when every function that lost has been cancelled and has settled. That a promise has settled is known one microtask
 * after a select first looked at it, so a source that is ready now goes before it.
 *
 * **Cancel safety.** A source that loses has given nothing; a promise that loses is left alone, and its rejection is
 * never "unhandled"; a function that loses is cancelled and awaited, and what it returns all the same is in `late`.
 *
 * **Fairness.** The branch that is looked at first is random, then cyclically; `select.biased` goes by the order of
 * declaration, and a branch that is always ready then starves those behind it.
 *
 * @param branches names and branches, as plain values: a getter is read several times; `else` is reserved
 * @param options `signal` cancels the select; `random` replaces `Math.random`
 * @returns which branch won, and its value
 * @throws the error of the branch that failed first, verbatim (`branchOf` names it); the reason, when cancelled;
 *   {@link SelectError} when every branch is off and there is no `else`, or when losers failed with errors of their own;
 *   TypeError for what cannot be a branch, before anything is polled or started
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
  (branches: AnyBranches, options?: SelectOptions) => begin(branches, options, false) as never,
  { biased: (branches: AnyBranches, options?: SelectOptions) => begin(branches, options, true) as never },
);

/** Never throws: whatever is wrong is a rejection, as of every function that returns a promise. */
function begin(branches: AnyBranches, options: SelectOptions | undefined, isBiased: boolean): Promise<AnyOutcome> {
  let race: Race;
  try {
    checkBranches(branches);
    race = new Race(settingsOf(options, isBiased, false));
    // All are looked at before any is polled: a poll may consume, and a mistake further down must not lose that.
    addAll(race, branches);
  } catch (error) {
    return rejectInTurn(refusal(branches, error, isBiased ? 'select.biased' : 'select'));
  }
  const result = run(race);
  // Only when something is a pattern, or nothing is on, every branch can be off.
  return race.canEnd
    ? result.then((outcome) => outcome ?? otherwise(elseOf(branches)))
    : (result as Promise<AnyOutcome>);
}
