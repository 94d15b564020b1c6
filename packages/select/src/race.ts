/**
 * What waits in `select` and `selectEach`: the machine behind them.
 *
 *                  ┌─────────── next turn (selectEach only) ────────────┐
 *                  ▼                                                    │
 *     RESTING ──► RACING ──► DECIDED ──► value, and it is a loop ──► RESTING
 *                               │
 *                               └─► otherwise CLEANING ──► settled, or GIVEN_UP (see ending.ts)
 *
 *  RACING    a promise has been given out; the first wake-up that finds something ready decides
 *  RESTING   between two turns: nobody waits, wake-ups mean nothing, what is parked stays parked and functions run on
 *  DECIDED   something won, failed or was cancelled; lasts while functions are being started
 *
 * Invariants
 *  1. While RACING every entry that is on and has a protocol is parked on it, except inside `decide`.
 *  2. A wake-up polls all entries that are on, in order, not only the one that was woken: of several that became ready in
 *     one step the first in order wins. Only the poll that wins consumes, and none follows it in that turn; the polls of
 *     values that do not fit a pattern are the exception.
 *  3. Once DECIDED no entry is polled as a branch before the next turn. Before anything of the user's learns of a decision
 *     that ends the race, all entries are unparked, in order of declaration.
 *  4. A function that was started has won, or has been taken out by its pattern, or is cancelled (unless it had settled)
 *     and awaited.
 *  5. Every error of a function ends in exactly one place: the rejection, `errors`, or the uncaught handler.
 *
 * It is a wait, too: the invariants at the head of cancellation-token's source.ts hold for all entries and the gate.
 */

import { CancellationToken, isClosedError, PENDING, type SourceProtocol, source } from '@quiesce/cancellation-token';
import { ignore, isThenable } from '@quiesce/internal';
import type { AnyOutcome, BranchFunction } from './branches.ts';
import { addError, clean, finishEarly, finishTurn, functionEnded, unpark } from './ending.ts';
import { CLOSED, MISSED, pollMatching } from './pattern.ts';
import type { Entry, Race } from './record.ts';
import { isRepeated } from './repeat.ts';
import { anywhere } from './settings.ts';
import { DECIDED, IDLE, ON, OUT, OVER, POLL_AGAIN, POLLING, RACING, RESTING } from './state.ts';
import { Watched } from './watched.ts';

/** Where the executor of a new promise leaves its two functions, so that no closure is made for each. */
let resolveNew: Race['resolve'] = ignore;
let rejectNew: Race['reject'] = ignore;
function capture(resolve: Race['resolve'], reject: Race['reject']): void {
  resolveNew = resolve;
  rejectNew = reject;
}

/** A new promise for what the race comes to next. */
function promise<T>(race: Race): Promise<T> {
  const result = new Promise<T>(capture as never);
  race.resolve = resolveNew;
  race.reject = rejectNew;
  // Or they would keep the latest promise, and with it the outcome, until the next select that waits.
  resolveNew = ignore;
  rejectNew = ignore;
  return result;
}

/** A `select`: takes what is ready, or else waits. `undefined` says that every branch is off. */
export function run(race: Race): Promise<AnyOutcome | undefined> {
  const { start } = race.settings;
  let from = 0;
  try {
    // Where one begins makes no difference if only one can be ready, and chance costs time.
    if (race.askable > 1 || start !== anywhere) from = start(race.count);
  } catch (error) {
    addError(race, error);
    return finishEarly(race);
  }
  race.pass = POLLING;
  pollOnce(race, from);
  race.pass = IDLE;
  if (race.state === DECIDED) return finishEarly(race);
  const result = promise<AnyOutcome | undefined>(race);
  arm(race, from);
  return result;
}

