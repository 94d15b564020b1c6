/**
 * One `select` that has to wait: the machine behind it.
 *
 *     RACING ──► DECIDED ──► CLEANING ──► settled
 *       │  a poll answers,      │  every function that lost has settled
 *       │  or the select is     └─ all unparked, then the losers cancelled, in order of declaration
 *       └─ cancelled
 *
 * Invariants
 *  1. While RACING every entry with a protocol is parked on it, except inside `decide`.
 *  2. A wake-up polls all entries in order, not only the one that was woken: of several that became ready in one step
 *     the first in order wins. Only the poll that wins consumes, and no poll follows it.
 *  3. Once DECIDED no entry is ever polled as a branch again, and before anything of the user's learns of the decision
 *     all entries are unparked, in order of declaration.
 *  4. A function that was started is either the winner, or cancelled (unless it had settled) and awaited.
 *  5. Every error of a function ends in exactly one place: the rejection, or `SelectError.errors`.
 */

import {
  CancellationToken,
  CancelledError,
  consumeBudget,
  isCancellationOf,
  PENDING,
  type Source,
  type SourceProtocol,
  source,
  type Waiter,
} from '@quiesce/cancellation-token';
import { isThenable } from '@quiesce/internal';
import { absolve, blame } from './branch-of.ts';
import type { AnyOutcome, BranchFunction, Late } from './branches.ts';
import { SelectError } from './errors.ts';
import { FUNCTION, type Kind, PROMISE, SIGNAL } from './kinds.ts';
import { recall, remember, Watched } from './watched.ts';

const RACING = 0;
const DECIDED = 1;
const CLEANING = 2;
/** Whether a poll pass is under way, and whether something woke the race meanwhile. */
const IDLE = 0;
const POLLING = 1;
const POLL_AGAIN = 2;

/** Where the executor of a new promise leaves its two functions, so that no closure is made for each. */
let resolveNew: (outcome: AnyOutcome) => void = ignore;
let rejectNew: (error: unknown) => void = ignore;
function capture(resolve: (outcome: AnyOutcome) => void, reject: (error: unknown) => void): void {
  resolveNew = resolve;
  rejectNew = reject;
}

/** One open branch, and the waiter that is parked on it. */
class Entry implements Waiter {
  next: object | undefined = undefined;
  prev: object | undefined = undefined;
  owner: object | undefined = undefined;
  readonly race: Race;
  readonly name: string;
  /** Its place in the declaration, switched-off branches included. */
  readonly index: number;
  /** What is polled; `undefined`: a function that has not been started. */
  protocol: SourceProtocol<unknown> | undefined;
  /** A promise that was not known before this race, to be remembered if it loses; or the function to start. */
  readonly branch: PromiseLike<unknown> | BranchFunction | undefined;
  /** The token that a started function got; `undefined`: not a function, or not started. */
  token: CancellationToken | undefined = undefined;
  /** The next entry in order of declaration; set by `Race.add`. */
  after: Entry | undefined = undefined;

  constructor(
    race: Race,
    name: string,
    index: number,
    protocol: SourceProtocol<unknown> | undefined,
    branch: PromiseLike<unknown> | BranchFunction | undefined,
  ) {
    this.race = race;
    this.name = name;
    this.index = index;
    this.protocol = protocol;
    this.branch = branch;
  }

  wake(): void {
    this.race.woken(this);
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
    this.race.decide();
  }
}

/** What few races need: functions that lost, and errors. */
class Aftermath {
  /** The first error or the reason, if nothing won; then those of losers (invariant 5). */
  readonly errors: unknown[] = [];
  /** What functions that lost have given all the same, at their index: a list with holes. */
  readonly late: Late[] = [];
  /** How many losing functions are still running, while CLEANING. */
  running = 0;
}

/** Public only inside of this package; plain fields, since engines initialise private ones slowly. */
export class Race {
  /** The open branches in order of declaration. */
  first: Entry | undefined = undefined;
  last: Entry | undefined = undefined;
  state: typeof RACING | typeof DECIDED | typeof CLEANING = RACING;
  /** A poll may run anything and wake this very race: then the pass that is under way is followed by another. */
  pass: typeof IDLE | typeof POLLING | typeof POLL_AGAIN = IDLE;
  /** Functions are being started: a decision waits until the one that is starting has returned. */
  isStarting = false;
  /** The entry that won or failed first; set by the decision; `undefined` then: the select itself ended. */
  winner: Entry | undefined = undefined;
  /** Set by the decision if a value won. */
  outcome: AnyOutcome | undefined = undefined;
  aftermath: Aftermath | undefined = undefined;
  readonly count: number;
  /** Chooses where each poll starts. */
  readonly start: (count: number) => number;
  readonly gate: Gate | undefined;
  /** Set by `run`. */
  resolve: ((outcome: AnyOutcome) => void) | undefined = undefined;
  reject: ((error: unknown) => void) | undefined = undefined;

