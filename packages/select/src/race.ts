/**
 * One `select` that has to wait: the machine behind it.
 *
 *     RACING ──► DECIDED ──► CLEANING ──► done
 *       │  a poll answers,      │  every function that lost has settled
 *       │  or the select is     └─ losers unparked, then cancelled, in order of declaration
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
import { blame } from './branch-of.ts';
import type { AnyOutcome, BranchFunction, Late } from './branches.ts';
import { SelectError } from './errors.ts';
import { FUNCTION, type Kind, PROMISE, SIGNAL } from './kinds.ts';
import { recall, remember, Watched } from './watched.ts';

const RACING = 0;
const DECIDED = 1;
const CLEANING = 2;

/** How a select chooses where to look first: the index of a branch, switched-off ones included. */
export type Start = () => number;

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
  /** A promise that was not known before this race: to be remembered if it loses. */
  readonly promise: PromiseLike<unknown> | undefined;
  /** The function to start. */
  readonly work: BranchFunction | undefined;
  /** The token that a started function got; `undefined`: not a function, or not started. */
  token: CancellationToken | undefined = undefined;

  constructor(race: Race, name: string, index: number, kind: Kind, branch: unknown) {
    this.race = race;
    this.name = name;
    this.index = index;
    this.promise = undefined;
    this.work = undefined;
    this.protocol = undefined;
    if (kind === PROMISE) {
      const promise = branch as PromiseLike<unknown>;
      const before = recall(promise);
      this.protocol = before ?? new Watched(promise);
      if (before === undefined) this.promise = promise;
    } else if (kind === FUNCTION) {
      this.work = branch as BranchFunction;
    } else {
      const from = kind === SIGNAL ? CancellationToken.from(branch as AbortSignal) : (branch as Source<unknown>);
      this.protocol = from[source];
    }
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

export class Race {
  /** The open branches in order of declaration. */
  readonly #entries: Entry[] = [];
  readonly #start: Start;
  readonly #gate: Gate | undefined;
  #state: typeof RACING | typeof DECIDED | typeof CLEANING = RACING;
  /** Functions are being started: a decision waits until the one that is starting has returned. */
  #starting = false;
  /** The entry that won or failed first; set by the decision; `undefined` then: the select was cancelled. */
  #first: Entry | undefined = undefined;
  /** Set by the decision if a value won. */
  #outcome: AnyOutcome | undefined = undefined;
  /** The first error or the reason, if none did; then those of losers (invariant 5). */
  readonly #errors: unknown[] = [];
  #late: Late[] | undefined = undefined;
  /** How many losing functions are still running, while CLEANING. */
  #running = 0;
  #resolve: (outcome: AnyOutcome) => void = ignore;
  #reject: (error: unknown) => void = ignore;

  constructor(start: Start, outer: CancellationToken | undefined) {
    this.#start = start;
    this.#gate = outer === undefined ? undefined : new Gate(this, outer);
  }

  add(name: string, index: number, kind: Kind, branch: unknown): void {
    this.#entries.push(new Entry(this, name, index, kind, branch));
  }

  /** Parks on everything, starts the functions, and promises the outcome. */
  run(): Promise<AnyOutcome> {
    const result = new Promise<AnyOutcome>((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.#gate?.token[source].park(this.#gate);
    for (const entry of this.#entries) {
      // Invariant 1. A source that wakes inside park decides at once.
      if (this.#state === RACING) entry.protocol?.park(entry);
    }
    this.#starting = true;
    for (const entry of this.#entries) {
      if (this.#state === RACING && entry.work !== undefined) this.#launch(entry, entry.work);
    }
    this.#starting = false;
    if (this.#state === DECIDED) this.#clean();
    return result;
  }

  #launch(entry: Entry, work: BranchFunction): void {
    const outer = this.#gate?.token;
    entry.token = outer === undefined ? new CancellationToken() : outer.childToken();
    let result: unknown;
    try {
      result = work(entry.token);
    } catch (error) {
      result = Promise.reject(error);
      if (this.#state === RACING) {
        entry.protocol = new Watched(result as Promise<never>);
        this.#fail(entry, error);
        return;
      }
    }
    const watched = new Watched(isThenable(result) ? result : Promise.resolve(result));
    entry.protocol = watched;
    if (this.#state === RACING) watched.park(entry);
  }

  woken(entry: Entry): void {
    if (this.#state === CLEANING) {
      this.#settled(entry);
      return;
    }
    this.decide();
    if (this.#state === RACING) entry.protocol?.park(entry);
  }

  /** Asks the select's own token, then all branches in order (invariant 2). */
  decide(): void {
    if (this.#state !== RACING) return;
    const gate = this.#gate;
    if (gate?.token.isCancelled) {
      this.#errors.push(gate.token.reason);
      this.#decided(undefined);
      return;
    }
    const from = this.#start();
    this.#pollWhere((index) => index >= from) || this.#pollWhere((index) => index < from);
  }

  /** Polls the entries whose index is wanted; says whether that decided. */
  #pollWhere(wanted: (index: number) => boolean): boolean {
    for (const entry of this.#entries) {
      if (entry.protocol === undefined || !wanted(entry.index)) continue;
      try {
        const value = entry.protocol.poll();
        if (value === PENDING) continue;
        this.#outcome = { branch: entry.name, value };
        this.#decided(entry);
      } catch (error) {
        this.#fail(entry, error);
      }
      return true;
    }
    return false;
  }

  #fail(entry: Entry, error: unknown): void {
    this.#errors.push(error);
    this.#decided(entry);
  }

  #decided(first: Entry | undefined): void {
    this.#state = DECIDED;
    this.#first = first;
    if (!this.#starting) this.#clean();
  }

  /** Unparks everything, remembers the promises that lost, cancels the functions that lost (invariants 3 and 4). */
  #clean(): void {
    this.#state = CLEANING;
    const gate = this.#gate;
    if (gate !== undefined) gate.token[source].unpark(gate);
    for (const entry of this.#entries) {
      entry.protocol?.unpark(entry);
      if (entry.promise !== undefined && entry !== this.#first) remember(entry.promise, entry.protocol as Watched);
    }
    // One more than there are: so that none that settles meanwhile ends the select before all are cancelled.
    this.#running = 1;
    for (const entry of this.#entries) {
      if (entry.token !== undefined) this.#end(entry, entry.token);
    }
    this.#over();
  }

  #end(entry: Entry, token: CancellationToken): void {
    if (entry === this.#first) {
      token.dispose();
      return;
    }
    const watched = entry.protocol as Watched;
    this.#running++;
    if (watched.isSettled) {
      this.#settled(entry);
      return;
    }
    watched.park(entry);
    const winner = this.#first;
    const why = winner === undefined ? 'The select was cancelled' : `Lost to branch ${JSON.stringify(winner.name)}`;
    token.cancel(new CancelledError(`${why}: branch ${JSON.stringify(entry.name)}`, { source: 'select' }));
  }

  /** A losing function has settled. */
  #settled(entry: Entry): void {
    const token = entry.token as CancellationToken;
    try {
      const value = (entry.protocol as Watched).poll();
      this.#late ??= [];
      this.#late.push({ branch: entry.name, value });
    } catch (error) {
      // One that was not cancelled has failed, whatever it says.
      if (!isCancellationOf(error, token)) this.#errors.push(error);
    }
    token.dispose();
    this.#over();
  }

  /** One thing less to wait for; the last one settles the select. */
  #over(): void {
    if (--this.#running > 0) return;
    const turn = consumeBudget();
    if (turn === undefined) this.#finish();
    else void turn.then(() => this.#finish());
  }

  #finish(): void {
    const outcome = this.#outcome;
    if (outcome !== undefined && this.#late !== undefined) outcome.late = this.#late;
    const [error] = this.#errors;
    if (outcome !== undefined && this.#errors.length === 0) {
      this.#resolve(outcome);
    } else if (outcome === undefined && this.#errors.length === 1) {
      if (this.#first !== undefined) blame(error, this.#first.name);
      this.#reject(error);
    } else {
      this.#reject(this.#several());
    }
  }

  #several(): SelectError {
    const first = this.#first;
    const what =
      first === undefined
        ? 'the select was cancelled'
        : `branch ${JSON.stringify(first.name)} ${this.#outcome === undefined ? 'failed' : 'won'}`;
    return new SelectError(
      `${what}, and functions that were then cancelled failed with errors of their own; see .errors`,
      this.#errors,
      this.#outcome,
    );
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    ((typeof value === 'object' && value !== null) || typeof value === 'function') &&
    typeof (value as Partial<PromiseLike<unknown>>).then === 'function'
  );
}

function ignore(): void {}
