import { reportUncaught } from '@quiesce/cancellation-token';
import { callable } from '@quiesce/internal';
import { type AnyBranches, argumentError, type Branches, elseOf, elseOutcome, type Outcomes } from './branches.ts';
import { checkBranches } from './kinds.ts';
import { MISSED } from './pattern.ts';
import { endLoop, runRound, stopRound } from './race.ts';
import { createRace } from './race-entries.ts';
import { PAUSED, type Race } from './race-state.ts';
import { type SelectOptions, settingsOf } from './settings.ts';

/** The type of {@link selectEach}. */
export interface SelectEach {
  <B extends Branches<B>>(branches: B, options?: SelectOptions): AsyncGenerator<Outcomes<B>[keyof B], void, undefined>;
  /** Works as `selectEach`, but polls the branches in the order of declaration. Put the token first. */
  biased<B extends Branches<B>>(
    branches: B,
    options?: Omit<SelectOptions, 'random'>,
  ): AsyncGenerator<Outcomes<B>[keyof B], void, undefined>;
}

/**
 * Gives one outcome after another: Tokio's `loop { select! { … } }`, with functions and waits kept from round to round.
 *
 * A one-shot branch (promise, function, token, signal, task, `sleep`) is off once it has won. A stream (receiver, `interval`)
 * stays on until it is closed and drained. A function in `repeat` starts again.
 *
 * A value that does not fit a `match` is lost. It switches its branch off for the round, and a one-shot branch for good. A round
 * in which a pattern switched every branch off gives `else`, if there is one. When no branch is left, the loop ends.
 *
 * **Timing.** Each round decides as `select` does. Functions start when the first round finds nothing ready, and otherwise when
 * the second round begins. They keep running between rounds. Leaving the loop cancels and awaits them.
 *
 * **Cancel safety.** A source gives a value only for a round; between rounds no value is taken. A value that a function returns
 * after the loop has ended is lost.
 *
 * **Fairness.** As `select`, in every round. `selectEach.biased` polls in the order of declaration.
 *
 * @param branches as for `select`; branches that are off stay off
 * @param options as for `select`; `signal` ends the loop by throwing the reason; `cleanupTimeout` applies at its end
 * @returns an async generator of outcomes. Iterate it once, and to its end or until you leave the loop
 * @throws at the call: TypeError for a value that is no branch, and for an option of the wrong type; RangeError when
 *   `cleanupTimeout` is negative or NaN. In the loop: the error of the branch that failed, verbatim (`branchOf` names
 *   it), except for the `ClosedError` of a stream; the reason, when cancelled; the errors of cancelled functions, in a
 *   `SelectError` if there are several; `CleanupTimeoutError`. `throw(error)`, which `yield*` calls, throws that error;
 *   errors of cancelled functions then go to the uncaught handler
 * @see tokio::select! in a loop (tokio 1.53)
 * @example
 * ```ts
 * const stop = new CancellationToken();
 * const [tx, jobs] = channel<string>(16);
 * for (const job of ['print', 'scan']) await tx.send(job);
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
  race.state = PAUSED;
  const exit: Exit = { isRequested: false };
  const outcomes = outcomesOf(race, elseOf(branches), exit);
  const { return: nativeReturn, throw: nativeThrow } = outcomes;
  const exitNow = (): void => {
    exit.isRequested = true;
    stopRound(race);
  };
  // The native methods alone would wait for the end of the pending round.
  return Object.assign(outcomes, {
    return: (value: undefined) => {
      exitNow();
      return nativeReturn.call(outcomes, value);
    },
    throw: (error: unknown) => {
      exitNow();
      return nativeThrow.call(outcomes, error);
    },
  });
}

function raceOf(branches: AnyBranches, options: SelectOptions | undefined, isBiased: boolean): Race {
  try {
    checkBranches(branches);
    return createRace(settingsOf(options, isBiased, true), branches);
  } catch (error) {
    throw argumentError(branches, error, isBiased ? 'selectEach.biased' : 'selectEach');
  }
}

/** Whether `return` or `throw` was called. That may happen between two rounds that give no outcome. */
interface Exit {
  isRequested: boolean;
}

async function* outcomesOf(race: Race, alternative: unknown, exit: Exit): AsyncGenerator<unknown, void, undefined> {
  try {
    for (let isFirst = true; !exit.isRequested; isFirst = false) {
      const outcome = await runRound(race, isFirst);
      if (outcome === undefined) return;
      if (outcome !== MISSED) yield outcome;
      else if (alternative !== undefined) yield await elseOutcome(alternative);
    }
  } catch (error) {
    // An error of a cancelled function must not replace this error.
    await endLoop(race).catch((other) => reportUncaught(other, { fatal: false }));
    throw error;
  } finally {
    await endLoop(race);
  }
}
