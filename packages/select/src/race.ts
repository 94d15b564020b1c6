/**
 * The state machine of `select` and `selectEach`.
 *
 *                  ┌─────────── next round (selectEach only) ───────────┐
 *                  ▼                                                    │
 *     PAUSED ──► RACING ──► DECIDED ──► a value, in a loop ─────────► PAUSED
 *                               │
 *                               └─► otherwise CLEANING ──► settled, or GIVEN_UP (see race-settle.ts)
 *
 *  RACING    the promise is pending; the first wake-up that finds a ready branch decides
 *  PAUSED    between two rounds: wake-ups are ignored, parked entries stay parked, and functions keep running
 *  DECIDED   a branch won or failed, or the race was cancelled; lasts while functions are being started
 *
 * Invariants
 *  1. While RACING, every entry that is ON and has a protocol is parked on it, except inside `decide`.
 *  2. A wake-up polls all entries that are ON, in order, and not only the one that was woken. Of several that became ready in
 *     one step, the first in order wins. Only the winning poll consumes a value, and no poll follows it in that round.
 *     Exception: a poll also consumes a value that does not fit a pattern.
 *  3. Once DECIDED, no entry is polled as a branch before the next round. When a decision ends the race, all entries are
 *     unparked in order of declaration before any code of the user can observe it.
 *  4. A started function has won, or was removed by its pattern, or is cancelled (unless it had settled) and awaited.
 *  5. Every error of a function has exactly one destination: the rejection, `errors`, or the uncaught handler.
 *
 * A race is a wait, too: the invariants at the head of cancellation-token's source.ts hold for all entries and the cancel waiter.
 */

import { CancellationToken, isClosedError, PENDING, type SourceProtocol, source } from '@quiesce/cancellation-token';
import { ignore, isThenable, PromiseSource } from '@quiesce/internal';
import type { AnyOutcome, BranchFunction } from './branches.ts';
import { CLOSED, MISSED, pollMatching } from './pattern.ts';
import type { Entry } from './race-entries.ts';
import { addError, endRace, onLoserSettled, settleEarly, settleRound, unpark } from './race-settle.ts';
import { DECIDED, FINISHED, IDLE, ON, PAUSED, POLL_AGAIN, POLLING, RACING, type Race, SKIPPED } from './race-state.ts';
import { isRepeated } from './repeat.ts';
import { randomIndex } from './settings.ts';

/** The two functions of the newest promise. Kept here, so that no promise needs a closure of its own. */
let newResolve: Race['resolve'] = ignore;
let newReject: Race['reject'] = ignore;
function capture(resolve: Race['resolve'], reject: Race['reject']): void {
  newResolve = resolve;
  newReject = reject;
}

/** Creates the promise that the race settles next. */
function createPromise<T>(race: Race): Promise<T> {
  const result = new Promise<T>(capture as never);
  race.resolve = newResolve;
  race.reject = newReject;
  // Otherwise they would retain the promise and its outcome until the next select that waits.
  newResolve = ignore;
  newReject = ignore;
  return result;
}

/** Runs a `select`: takes a branch that is ready, or waits. Resolves with `undefined` when every branch is off. */
export function run(race: Race): Promise<AnyOutcome | undefined> {
  const { startIndex } = race.settings;
  let from = 0;
  try {
    // The start makes no difference when only one branch can be ready, and a random number costs time.
    if (race.pollableCount > 1 || startIndex !== randomIndex) from = startIndex(race.branchCount);
  } catch (error) {
    addError(race, error);
    return settleEarly(race);
  }
  race.pass = POLLING;
  pollOnce(race, from);
  race.pass = IDLE;
  if (race.state === DECIDED) return settleEarly(race);
  const result = createPromise<AnyOutcome | undefined>(race);
  parkAll(race, from);
  return result;
}

