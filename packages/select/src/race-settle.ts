/**
 * The end of a race: all entries are unparked, losing functions are cancelled and awaited, and the promise settles.
 *
 *     DECIDED ──► CLEANING ──► settled
 *                     └─ cleanupTimeout ──► GIVEN_UP: settled; a later result goes to the uncaught handler
 *
 * The invariants are those of race.ts.
 */

import {
  type CancellationToken,
  CancelledError,
  CleanupTimeoutError,
  consumeBudget,
  consumeSlice,
  isCancellationOf,
  reportUncaught,
  type SourceProtocol,
  source,
  type Unfinished,
} from '@quiesce/cancellation-token';
import { type PromiseSource, rememberPromise, setTimer, withFramesOf } from '@quiesce/internal';
import { clearBranch, setBranch } from './branch-of.ts';
import type { AnyOutcome, Late } from './branches.ts';
import { SelectError } from './errors.ts';
import { MISSED } from './pattern.ts';
import type { Entry } from './race-entries.ts';
import { CLEANING, FINISHED, GIVEN_UP, type Race } from './race-state.ts';
import type { CleanupLimit } from './settings.ts';

/** The state of losing functions, and the errors. Few races need it. */
export class LoserState {
  /** The first error or the reason when no branch won, then the errors of losers (invariant 5). */
  readonly errors: unknown[] = [];
  /** The values that losing functions still returned, at the index of their branch: a sparse list. */
  readonly late: Late[] = [];
  /** The number of losing functions that still run, while CLEANING. */
  running = 0;
  /** Clears the timer of `cleanupTimeout`, or `undefined` while none is set. */
  clearTimer: (() => void) | undefined = undefined;
}

export function addError(race: Race, error: unknown): void {
  losersOf(race).errors.push(error);
}

function losersOf(race: Race): LoserState {
  race.losers ??= new LoserState();
  return race.losers;
}

/** Unparks all entries, remembers losing promises, and cancels losing functions (invariants 3 and 4). */
export function endRace(race: Race): void {
  race.state = CLEANING;
  let hasFunctions = false;
  const cancelWaiter = race.cancelWaiter;
  if (cancelWaiter !== undefined) cancelWaiter.token[source].unpark(cancelWaiter);
  for (let entry = race.first; entry !== undefined; entry = entry.after) {
    const protocol = entry.protocol;
    if (protocol === undefined) continue;
    unpark(entry, protocol);
    if (entry.token !== undefined) hasFunctions = true;
    else if (entry !== race.winner) rememberLoser(entry, protocol);
  }
  if (hasFunctions) cancelLosers(race);
  else settleAfterPause(race);
}

/** Unparks an entry. A source that throws here must not keep the other entries parked. */
export function unpark(entry: Entry, protocol: SourceProtocol<unknown>): void {
  try {
    protocol.unpark(entry);
  } catch (error) {
    reportUncaught(error);
  }
}

/** Remembers a promise that was new to this race and lost. A finished function is none. */
function rememberLoser(entry: Entry, protocol: SourceProtocol<unknown>): void {
  if (entry.branch === undefined || entry.state === FINISHED) return;
  rememberPromise(entry.branch as PromiseLike<unknown>, protocol as PromiseSource);
}

/** Settles a select that was decided before it parked or started anything. It needs no promise of its own. */
export function settleEarly(race: Race): Promise<AnyOutcome | undefined> {
  for (let entry = race.first; entry !== undefined; entry = entry.after) {
    if (entry.protocol !== undefined && entry !== race.winner) rememberLoser(entry, entry.protocol);
  }
  const { outcome, losers } = race;
  if (losers === undefined) {
    const pause = pauseOf(race);
    return pause === undefined ? Promise.resolve(outcome) : pause.then(() => outcome);
  }
  const [error] = losers.errors;
  recordBranch(race, error);
  return rejectAfterPause(error);
}

function cancelLosers(race: Race): void {
  const { cleanupLimit } = race.settings;
  const losers = losersOf(race);
  // One more than the number of losers, so that a loser that settles early does not end the race before all are cancelled.
  losers.running = 1;
  for (let entry = race.first; entry !== undefined; entry = entry.after) {
    if (entry === race.winner) entry.token?.dispose();
    else if (entry.token !== undefined) cancelLoser(race, entry, entry.token);
  }
  if (cleanupLimit !== undefined && losers.running > 1) {
    try {
      losers.clearTimer = setTimer(cleanupLimit.clock, cleanupLimit.ms, () => giveUp(race, cleanupLimit));
    } catch (error) {
      addError(race, error);
    }
  }
  countLoser(race);
}

function cancelLoser(race: Race, entry: Entry, token: CancellationToken): void {
  const protocol = entry.protocol as PromiseSource;
  losersOf(race).running++;
  if (protocol.isSettled) {
    onLoserSettled(race, entry);
    return;
  }
  protocol.park(entry);
  const why =
    race.winner === undefined ? `: ${describeDecision(race)}` : ` lost to branch ${JSON.stringify(race.winner.name)}`;
  token.cancel(new CancelledError(`Branch ${JSON.stringify(entry.name)}${why}`, { source: 'select' }));
}