/** Parks on everything that is on, and starts the functions that are not running. */
function arm(race: Race, from: number | undefined): void {
  let idle = 0;
  const gate = race.gate;
  let isQuiet = gate === undefined;
  if (gate !== undefined) gate.token[source].park(gate);
  for (let entry = race.first; entry !== undefined; entry = entry.after) {
    if (entry.state !== ON) continue;
    // Invariant 1. A source that wakes inside park decides at once.
    if (entry.protocol === undefined) idle++;
    else if (race.state === RACING) {
      park(race, entry, entry.protocol);
      if ((entry.protocol as Parkable).isQuiet !== true) isQuiet = false;
    }
  }
  // Invariant 2 of a wait.
  if (!isQuiet && race.state === RACING) decide(race, from);
  if (idle > 0) launchAll(race);
}

/** What says of itself that nothing of anybody else's runs when it is parked on. */
interface Parkable {
  readonly isQuiet?: boolean;
}

function park(race: Race, entry: Entry, protocol: SourceProtocol<unknown>): void {
  try {
    protocol.park(entry);
    // Invariant 4 of a wait.
    if (race.state > DECIDED) unpark(entry, protocol);
  } catch (error) {
    if (race.state === RACING) fail(race, entry, error);
  }
}

/**
 * The next turn of a loop: what stands in its way, if anything, ends it.
 *
 * Functions are started when the first turn finds nothing ready, as in `select`, and otherwise when the second begins:
 * a stream that is always ready must not keep them from running.
 *
 * @returns the outcome; `MISSED` when every branch that was on had a pattern that did not fit; `undefined` when none is left
 */
export function turn(race: Race, isFirst: boolean): Promise<AnyOutcome | typeof MISSED | undefined> {
  const result = promise<AnyOutcome | typeof MISSED | undefined>(race);
  race.state = RACING;
  race.open = 0;
  let last: Entry | undefined;
  for (let entry = race.first; entry !== undefined; entry = entry.after) {
    // What is over is not looked at any more.
    if (entry.state === OVER) {
      if (last === undefined) race.first = entry.after;
      else last.after = entry.after;
      continue;
    }
    entry.state = ON;
    race.open++;
    last = entry;
  }
  if (!isFirst) launchAll(race);
  if (race.state === RACING) decide(race);
  if (race.state === RACING) arm(race, undefined);
  return result;
}

function launchAll(race: Race): void {
  race.isStarting = true;
  for (let entry = race.first; entry !== undefined; entry = entry.after) {
    if (race.state === RACING && entry.protocol === undefined && entry.state === ON) launch(race, entry);
  }
  race.isStarting = false;
  if (race.state === DECIDED) conclude(race);
}

function launch(race: Race, entry: Entry): void {
  const outer = race.gate?.token;
  const token = outer === undefined ? new CancellationToken() : outer.childToken();
  entry.token = token;
  race.settings.limit?.started(entry);
  try {
    const result: unknown = (entry.branch as BranchFunction)(token);
    const watched = new Watched(isThenable(result) ? result : Promise.resolve(result));
    entry.protocol = watched;
    if (race.state === RACING) watched.park(entry);
  } catch (error) {
    entry.protocol = new Watched(Promise.reject(error));
    if (race.state === RACING) fail(race, entry, error);
  }
}

/** A source says that polling is worth while. */
export function woken(race: Race, entry: Entry): void {
  if (race.state === RACING) {
    decide(race);
    if ((race.state as number) === RACING && entry.state === ON && entry.protocol !== undefined) {
      park(race, entry, entry.protocol);
      if ((race.state as number) === RACING) decide(race);
    }
    // A source that wakes a waiter which was unparked meanwhile is put up with; only functions are still waited for.
  } else if (race.state > DECIDED && entry.token !== undefined) functionEnded(race, entry);
}

/** Polls until nothing has woken the race while it was polling. Only while RACING. */
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

