/**
 * The end of a race: everything is unparked, the functions that lost are cancelled and awaited, and the promise settles.
 *
 *     DECIDED ──► CLEANING ──► settled
 *                     └─ cleanupTimeout ──► GIVEN_UP: settled, and what ends now goes to the uncaught handler
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
import { setTimer, withFramesOf } from '@quiesce/internal';
import { absolve, blame } from './branch-of.ts';
import type { AnyOutcome, Late } from './branches.ts';
import { SelectError } from './errors.ts';
import { MISSED } from './pattern.ts';
import type { Entry, Race } from './record.ts';
import type { Limit } from './settings.ts';
import { CLEANING, GIVEN_UP, OVER } from './state.ts';
import { remember, type Watched } from './watched.ts';

/** What few races need: functions that lost, and errors. */
export class Aftermath {
  /** The first error or the reason, if nothing won; then those of losers (invariant 5). */
  readonly errors: unknown[] = [];
  /** What functions that lost have given all the same, at their index: a list with holes. */
  readonly late: Late[] = [];
  /** How many losing functions are still running, while CLEANING. */
  running = 0;
  /** Takes the timer of a `cleanupTimeout` back; set while that runs. */
  clear: (() => void) | undefined = undefined;
}

export function addError(race: Race, error: unknown): void {
  aftermathOf(race).errors.push(error);
}

function aftermathOf(race: Race): Aftermath {
  race.aftermath ??= new Aftermath();
  return race.aftermath;
}

/** Unparks everything, remembers the promises that lost, cancels the functions that lost (invariants 3 and 4). */
export function clean(race: Race): void {
  race.state = CLEANING;
  let hasFunctions = false;
  const gate = race.gate;
  if (gate !== undefined) gate.token[source].unpark(gate);
  for (let entry = race.first; entry !== undefined; entry = entry.after) {
    const protocol = entry.protocol;
    if (protocol === undefined) continue;
    unpark(entry, protocol);
    if (entry.token !== undefined) hasFunctions = true;
    else if (entry !== race.winner) rememberLoser(entry, protocol);
  }
  if (hasFunctions) endAll(race);
  else finish(race);
}

/** A source that cannot even be left must not keep the others waiting. */
export function unpark(entry: Entry, protocol: SourceProtocol<unknown>): void {
  try {
    protocol.unpark(entry);
  } catch (error) {
    reportUncaught(error);
  }
}

/** A promise that was first seen here has lost; a function that is over is none. */
function rememberLoser(entry: Entry, protocol: SourceProtocol<unknown>): void {
  if (entry.branch === undefined || entry.state === OVER) return;
  remember(entry.branch as PromiseLike<unknown>, protocol as Watched);
}

/** Settles a select that was decided before anything was registered or started: that needs no promise of its own. */
export function finishEarly(race: Race): Promise<AnyOutcome | undefined> {
  for (let entry = race.first; entry !== undefined; entry = entry.after) {
    if (entry.protocol !== undefined && entry !== race.winner) rememberLoser(entry, entry.protocol);
  }
  const { outcome, aftermath } = race;
  if (aftermath === undefined) {
    const turn = turnOf(race);
    return turn === undefined ? Promise.resolve(outcome) : turn.then(() => outcome);
  }
  const [error] = aftermath.errors;
  accuse(race, error);
  return rejectInTurn(error);
}

function endAll(race: Race): void {
  const { limit } = race.settings;
  const aftermath = aftermathOf(race);
  // One more than there are: so that none that settles meanwhile ends the race before all are cancelled.
  aftermath.running = 1;
  for (let entry = race.first; entry !== undefined; entry = entry.after) {
    if (entry === race.winner) entry.token?.dispose();
    else if (entry.token !== undefined) end(race, entry, entry.token);
  }
  if (limit !== undefined && aftermath.running > 1) {
    try {
      aftermath.clear = setTimer(limit.clock, limit.ms, () => giveUp(race, limit));
    } catch (error) {
      addError(race, error);
    }
  }
  over(race);
}

function end(race: Race, entry: Entry, token: CancellationToken): void {
  const watched = entry.protocol as Watched;
  aftermathOf(race).running++;
  if (watched.isSettled) {
    functionEnded(race, entry);
    return;
  }
  watched.park(entry);
  const why = race.winner === undefined ? `: ${what(race)}` : ` lost to branch ${JSON.stringify(race.winner.name)}`;
  token.cancel(new CancelledError(`Branch ${JSON.stringify(entry.name)}${why}`, { source: 'select' }));
}