/** Parks on every entry that is ON, and starts the functions that are not running. */
function parkAll(race: Race, from: number | undefined): void {
  let notRunning = 0;
  const cancelWaiter = race.cancelWaiter;
  let isQuiet = cancelWaiter === undefined;
  if (cancelWaiter !== undefined) cancelWaiter.token[source].park(cancelWaiter);
  for (let entry = race.first; entry !== undefined; entry = entry.after) {
    if (entry.state !== ON) continue;
    // Invariant 1. A source that wakes during `park` decides at once.
    if (entry.protocol === undefined) notRunning++;
    else if (race.state === RACING) {
      park(race, entry, entry.protocol);
      if ((entry.protocol as Parkable).isQuiet !== true) isQuiet = false;
    }
  }
  // Invariant 2 of a wait.
  if (!isQuiet && race.state === RACING) decide(race, from);
  if (notRunning > 0) startFunctions(race);
}

/** A protocol whose `park` runs no foreign code. */
interface Parkable {
  readonly isQuiet?: boolean;
}

function park(race: Race, entry: Entry, protocol: SourceProtocol<unknown>): void {
  try {
    protocol.park(entry);
    // Invariant 4 of a wait.
    if (race.state > DECIDED) unpark(entry, protocol);
  } catch (error) {
    if (race.state === RACING) failEntry(race, entry, error);
  }
}

/**
 * Runs the next round of a loop. An error ends the loop.
 *
 * Functions start when the first round finds nothing ready, as in `select`, and otherwise when the second round begins. So a
 * stream that is always ready cannot keep them from starting.
 *
 * @returns the outcome; `MISSED` when every branch that was on had a pattern that did not fit; `undefined` when none is left
 */
export function runRound(race: Race, isFirst: boolean): Promise<AnyOutcome | typeof MISSED | undefined> {
  const result = createPromise<AnyOutcome | typeof MISSED | undefined>(race);
  race.state = RACING;
  race.onCount = 0;
  let last: Entry | undefined;
  for (let entry = race.first; entry !== undefined; entry = entry.after) {
    // Removes finished entries from the list.
    if (entry.state === FINISHED) {
      if (last === undefined) race.first = entry.after;
      else last.after = entry.after;
      continue;
    }
    entry.state = ON;
    race.onCount++;
    last = entry;
  }
  if (!isFirst) startFunctions(race);
  if (race.state === RACING) decide(race);
  if (race.state === RACING) parkAll(race, undefined);
  return result;
}

function startFunctions(race: Race): void {
  race.isStarting = true;
  for (let entry = race.first; entry !== undefined; entry = entry.after) {
    if (race.state === RACING && entry.protocol === undefined && entry.state === ON) startFunction(race, entry);
  }
  race.isStarting = false;
  if (race.state === DECIDED) conclude(race);
}

function startFunction(race: Race, entry: Entry): void {
  const outer = race.cancelWaiter?.token;
  const token = outer === undefined ? new CancellationToken() : outer.childToken();
  entry.token = token;
  race.settings.cleanupLimit?.started(entry);
  try {
    const result: unknown = (entry.branch as BranchFunction)(token);
    const protocol = new PromiseSource(isThenable(result) ? result : Promise.resolve(result));
    entry.protocol = protocol;
    if (race.state === RACING) protocol.park(entry);
  } catch (error) {
    entry.protocol = new PromiseSource(Promise.reject(error));
    if (race.state === RACING) failEntry(race, entry, error);
  }
}

/** Called when a source may be ready. */
export function onWake(race: Race, entry: Entry): void {
  if (race.state === RACING) {
    decide(race);
    if ((race.state as number) === RACING && entry.state === ON && entry.protocol !== undefined) {
      park(race, entry, entry.protocol);
      if ((race.state as number) === RACING) decide(race);
    }
    // A wake-up after unpark is ignored. After the decision only functions are awaited.
  } else if (race.state > DECIDED && entry.token !== undefined) onLoserSettled(race, entry);
}

/** Polls until nothing wakes the race during a pass. Only while RACING. */
export function decide(race: Race, first?: number): void {
  if (race.pass !== IDLE) {
    race.pass = POLL_AGAIN;
    return;
  }
  let from = first;
  do {
    race.pass = POLLING;
    pollOnce(race, from);
    from = undefined;
  } while ((race.pass as number) === POLL_AGAIN && race.state === RACING);
  race.pass = IDLE;
  if (race.state === DECIDED && !race.isStarting) conclude(race);
}

