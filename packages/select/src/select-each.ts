import { reportUncaught } from '@quiesce/cancellation-token';
import { callable } from '@quiesce/internal';
import type { AnyBranches, Branches, Outcomes } from './branches.ts';
import { elseOf, otherwise } from './else.ts';
import { checkBranches } from './kinds.ts';
import { MISSED } from './pattern.ts';
import { leave, stopTurn, turn } from './race.ts';
import { addAll, Race } from './record.ts';
import { refusal } from './refused.ts';
import { type SelectOptions, settingsOf } from './settings.ts';
import { RESTING } from './state.ts';

/** The type of {@link selectEach}. */
export interface SelectEach {
  <B extends Branches<B>>(branches: B, options?: SelectOptions): AsyncGenerator<Outcomes<B>[keyof B], void, undefined>;
  /** The same, but looks at the branches in the order in which they are written: put the token first. */
  biased<B extends Branches<B>>(
    branches: B,
    options?: Omit<SelectOptions, 'random'>,
  ): AsyncGenerator<Outcomes<B>[keyof B], void, undefined>;
}

/**
 * One outcome after another: Tokio's `loop { select! { … } }`, with what is waited for kept from turn to turn.
 *
 * A branch that has one value in its life (promise, function, token, signal, task, `sleep`) is off once it has won; a
 * stream (receiver, `interval`) stays until it is closed and drained; a function in `repeat` is started again. A value
 * that does not fit a `match` is lost and switches its branch off for the turn, and for good if it was the only one. A
 * turn in which every branch was switched off so gives `else`, if there is one. When no branch is left the loop ends.
 *
 * **Timing.** Each turn decides as `select` does. Functions are started when the first turn finds nothing ready, else
 * when the second begins, and run on between turns. Leaving the loop cancels them and awaits them.
 *
 * **Cancel safety.** A source gives a value only for a turn; between turns nothing is taken. What functions give after
 * the loop was left is lost.
 *
 * **Fairness.** As `select`, at every turn; `selectEach.biased` goes by the order of declaration.
 *
 * @param branches as for `select`; those that are off stay off
 * @param options as for `select`; `signal` ends the loop by throwing the reason, `cleanupTimeout` holds when it is left
 * @returns an async generator of outcomes; iterate it once, and to its end or out of it
 * @throws TypeError for what cannot be a branch or a signal, RangeError for a `cleanupTimeout` that is no time, both at
 *   the call; in the loop, the error of the branch that failed, verbatim (`branchOf` names it), except for the
 *   `ClosedError` of a stream; the reason, when cancelled; what functions fail with when they are cancelled, in a
 *   `SelectError` if there is more than one error; `CleanupTimeoutError`. `throw(error)`, which `yield*` passes on, throws that
 *   error, and such failures go to the uncaught handler
 * @see tokio::select! in a loop (tokio 1.53)
 * @example
 * ```ts
 * const stop = new CancellationToken();
 * const [tx, jobs] = broadcast<string>(16);
 * for (const job of ['print', 'scan']) tx.send(job);
 * for await (const outcome of selectEach({ stopped: stop, job: jobs })) {
 *   if (outcome.branch === 'stopped') break;
 *   console.log(outcome.value); // => print
 *   // => scan
 *   if (outcome.value === 'scan') stop.cancel();
 * }
 * ```
 */
export const selectEach: SelectEach = /* @__PURE__ */ callable(
  'selectEach',
  (branches: AnyBranches, options?: SelectOptions) => beginLoop(branches, options, false) as never,
  { biased: (branches: AnyBranches, options?: SelectOptions) => beginLoop(branches, options, true) as never },
);

function beginLoop(
  branches: AnyBranches,
  options: SelectOptions | undefined,
  isBiased: boolean,
): AsyncGenerator<unknown> {
  const race = raceOf(branches, options, isBiased);
  race.state = RESTING;
  const exit: Exit = { isAsked: false };
  const outcomes = outcomesOf(race, elseOf(branches), exit);
  const { return: leaves, throw: throws } = outcomes;
  const leaveNow = (): void => {
    exit.isAsked = true;
    stopTurn(race);
  };
  // A generator that waits would be left only after the turn that it waits for.
  return Object.assign(outcomes, {
    return: (value: undefined) => {
      leaveNow();
      return leaves.call(outcomes, value);
    },
    throw: (error: unknown) => {
      leaveNow();
      return throws.call(outcomes, error);
    },
  });
}

function raceOf(branches: AnyBranches, options: SelectOptions | undefined, isBiased: boolean): Race {
  try {
    checkBranches(branches);
    const race = new Race(settingsOf(options, isBiased, true));
    addAll(race, branches);
    return race;
  } catch (error) {
    throw refusal(branches, error, isBiased ? 'selectEach.biased' : 'selectEach');
  }
}

/** Whether somebody wants the loop to end, which may be between two turns that bring nothing. */
interface Exit {
  isAsked: boolean;
}

async function* outcomesOf(race: Race, alternative: unknown, exit: Exit): AsyncGenerator<unknown, void, undefined> {
  try {
    for (let isFirst = true; !exit.isAsked; isFirst = false) {
      const outcome = await turn(race, isFirst);
      if (outcome === undefined) return;
      if (outcome !== MISSED) yield outcome;
      else if (alternative !== undefined) yield await otherwise(alternative);
    }
  } catch (error) {
    // What a function fails with when it is left must not replace the error that is on its way.
    await leave(race).catch((other) => reportUncaught(other, { isFatal: false }));
    throw error;
  } finally {
    await leave(race);
  }
}