/** A losing function has settled. */
export function functionEnded(race: Race, entry: Entry): void {
  const watched = entry.protocol as Watched;
  // A waiter that somebody keeps and wakes out of turn says nothing.
  if (!watched.isSettled) return;
  const token = entry.token as CancellationToken;
  entry.token = undefined;
  const failures: unknown[] = [];
  let late: Late | undefined;
  try {
    late = { branch: entry.name, value: watched.poll() };
  } catch (error) {
    // One that was not cancelled has failed, whatever it says.
    if (!isCancellationOf(error, token)) failures.push(error);
  }
  token.dispose();
  if (race.state === GIVEN_UP) {
    report(entry.name, failures, late);
    return;
  }
  const aftermath = aftermathOf(race);
  if (late !== undefined) aftermath.late[entry.index] = late;
  for (const error of failures) if (!aftermath.errors.includes(error)) aftermath.errors.push(error);
  over(race);
}

/** One thing less to wait for; the last one settles the race. */
function over(race: Race): void {
  const aftermath = aftermathOf(race);
  if (--aftermath.running > 0) return;
  aftermath.clear?.();
  finish(race);
}

/** The functions that still run are waited for no longer. */
function giveUp(race: Race, limit: Limit): void {
  race.state = GIVEN_UP;
  const unfinished: Unfinished[] = [];
  for (let entry = race.first; entry !== undefined; entry = entry.after) {
    if (entry.token !== undefined && entry !== race.winner) unfinished.push(limit.unfinished(entry));
  }
  const { errors } = aftermathOf(race);
  const outcome = complete(race);
  race.reject(withFramesOf(new CleanupTimeoutError(limit.ms, unfinished, { errors, outcome }), limit.caller));
}

/** What came of a function that was given up: nobody is left to whom it could be given. */
function report(name: string, failures: readonly unknown[], late: Late | undefined): void {
  const then = `branch ${JSON.stringify(name)} was given up after its cleanupTimeout, and then`;
  if (failures.length > 0) reportUncaught(new SelectError(`${then} failed; see .errors`, failures));
  // One that gives nothing has nothing to lose.
  else if (late?.value !== undefined) reportUncaught(new SelectError(`${then} fulfilled; see .outcome`, [], late));
}

/** A turn of a loop is over; the race goes on. */
export function finishTurn(race: Race, hasMissed: boolean): void {
  const outcome = race.outcome ?? (hasMissed ? MISSED : undefined);
  race.outcome = undefined;
  race.winner = undefined;
  const resolve = race.resolve;
  const turn = turnOf(race);
  if (turn === undefined) resolve(outcome);
  else void turn.then(() => resolve(outcome));
}

/** Work of the user's may have computed before each completion; sources alone need not read the clock. */
function turnOf(race: Race): Promise<void> | undefined {
  return race.hasWork ? consumeSlice() : consumeBudget();
}

function finish(race: Race): void {
  const turn = turnOf(race);
  if (turn === undefined) settleRace(race);
  else void turn.then(() => settleRace(race));
}

/** A rejection takes its turn too: a loop over what fails at once must not starve the event loop. */
export async function rejectInTurn(error: unknown): Promise<never> {
  const turn = consumeBudget();
  if (turn !== undefined) await turn;
  throw error;
}

function settleRace(race: Race): void {
  const errors = race.aftermath?.errors;
  if (errors === undefined || errors.length === 0) {
    race.resolve(complete(race));
  } else if (race.outcome !== undefined || errors.length > 1) {
    const text = `${what(race)}, and functions that were then cancelled failed with errors of their own; see .errors`;
    race.reject(new SelectError(text, errors, complete(race)));
  } else {
    accuse(race, errors[0]);
    race.reject(errors[0]);
  }
}

/** For `branchOf`. */
function accuse({ winner }: Race, error: unknown): void {
  if (winner === undefined) absolve(error);
  else blame(error, winner.name);
}

/** The outcome, with what came late. */
function complete({ outcome, aftermath }: Race): AnyOutcome | undefined {
  if (outcome === undefined || aftermath === undefined) return outcome;
  const late = aftermath.late.filter(() => true);
  if (late.length > 0) outcome.late = late;
  return outcome;
}

function what({ winner, outcome, settings }: Race): string {
  if (winner === undefined) return settings.isLoop ? 'the loop was left' : 'the select was cancelled';
  return `branch ${JSON.stringify(winner.name)} ${outcome === undefined ? 'failed' : 'won'}`;
}
