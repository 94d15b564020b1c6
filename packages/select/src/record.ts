// The records of a race: what its branches become, and what is known of it. What it all means stands at the head of race.ts.

import type { CancellationToken, SourceProtocol, Waiter } from '@quiesce/cancellation-token';
import { ignore } from '@quiesce/internal';
import type { AnyBranches, AnyOutcome, BranchFunction } from './branches.ts';
import type { Aftermath } from './ending.ts';
import { CALL, FUNCTION, isElse, isOwn, kindOf, MATCH, OFF, PROMISE } from './kinds.ts';
import { checkEmpty, protocolOf } from './look.ts';
import { type MISSED, type Pattern, pattern } from './pattern.ts';
import { decide, woken } from './race.ts';
import { deferCalls } from './refused.ts';
import type { Settings } from './settings.ts';
import { IDLE, ON, RACING } from './state.ts';
import { recall, Watched, watch } from './watched.ts';

/** One branch that is not off, and the waiter that is parked on it. */
export class Entry implements Waiter {
  next: object | undefined = undefined;
  prev: object | undefined = undefined;
  owner: object | undefined = undefined;
  readonly race: Race;
  readonly name: string;
  /** Its place in the declaration, switched-off branches included. */
  readonly index: number;
  /** What is polled; `undefined`: a function that is not running. */
  protocol: SourceProtocol<unknown> | undefined;
  /** A promise that was not known before this race, to be remembered if it loses; or the function to start. */
  readonly branch: PromiseLike<unknown> | BranchFunction | undefined;
  readonly pattern: Pattern<unknown> | undefined;
  /** The token of the function that is running; `undefined`: no function, or none that runs. */
  token: CancellationToken | undefined = undefined;
  /** The next entry in order of declaration; set by `addAll`. */
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
    woken(this.race, this);
  }
}

/** The waiter on the token of the select itself. */
class Gate implements Waiter {
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

/** A record; plain fields, since engines initialise private ones slowly. A select is RACING from the beginning. */
export class Race {
  /** The entries in order of declaration; set by `addAll`. */
  first: Entry | undefined = undefined;
  state: number = RACING;
  /** A poll may run anything and wake this very race: then the pass that is under way is followed by another. */
  pass: number = IDLE;
  /** Functions are being started: a decision waits until the one that is starting has returned. */
  isStarting = false;
  /** How many entries are on. */
  open = 0;
  /** Whether it can come to that no branch is on; set by `addAll`. */
  canEnd = false;
  /** Whether a branch is a function or a promise; set by `addAll`. */
  hasWork = false;
  /** How many entries can be ready from the beginning: neither functions nor promises that were not known; so, too. */
  askable = 0;
  /** The entry that won or failed first; set by a decision; `undefined` then: nothing won, and the race itself ended. */
  winner: Entry | undefined = undefined;
  /** Set by a decision if a value won. */
  outcome: AnyOutcome | undefined = undefined;
  /** What few races need. */
  aftermath: Aftermath | undefined = undefined;
  /** Branches, switched-off ones included; set by `addAll`. */
  count = 0;
  readonly settings: Settings;
  readonly gate: Gate | undefined;
  /** Set by `promise`. `undefined` says that no branch is left. */
  resolve: (outcome: AnyOutcome | typeof MISSED | undefined) => void = ignore;
  reject: (error: unknown) => void = ignore;

  constructor(settings: Settings) {
    this.settings = settings;
    this.gate = settings.outer === undefined ? undefined : new Gate(this, settings.outer);
  }
}

/**
 * Adds the branches that are not off, in order.
 *
 * @throws TypeError for what cannot be a branch, a name or an `else`
 */
export function addAll(race: Race, branches: AnyBranches): void {
  let last: Entry | undefined;
  let kinds = OFF;
  for (const name in branches) {
    if (!isOwn(branches, name)) continue;
    const branch = branches[name];
    if (isElse(name, branch)) continue;
    const index = race.count++;
    const kind = kindOf(branch, name);
    kinds |= kind;
    if (kind === OFF) continue;
    const entry = entryFor(race, name, index, kind, branch);
    if (last === undefined) race.first = entry;
    else last.after = entry;
    last = entry;
    race.open++;
    if (entry.branch === undefined) race.askable++;
    if (kind & MATCH) race.canEnd = true;
    if (kind & (PROMISE | FUNCTION)) race.hasWork = true;
  }
  if (last === undefined) {
    race.canEnd = true;
    if (race.count === 0) checkEmpty(branches);
  }
  if (kinds & CALL) deferCalls(branches);
}

function entryFor(race: Race, name: string, index: number, kind: number, given: unknown): Entry {
  const matching = kind & MATCH ? (given as { [pattern]: Pattern<unknown> })[pattern] : undefined;
  const branch = matching === undefined ? given : matching.branch;
  if (kind & PROMISE) {
    const promise = branch as PromiseLike<unknown>;
    // A loop may be left before its first turn, when nothing could be remembered any more.
    const known = race.settings.isLoop ? watch(promise) : recall(promise);
    return known === undefined
      ? new Entry(race, name, index, new Watched(promise), promise, matching)
      : new Entry(race, name, index, known, undefined, matching);
  }
  if (kind & FUNCTION) return new Entry(race, name, index, undefined, branch as BranchFunction, matching);
  return new Entry(race, name, index, protocolOf(branch, kind), undefined, matching);
}
