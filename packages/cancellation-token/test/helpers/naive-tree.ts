// The naive model of the tree: no flags, no caches, no intrusive lists. Every result is found by walking.
import type { Log } from './script.ts';

/** An item that was registered on a token; the test decides what it does when notified. */
export interface Entry {
  readonly kind: 'callback' | 'waiter' | 'signal';
  readonly name: string;
  readonly act: (() => void) | undefined;
  /** The token on which it is registered now; `undefined`: it has run, or never will. */
  on: NaiveToken | undefined;
}

export interface NaiveToken {
  parent: NaiveToken | undefined;
  /** Set by a cancel of this very token. */
  reason: { readonly value: unknown } | undefined;
  /** Set by dispose: the final state. */
  frozen: { readonly answer: { readonly value: unknown } | undefined } | undefined;
  /** Entries and observed children, in the order in which they were added. */
  list: (Entry | NaiveToken)[];
}

const isEntry = (item: Entry | NaiveToken): item is Entry => 'kind' in item;

export class NaiveTree {
  readonly log: Log;
  readonly #tokens: NaiveToken[] = [];
  /** The queued entries, in order. */
  #queue: Entry[] = [];
  #firing = false;

  constructor(log: Log) {
    this.log = log;
  }

  create(parent?: NaiveToken): NaiveToken {
    let up = parent;
    while (up?.frozen !== undefined && up.frozen.answer === undefined) up = up.parent;
    const token: NaiveToken = { parent: up, reason: undefined, frozen: undefined, list: [] };
    this.#tokens.push(token);
    return token;
  }

  /** Returns the reason of the nearest token that has one; a token that was disposed while active has no state of its own. */
  reasonOf(token: NaiveToken): { readonly value: unknown } | undefined {
    if (token.frozen !== undefined) return token.frozen.answer;
    return this.#above(token);
  }

  #above(token: NaiveToken): { readonly value: unknown } | undefined {
    for (let at: NaiveToken | undefined = token; at !== undefined; at = at.parent) {
      if (at.frozen?.answer !== undefined) return at.frozen.answer;
      if (at.frozen === undefined && at.reason !== undefined) return at.reason;
    }
    return undefined;
  }

  /** Returns the result of polling: the token's own state, or that of the token to which its waiters moved. */
  poll(token: NaiveToken): { readonly value: unknown } | undefined {
    return this.#above(token);
  }

  cancel(token: NaiveToken, value: unknown): boolean {
    if (token.frozen !== undefined || this.reasonOf(token) !== undefined) return false;
    token.reason = { value };
    this.#collect(token);
    this.#update();
    this.#fire();
    return true;
  }

  #collect(token: NaiveToken): void {
    const list = token.list.splice(0);
    this.#queue.push(...list.filter(isEntry));
    for (const child of list) if (!isEntry(child)) this.#collect(child);
  }

  #fire(): void {
    if (this.#firing) return;
    this.#firing = true;
    for (let entry = this.#queue.shift(); entry !== undefined; entry = this.#queue.shift()) {
      const silent = entry.kind === 'callback' && entry.on?.frozen !== undefined;
      const reason = entry.on && this.reasonOf(entry.on);
      entry.on = undefined;
      if (silent) continue;
      this.log.push(entry.kind === 'callback' ? `${entry.name}: ${String(reason?.value)}` : entry.name);
      entry.act?.();
    }
    this.#firing = false;
  }

  register(token: NaiveToken, entry: Entry): void {
    const reason = this.reasonOf(token);
    if (reason !== undefined) {
      this.log.push(`${entry.name}: ${String(reason.value)}`);
      entry.act?.();
    } else if (token.frozen === undefined) {
      this.#add(token, entry);
    }
  }

  /** For a signal, too: a cancelled token wakes no waiter later. */
  park(token: NaiveToken, entry: Entry): void {
    if (entry.on !== undefined || this.poll(token) !== undefined) return;
    let at: NaiveToken | undefined = token;
    if (entry.kind === 'signal' && token.frozen !== undefined) return;
    while (at?.frozen !== undefined) at = at.parent;
    if (at !== undefined) this.#add(at, entry);
  }

  #add(token: NaiveToken, entry: Entry): void {
    entry.on = token;
    token.list.push(entry);
    this.#update();
  }

  /** Removes an entry; returns whether that prevented a notification. */
  remove(entry: Entry): boolean {
    const token = entry.on;
    if (token === undefined) return false;
    entry.on = undefined;
    token.list = token.list.filter((item) => item !== entry);
    this.#queue = this.#queue.filter((item) => item !== entry);
    this.#update();
    return token.frozen === undefined;
  }

  dispose(token: NaiveToken): void {
    if (token.frozen !== undefined) return;
    token.frozen = { answer: this.reasonOf(token) };
    if (token.frozen.answer !== undefined) return;
    let up = token.parent;
    while (up?.frozen !== undefined) up = up.parent;
    if (up !== undefined) up.list = up.list.filter((item) => item !== token);
    for (const item of token.list.splice(0)) {
      if (!isEntry(item)) {
        item.parent = up;
        up?.list.push(item);
      } else {
        item.on = item.kind === 'waiter' ? up : undefined;
        if (item.kind === 'waiter') up?.list.push(item);
      }
    }
    for (const child of this.#tokens) if (child.parent === token) child.parent = up;
    this.#update();
  }

  /** Updates each list of observed children: those no longer observed are removed, newly observed ones come last. */
  #update(): void {
    const observed = (token: NaiveToken): boolean =>
      token.list.some(isEntry) || this.#tokens.some((child) => belongs(child, token) && observed(child));
    const belongs = (child: NaiveToken, token: NaiveToken): boolean =>
      child.parent === token && child.frozen === undefined && this.reasonOf(child) === undefined;
    for (const token of this.#tokens) {
      token.list = token.list.filter((item) => isEntry(item) || (belongs(item, token) && observed(item)));
      for (const child of this.#tokens) {
        if (belongs(child, token) && observed(child) && !token.list.includes(child)) token.list.push(child);
      }
    }
  }
}