/** Asks the race's own token, then all entries in order (invariant 2). */
function pollOnce(race: Race, first: number | undefined): void {
  const reason = race.gate === undefined ? PENDING : race.gate.token[source].poll();
  if (reason !== PENDING) {
    stop(race, reason);
    return;
  }
  let from: number;
  try {
    from = first ?? race.settings.start(race.count);
  } catch (error) {
    // The user's random source: a wake-up never throws.
    stop(race, error);
    return;
  }
  let begin = race.first;
  // Once round, from the first entry at that place or behind it: one that is off has no entry.
  while (begin !== undefined && begin.index < from) begin = begin.after;
  begin ??= race.first;
  let entry = begin;
  while (entry !== undefined) {
    if (entry.protocol !== undefined && entry.state === ON && poll(race, entry, entry.protocol)) return;
    entry = entry.after ?? race.first;
    if (entry === begin) break;
  }
  if (race.open === 0) race.state = DECIDED;
}

/** Says whether that decided. */
function poll(race: Race, entry: Entry, protocol: SourceProtocol<unknown>): boolean {
  try {
    const matching = entry.pattern;
    const value = matching === undefined ? protocol.poll() : pollMatching(protocol, matching.guard);
    if (value === PENDING) return false;
    if (value === MISSED || value === CLOSED) return drop(race, entry, protocol, value);
    race.outcome = { branch: entry.name, value };
  } catch (error) {
    const isEnd = race.settings.isLoop && protocol.once !== true && isClosedError(error);
    if (isEnd) return drop(race, entry, protocol, CLOSED);
    fail(race, entry, error);
    return true;
  }
  race.winner = entry;
  race.state = DECIDED;
  return true;
}

/** Takes an entry out: of this turn, or, if it can give nothing more, for good. That decides nothing. */
function drop(race: Race, entry: Entry, protocol: SourceProtocol<unknown>, why: symbol): false {
  race.open--;
  entry.state = why === CLOSED ? OVER : OUT;
  unpark(entry, protocol);
  spend(entry, protocol);
  return false;
}

/** A one-shot branch has given what it had: it is over, or to be started again. */
function spend(entry: Entry, protocol: SourceProtocol<unknown>): void {
  if (protocol.once !== true) return;
  unpark(entry, protocol);
  if (entry.token !== undefined) entry.token.dispose();
  entry.token = undefined;
  if (entry.branch !== undefined && isRepeated(entry.branch)) entry.protocol = undefined;
  else entry.state = OVER;
}

function fail(race: Race, entry: Entry, error: unknown): void {
  race.winner = entry;
  stop(race, error);
  if (race.pass === IDLE && !race.isStarting) conclude(race);
}

/** The race is over, with an error. */
function stop(race: Race, error: unknown): void {
  addError(race, error);
  race.state = DECIDED;
}

/** Ends the race, or, in a loop in which nothing has failed, the turn. */
function conclude(race: Race): void {
  if (!race.settings.isLoop || race.aftermath !== undefined) {
    clean(race);
    return;
  }
  race.state = RESTING;
  const winner = race.winner;
  if (winner?.protocol !== undefined) spend(winner, winner.protocol);
  finishTurn(race, race.outcome === undefined && hasMissed(race));
}

/** A loop is left by somebody else than itself: the turn that is waited for is its last, and brings nothing. */
export function stopTurn(race: Race): void {
  if (race.state !== RACING) return;
  if (race.pass !== IDLE) {
    // By a poll: what that poll takes still belongs to the turn.
    queueMicrotask(() => stopTurn(race));
    return;
  }
  race.state = RESTING;
  race.resolve(undefined);
}

/** Leaves a loop between two turns. Resolves when the functions have ended; rejects with what they failed with. */
export async function leave(race: Race): Promise<void> {
  if (race.state !== RESTING) return;
  const result = promise<void>(race);
  race.state = DECIDED;
  clean(race);
  await result;
}

/** Whether branches are out of this turn and not off for good. */
function hasMissed(race: Race): boolean {
  for (let entry = race.first; entry !== undefined; entry = entry.after) if (entry.state !== OVER) return true;
  return false;
}
