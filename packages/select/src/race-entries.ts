// The entries of a race: one waiter for each branch that is not off, and one for the token of the race itself.

import type { CancellationToken, SourceProtocol, Waiter } from '@quiesce/cancellation-token';
import { PromiseSource, recallPromise, watchPromise } from '@quiesce/internal';
import { type AnyBranches, type BranchFunction, deferCalls } from './branches.ts';
import { CALL, checkNotEmpty, FUNCTION, isElse, isOwn, kindOf, MATCH, OFF, PROMISE, protocolOf } from './kinds.ts';
import { type Pattern, pattern } from './pattern.ts';
import { decide, onWake } from './race.ts';
import { ON, RACING, Race } from './race-state.ts';
import type { Settings } from './settings.ts';

/** One branch that is not off, and the waiter that is parked on it. */
export class Entry implements Waiter {
  next: object | undefined = undefined;
  prev: object | undefined = undefined;
  owner: object | undefined = undefined;
  readonly race: Race;
  readonly name: string;
  /** Its place in the declaration. Branches that are off count, too. */
  readonly index: number;
  /** The protocol to poll, or `undefined` for a function that is not running. */
  protocol: SourceProtocol<unknown> | undefined;
  /** A promise that is new to all races, to remember if it loses; the function to start; or `undefined`. */
  readonly branch: PromiseLike<unknown> | BranchFunction | undefined;
  readonly pattern: Pattern<unknown> | undefined;
  /** The token of the running function, or `undefined` when none runs. */
  token: CancellationToken | undefined = undefined;
  /** The next entry in order of declaration; set by `createRace`. */
  after: Entry | undefined = undefined;
  state: number = ON;

  constructor(
    race: Race,
    name: string,
    index: number,
    protocol: SourceProtocol<unknown> | undefined,
    branch: PromiseLike<unknown> | BranchFunction | undefined,
    matching: Pattern<unknown> | undefined,
  ) {
    this.race = race;
    this.name = name;
    this.index = index;
    this.protocol = protocol;
    this.branch = branch;
    this.pattern = matching;
  }

  wake(): void {
    onWake(this.race, this);
  }
}

/** The waiter on the token of the select itself. */
export class CancelWaiter implements Waiter {
  next: object | undefined = undefined;
  prev: object | undefined = undefined;
  owner: object | undefined = undefined;
  readonly race: Race;
  readonly token: CancellationToken;

  constructor(race: Race, token: CancellationToken) {
    this.race = race;
    this.token = token;
  }

  wake(): void {
    if (this.race.state === RACING) decide(this.race);
  }
}

/**
 * Creates a race with an entry for each branch that is not off, in order of declaration. Polls nothing.
 *
 * @throws TypeError for a value that is no branch, and for a wrong name or `else`
 */
export function createRace(settings: Settings, branches: AnyBranches): Race {
  const race = new Race(settings);
  if (settings.outer !== undefined) race.cancelWaiter = new CancelWaiter(race, settings.outer);
  let last: Entry | undefined;
  let kinds = OFF;
  for (const name in branches) {
    if (!isOwn(branches, name)) continue;
    const branch = branches[name];
    if (isElse(name, branch)) continue;
    const index = race.branchCount++;
    const kind = kindOf(branch, name);
    kinds |= kind;
    if (kind === OFF) continue;
    const entry = createEntry(race, name, index, kind, branch);
    if (last === undefined) race.first = entry;
    else last.after = entry;
    last = entry;
    race.onCount++;
    if (entry.branch === undefined) race.pollableCount++;
    if (kind & MATCH) race.canRunOut = true;
    if (kind & (PROMISE | FUNCTION)) race.hasWork = true;
  }
  if (last === undefined) {
    race.canRunOut = true;
    if (race.branchCount === 0) checkNotEmpty(branches);
  }
  if (kinds & CALL) deferCalls(branches);
  return race;
}

function createEntry(race: Race, name: string, index: number, kind: number, given: unknown): Entry {
  const matching = kind & MATCH ? (given as { [pattern]: Pattern<unknown> })[pattern] : undefined;
  const branch = matching === undefined ? given : matching.branch;
  if (kind & PROMISE) {
    const promise = branch as PromiseLike<unknown>;
    // A loop may end before its first round, when it is too late to remember the promise.
    const known = race.settings.isLoop ? watchPromise(promise) : recallPromise(promise);
    return known === undefined
      ? new Entry(race, name, index, new PromiseSource(promise), promise, matching)
      : new Entry(race, name, index, known, undefined, matching);
  }
  if (kind & FUNCTION) return new Entry(race, name, index, undefined, branch as BranchFunction, matching);
  return new Entry(race, name, index, protocolOf(branch, kind), undefined, matching);
}
