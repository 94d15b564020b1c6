// The naive model of deadlines and groups: after each operation everything is computed again until nothing changes.
import type { Log } from './script.ts';

interface Reason {
  readonly text: string;
  /** The number of reasons that were created before. */
  readonly order: number;
}

export interface Deadline {
  at: number;
  ms: number;
  readonly isRenewable: boolean;
  /** Shared by all tokens that it cancels. */
  reason: Reason | undefined;
}

export interface LinkedEntry {
  readonly kind: 'callback' | 'waiter' | 'signal';
  readonly name: string;
  on: LinkedToken | undefined;
}

export interface LinkedToken {
  parent: LinkedToken | undefined;
  /** Its own and all inherited ones, except fixed ones that are later than another fixed one. */
  deadlines: readonly Deadline[];
  readonly members: readonly LinkedToken[];
  readonly isAll: boolean;
  reason: Reason | undefined;
  isDisposed: boolean;
  entries: LinkedEntry[];
}

export class NaiveLinked {
  readonly log: Log;
  now = 0;
  readonly #tokens: LinkedToken[] = [];
  #reasons = 0;

  constructor(log: Log) {
    this.log = log;
  }

  create(parent?: LinkedToken, members: readonly LinkedToken[] = [], isAll = false): LinkedToken {
    const up = parent && this.#living(parent);
    const token = { parent: up, deadlines: up?.deadlines ?? [], members, isAll, reason: undefined, isDisposed: false };
    return this.#add({ ...token, entries: [] });
  }

  withTimeout(parent: LinkedToken, ms: number): LinkedToken {
    const token = this.create(parent);
    const own: Deadline = { at: this.now + ms, ms, isRenewable: false, reason: undefined };
    const fixed = [...token.deadlines.filter(({ isRenewable }) => !isRenewable), own];
    const earliest = fixed.reduce((a, b) => (b.at < a.at ? b : a));
    token.deadlines = [...token.deadlines.filter(({ isRenewable }) => isRenewable), earliest];
    this.#settle();
    return token;
  }

  renewable(parent: LinkedToken, ms: number): [LinkedToken, Deadline] {
    const token = this.create(parent);
    const own: Deadline = { at: this.now + ms, ms, isRenewable: true, reason: undefined };
    token.deadlines = [...token.deadlines, own];
    this.#settle();
    return [token, own];
  }

  renew([token, deadline]: [LinkedToken, Deadline], ms: number, since: number): boolean {
    if (token.reason !== undefined || deadline.at <= this.now) return false;
    Object.assign(deadline, { at: since + ms, ms });
    this.#settle();
    return true;
  }

  #add(token: LinkedToken): LinkedToken {
    this.#tokens.push(token);
    this.#settle();
    return token;
  }

  /** Returns the token or its nearest ancestor that was not disposed while active. */
  #living(token: LinkedToken): LinkedToken | undefined {
    let at: LinkedToken | undefined = token;
    while (at?.isDisposed && at.reason === undefined) at = at.parent;
    return at;
  }

  poll(token: LinkedToken): Reason | undefined {
    return this.#living(token)?.reason;
  }

  cancel(token: LinkedToken, text: string): boolean {
    if (token.isDisposed || token.reason !== undefined) return false;
    token.reason = { text, order: this.#reasons++ };
    this.#settle();
    return true;
  }

  advance(): void {
    this.now++;
    this.#settle();
  }

  register(token: LinkedToken, entry: LinkedEntry): void {
    if (token.isDisposed && token.reason === undefined) return;
    this.#put(token, entry);
    this.#settle();
  }

  park(token: LinkedToken, entry: LinkedEntry): void {
    const on = this.#living(token);
    if (entry.on === undefined && on !== undefined && on.reason === undefined) this.#put(on, entry);
  }

  #put(token: LinkedToken, entry: LinkedEntry): void {
    entry.on = token;
    token.entries.push(entry);
  }

  remove(entry: LinkedEntry): boolean {
    const token = entry.on;
    if (token === undefined) return false;
    entry.on = undefined;
    token.entries = token.entries.filter((other) => other !== entry);
    return true;
  }

  dispose(token: LinkedToken): void {
    if (token.isDisposed) return;
    token.isDisposed = true;
    if (token.reason !== undefined) return;
    for (const entry of token.entries.splice(0)) {
      entry.on = undefined;
      if (entry.kind === 'waiter') this.park(token, entry);
    }
  }

  /** Returns why the token is cancelled now; an existing reason takes precedence. */
  #cause(token: LinkedToken): Reason | undefined {
    const above = token.parent && this.#living(token.parent)?.reason;
    if (above !== undefined) return above;
    const { deadlines, members, isAll } = token;
    const deadline = deadlines.find(({ at }) => at <= this.now);
    if (deadline !== undefined) {
      deadline.reason ??= { text: `TimeoutError: Timed out after ${deadline.ms} ms`, order: this.#reasons++ };
      return deadline.reason;
    }
    const reasons = members.flatMap(({ reason }) => reason ?? []).sort((a, b) => a.order - b.order);
    if (isAll) return reasons.length === members.length ? reasons.at(-1) : undefined;
    return reasons[0];
  }

  #settle(): void {
    let isChanged = true;
    while (isChanged) {
      isChanged = false;
      for (const token of this.#tokens) {
        if (token.reason !== undefined || token.isDisposed) continue;
        token.reason = this.#cause(token);
        isChanged ||= token.reason !== undefined;
      }
    }
    for (const { reason, entries } of this.#tokens) {
      if (reason === undefined) continue;
      for (const entry of entries.splice(0)) {
        entry.on = undefined;
        this.log.push(`${entry.name}: ${reason.text}`);
      }
    }
  }

  /** Returns the number of deadlines that are observed, and the number of those that a waiter waits for. */
  get timers(): [number, number] {
    const count = (has: (entry: LinkedEntry) => boolean): number => {
      const concerned = new Set(this.#tokens.filter(({ entries }) => entries.some(has)));
      // Iterating a set includes entries that are added during the iteration.
      for (const { parent, members } of concerned) {
        const up = parent && this.#living(parent);
        for (const next of up === undefined ? members : [up]) {
          if (next.reason === undefined && !next.isDisposed) concerned.add(next);
        }
      }
      return new Set([...concerned].flatMap(({ deadlines }) => deadlines)).size;
    };
    return [count(() => true), count(({ kind }) => kind === 'waiter')];
  }
}