/** Polls the race's own token, and then all entries in order (invariant 2). */
function pollOnce(race: Race, first: number | undefined): void {
  const reason = race.cancelWaiter === undefined ? PENDING : race.cancelWaiter.token[source].poll();
  if (reason !== PENDING) {
    failRace(race, reason);
    return;
  }
  let from: number;
  try {
    from = first ?? race.settings.startIndex(race.branchCount);
  } catch (error) {
    // An error of the user's random function fails the race: a wake-up never throws.
    failRace(race, error);
    return;
  }
  let begin = race.first;
  // One full cycle, from the first entry at or after that index: a branch that is off has no entry.
  while (begin !== undefined && begin.index < from) begin = begin.after;
  begin ??= race.first;
  let entry = begin;
  while (entry !== undefined) {
    if (entry.protocol !== undefined && entry.state === ON && poll(race, entry, entry.protocol)) return;
    entry = entry.after ?? race.first;
    if (entry === begin) break;
  }
  if (race.onCount === 0) race.state = DECIDED;
}

/** Polls one entry. Returns whether that decided the race. */
function poll(race: Race, entry: Entry, protocol: SourceProtocol<unknown>): boolean {
  try {
    const matching = entry.pattern;
    const value = matching === undefined ? protocol.poll() : pollMatching(protocol, matching.guard);
    if (value === PENDING) return false;
    if (value === MISSED || value === CLOSED) return skipEntry(race, entry, protocol, value);
    race.outcome = { branch: entry.name, value };
  } catch (error) {
    const isEnd = race.settings.isLoop && protocol.once !== true && isClosedError(error);
    if (isEnd) return skipEntry(race, entry, protocol, CLOSED);
    failEntry(race, entry, error);
    return true;
  }
  race.winner = entry;
  race.state = DECIDED;
  return true;
}

/** Switches an entry off for this round, or for good if it can give no more values. That decides nothing. */
function skipEntry(race: Race, entry: Entry, protocol: SourceProtocol<unknown>, why: symbol): false {
  race.onCount--;
  entry.state = why === CLOSED ? FINISHED : SKIPPED;
  unpark(entry, protocol);
  finishOneShot(entry, protocol);
  return false;
}

/** A one-shot branch has given its value: it is finished, or starts again in the next round. */
function finishOneShot(entry: Entry, protocol: SourceProtocol<unknown>): void {
  if (protocol.once !== true) return;
  unpark(entry, protocol);
  if (entry.token !== undefined) entry.token.dispose();
  entry.token = undefined;
  if (entry.branch !== undefined && isRepeated(entry.branch)) entry.protocol = undefined;
  else entry.state = FINISHED;
}

function failEntry(race: Race, entry: Entry, error: unknown): void {
  race.winner = entry;
  failRace(race, error);
  if (race.pass === IDLE && !race.isStarting) conclude(race);
}

/** Decides the race with an error. */
function failRace(race: Race, error: unknown): void {
  addError(race, error);
  race.state = DECIDED;
}

/** Ends the race, or only the round in a loop without errors. */
function conclude(race: Race): void {
  if (!race.settings.isLoop || race.losers !== undefined) {
    endRace(race);
    return;
  }
  race.state = PAUSED;
  const winner = race.winner;
  if (winner?.protocol !== undefined) finishOneShot(winner, winner.protocol);
  settleRound(race, race.outcome === undefined && hasSkipped(race));
}

/** Ends a loop from outside: the pending round is the last one, and gives no outcome. */
export function stopRound(race: Race): void {
  if (race.state !== RACING) return;
  if (race.pass !== IDLE) {
    // Called during a poll: a value that this poll takes still belongs to the round.
    queueMicrotask(() => stopRound(race));
    return;
  }
  race.state = PAUSED;
  race.resolve(undefined);
}

/** Ends a loop between two rounds. Resolves when the functions have ended; rejects with their errors. */
export async function endLoop(race: Race): Promise<void> {
  if (race.state !== PAUSED) return;
  const result = createPromise<void>(race);
  race.state = DECIDED;
  endRace(race);
  await result;
}

/** Whether a branch is off for this round only. */
function hasSkipped(race: Race): boolean {
  for (let entry = race.first; entry !== undefined; entry = entry.after) if (entry.state !== FINISHED) return true;
  return false;
}