  constructor(count: number, start: (count: number) => number, outer: CancellationToken | undefined) {
    this.count = count;
    this.start = start;
    this.gate = outer === undefined ? undefined : new Gate(this, outer);
  }

  /** Adds an open branch behind the others. */
  add(name: string, index: number, kind: Kind, branch: unknown): void {
    const entry = this.#entryFor(name, index, kind, branch);
    if (this.last === undefined) this.first = entry;
    else this.last.after = entry;
    this.last = entry;
  }

  #entryFor(name: string, index: number, kind: Kind, branch: unknown): Entry {
    if (kind === FUNCTION) return new Entry(this, name, index, undefined, branch as BranchFunction);
    if (kind === PROMISE) {
      const promise = branch as PromiseLike<unknown>;
      const known = recall(promise);
      return known === undefined
        ? new Entry(this, name, index, new Watched(promise), promise)
        : new Entry(this, name, index, known, undefined);
    }
    const from = kind === SIGNAL ? CancellationToken.from(branch as AbortSignal) : (branch as Source<unknown>);
    return new Entry(this, name, index, from[source], undefined);
  }

  /** Parks on everything, starts the functions, and promises the outcome. The branches were polled from `from` on. */
  run(from: number): Promise<AnyOutcome> {
    const result = new Promise<AnyOutcome>(capture);
    this.resolve = resolveNew;
    this.reject = rejectNew;
    // Or they would keep the latest promise, and with it the outcome, until the next select that waits.
    resolveNew = ignore;
    rejectNew = ignore;
    let functions = 0;
    let sources = 0;
    this.gate?.token[source].park(this.gate);
    for (let entry = this.first; entry !== undefined; entry = entry.after) {
      // Invariant 1. A source that wakes inside park decides at once.
      if (entry.protocol === undefined) functions++;
      else if (this.state === RACING) this.#park(entry, entry.protocol);
      if (entry.branch === undefined) sources++;
    }
    // Parking may run anything, and make ready what was polled before and parked after: the same poll once more.
    if (sources > 1) this.#decideFrom(from);
    if (functions > 0) this.#launchAll();
    return result;
  }

  #park(entry: Entry, protocol: SourceProtocol<unknown>): void {
    try {
      protocol.park(entry);
    } catch (error) {
      if (this.state === RACING) this.#fail(entry, error);
    }
  }

  #launchAll(): void {
    this.isStarting = true;
    for (let entry = this.first; entry !== undefined; entry = entry.after) {
      if (this.state === RACING && entry.protocol === undefined) this.#launch(entry);
    }
    this.isStarting = false;
    if (this.state === DECIDED) this.#clean();
  }

  #launch(entry: Entry): void {
    const outer = this.gate?.token;
    const token = outer === undefined ? new CancellationToken() : outer.childToken();
    entry.token = token;
    try {
      const result: unknown = (entry.branch as BranchFunction)(token);
      const watched = new Watched(isThenable(result) ? result : Promise.resolve(result));
      entry.protocol = watched;
      if (this.state === RACING) watched.park(entry);
    } catch (error) {
      entry.protocol = new Watched(Promise.reject(error));
      if (this.state === RACING) this.#fail(entry, error);
    }
  }

  woken(entry: Entry): void {
    if (this.state === CLEANING) {
      // A source that wakes a waiter which was unparked meanwhile is put up with; only functions are still waited for.
      if (entry.token !== undefined) this.#settled(entry);
      return;
    }
    this.decide();
    if (this.state === RACING && entry.protocol !== undefined) this.#park(entry, entry.protocol);
  }

  /** Asks everything, from a place that is chosen anew. */
  decide(): void {
    this.#decideFrom(undefined);
  }

  /** Polls until nothing has woken the race while it was polling. */
  #decideFrom(first: number | undefined): void {
    if (this.pass !== IDLE) {
      this.pass = POLL_AGAIN;
      return;
    }
    let from = first;
    do {
      this.pass = POLLING;
      if (this.state === RACING) this.#pollOnce(from);
      from = undefined;
    } while ((this.pass as number) === POLL_AGAIN && this.state === RACING);
    this.pass = IDLE;
  }

  /** Asks the select's own token, then all branches in order (invariant 2). */
  #pollOnce(first: number | undefined): void {
    const reason = this.gate === undefined ? PENDING : this.gate.token[source].poll();
    if (reason !== PENDING) {
      this.#needAftermath().errors.push(reason);
      this.#decided(undefined);
      return;
    }
    let from: number;
    try {
      from = first ?? this.start(this.count);
    } catch (error) {
      // The user's random source: a wake-up never throws.
      this.#needAftermath().errors.push(error);
      this.#decided(undefined);
      return;
    }
    if (this.#poll(from, this.count)) return;
    if (from > 0) this.#poll(0, from);
  }

  /** Polls the entries whose index is in the range; says whether that decided. */
  #poll(from: number, to: number): boolean {
    for (let entry = this.first; entry !== undefined; entry = entry.after) {
      const protocol = entry.protocol;
      if (protocol === undefined || entry.index < from || entry.index >= to) continue;
      try {
        const value = protocol.poll();
        if (value === PENDING) continue;
        this.outcome = { branch: entry.name, value };
      } catch (error) {
        this.#fail(entry, error);
        return true;
      }
      this.#decided(entry);
      return true;
    }
    return false;
  }

  #fail(entry: Entry, error: unknown): void {
    this.#needAftermath().errors.push(error);
    this.#decided(entry);
  }

  #needAftermath(): Aftermath {
    this.aftermath ??= new Aftermath();
    return this.aftermath;
  }

  #decided(winner: Entry | undefined): void {
    this.state = DECIDED;
    this.winner = winner;
    if (!this.isStarting) this.#clean();
  }

  /** Unparks everything, remembers the promises that lost, cancels the functions that lost (invariants 3 and 4). */
  #clean(): void {
    this.state = CLEANING;
    let hasStarted = false;
    const gate = this.gate;
    if (gate !== undefined) gate.token[source].unpark(gate);
    for (let entry = this.first; entry !== undefined; entry = entry.after) {
      const protocol = entry.protocol;
      if (protocol === undefined) continue;
      protocol.unpark(entry);
      if (entry.token !== undefined) hasStarted = true;
      else if (entry.branch !== undefined && entry !== this.winner) {
        remember(entry.branch as PromiseLike<unknown>, protocol as Watched);
      }
    }
    if (hasStarted) this.#endAll();
    else this.#finish();
  }

  #endAll(): void {
    // One more than there are: so that none that settles meanwhile ends the select before all are cancelled.
    this.#needAftermath().running = 1;
    for (let entry = this.first; entry !== undefined; entry = entry.after) {
      if (entry === this.winner) entry.token?.dispose();
      else if (entry.token !== undefined) this.#end(entry, entry.token);
    }
    this.#over();
  }

  #end(entry: Entry, token: CancellationToken): void {
    const watched = entry.protocol as Watched;
    this.#needAftermath().running++;
    if (watched.isSettled) {
      this.#settled(entry);
      return;
    }
    watched.park(entry);
    const winner = this.winner;
    const why = winner === undefined ? 'The select was cancelled' : `Lost to branch ${JSON.stringify(winner.name)}`;
    token.cancel(new CancelledError(`${why}: branch ${JSON.stringify(entry.name)}`, { source: 'select' }));
  }

  /** A losing function has settled. */
  #settled(entry: Entry): void {
    const token = entry.token as CancellationToken;
    const { late, errors } = this.#needAftermath();
    try {
      late[entry.index] = { branch: entry.name, value: (entry.protocol as Watched).poll() };
    } catch (error) {
      // One that was not cancelled has failed, whatever it says.
      if (!isCancellationOf(error, token)) errors.push(error);
    }
    token.dispose();
    this.#over();
  }

  /** One thing less to wait for; the last one settles the select. */
  #over(): void {
    if (--this.#needAftermath().running === 0) this.#finish();
  }

  #finish(): void {
    const turn = consumeBudget();
    if (turn !== undefined) void turn.then(() => this.#settle());
    else this.#settle();
  }

  #settle(): void {
    const outcome = this.outcome;
    const aftermath = this.aftermath;
    if (outcome !== undefined && (aftermath === undefined || aftermath.errors.length === 0)) {
      if (aftermath !== undefined && aftermath.late.length > 0) outcome.late = aftermath.late.filter(() => true);
      this.resolve?.(outcome);
      return;
    }
    const errors = this.#needAftermath().errors;
    if (outcome !== undefined || errors.length > 1) {
      this.reject?.(this.#several(errors));
      return;
    }
    if (this.winner === undefined) absolve(errors[0]);
    else blame(errors[0], this.winner.name);
    this.reject?.(errors[0]);
  }

  #several(errors: readonly unknown[]): SelectError {
    const winner = this.winner;
    const what =
      winner === undefined
        ? 'the select was cancelled'
        : `branch ${JSON.stringify(winner.name)} ${this.outcome === undefined ? 'failed' : 'won'}`;
    const text = `${what}, and functions that were then cancelled failed with errors of their own; see .errors`;
    return new SelectError(text, errors, this.outcome);
  }
}

function ignore(): void {}