/** Called when a losing function may have settled. */
export function onLoserSettled(race: Race, entry: Entry): void {
  const protocol = entry.protocol as PromiseSource;
  // Ignores a stray wake-up by code that kept the waiter.
  if (!protocol.isSettled) return;
  const token = entry.token as CancellationToken;
  entry.token = undefined;
  const failures: unknown[] = [];
  let late: Late | undefined;
  try {
    late = { branch: entry.name, value: protocol.poll() };
  } catch (error) {
    // Any other error than the cancellation of its own token is a failure.
    if (!isCancellationOf(error, token)) failures.push(error);
  }
  token.dispose();
  if (race.state === GIVEN_UP) {
    reportLate(entry.name, failures, late);
    return;
  }
  const losers = losersOf(race);
  if (late !== undefined) losers.late[entry.index] = late;
  for (const error of failures) if (!losers.errors.includes(error)) losers.errors.push(error);
  countLoser(race);
}

/** Counts one loser as ended. The last one settles the race. */
function countLoser(race: Race): void {
  const losers = losersOf(race);
  if (--losers.running > 0) return;
  losers.clearTimer?.();
  settleAfterPause(race);
}

/** Stops waiting for the functions that still run. */
function giveUp(race: Race, limit: CleanupLimit): void {
  race.state = GIVEN_UP;
  const unfinished: Unfinished[] = [];
  for (let entry = race.first; entry !== undefined; entry = entry.after) {
    if (entry.token !== undefined && entry !== race.winner) unfinished.push(limit.unfinished(entry));
  }
  const { errors } = losersOf(race);
  const outcome = completeOutcome(race);
  race.reject(withFramesOf(new CleanupTimeoutError(limit.ms, unfinished, { errors, outcome }), limit.caller));
}

/** Reports the result of a function that the race has given up on: no caller is left to receive it. */
function reportLate(name: string, failures: readonly unknown[], late: Late | undefined): void {
  const then = `branch ${JSON.stringify(name)} was given up after its cleanupTimeout, and then`;
  if (failures.length > 0) reportUncaught(new SelectError(`${then} failed; see .errors`, failures));
  // A function that returns undefined loses no value.
  else if (late?.value !== undefined) reportUncaught(new SelectError(`${then} fulfilled; see .outcome`, [], late));
}

/** Settles a round of a loop. The race continues. */
export function settleRound(race: Race, hasMissed: boolean): void {
  const outcome = race.outcome ?? (hasMissed ? MISSED : undefined);
  race.outcome = undefined;
  race.winner = undefined;
  const resolve = race.resolve;
  const pause = pauseOf(race);
  if (pause === undefined) resolve(outcome);
  else void pause.then(() => resolve(outcome));
}

/**
 * A pause for the event loop, or `undefined` when none is needed yet. The user's work may have computed before each
 * completion; sources alone need no reading of the clock.
 */
function pauseOf(race: Race): Promise<void> | undefined {
  return race.hasWork ? consumeSlice() : consumeBudget();
}

function settleAfterPause(race: Race): void {
  const pause = pauseOf(race);
  if (pause === undefined) settleRace(race);
  else void pause.then(() => settleRace(race));
}

/** Rejects after a pause, if one is needed: a loop over calls that fail at once must not starve the event loop. */
export async function rejectAfterPause(error: unknown): Promise<never> {
  const pause = consumeBudget();
  if (pause !== undefined) await pause;
  throw error;
}

function settleRace(race: Race): void {
  const errors = race.losers?.errors;
  if (errors === undefined || errors.length === 0) {
    race.resolve(completeOutcome(race));
  } else if (race.outcome !== undefined || errors.length > 1) {
    const text = `${describeDecision(race)}, and functions that were then cancelled failed with errors of their own; see .errors`;
    race.reject(new SelectError(text, errors, completeOutcome(race)));
  } else {
    recordBranch(race, errors[0]);
    race.reject(errors[0]);
  }
}

/** Records the branch of the error for `branchOf`. */
function recordBranch({ winner }: Race, error: unknown): void {
  if (winner === undefined) clearBranch(error);
  else setBranch(error, winner.name);
}

/** The outcome, with the values that losing functions still returned. */
function completeOutcome({ outcome, losers }: Race): AnyOutcome | undefined {
  if (outcome === undefined || losers === undefined) return outcome;
  const late = losers.late.filter(() => true);
  if (late.length > 0) outcome.late = late;
  return outcome;
}

function describeDecision({ winner, outcome, settings }: Race): string {
  if (winner === undefined) return settings.isLoop ? 'the loop ended' : 'the select was cancelled';
  return `branch ${JSON.stringify(winner.name)} ${outcome === undefined ? 'failed' : 'won'}`;
}
