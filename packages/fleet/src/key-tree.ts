/**
 * The keys in use on this node, as a tree of cancellation tokens.
 *
 *     root ──► jobs ──► 42 ──► run token          cancel('jobs/42') cancels the token of `42`, and no other key
 *                        └───► tokens of `fleet.token`
 *
 * Invariants
 *  1. A node exists while it has a run, a live token of `fleet.token`, or a node below it.
 *  2. A node has a token only while its parent has one: a cancel of a node without a token finds only runs that are cancelled.
 *  3. A run stays in the tree until its promise has settled, even after it was cancelled.
 *  4. A cancelled node loses its token. Runs and tokens that are made below it later get a new one.
 */

import { CancellationToken } from '@quiesce/cancellation-token';

/** Reports when runs have ended. */
export interface RunObserver {
  /** The runs that have not ended. */
  readonly runs: Set<Run>;
  /** Called after each end of a run, when the run was removed from `runs`. */
  onRunEnded(): void;
}

/** Work in progress. */
export interface Run {
  readonly node: KeyNode;
  readonly token: CancellationToken;
  /** When it started, on the clock of the fleet. */
  readonly since: number;
  observers: RunObserver[] | undefined;
}

/** The live tokens of `fleet.token` for one key that were made at one time. */
interface GivenTokens {
  readonly node: KeyNode;
  /** The token above them. */
  readonly token: CancellationToken;
  readonly since: number;
  count: number;
}

/** The runs and tokens at or below the key of a cancel. */
export interface Found {
  readonly tokenCount: number;
  readonly runs: Set<Run>;
  /** The tokens to cancel: one, unless the cancel covers only older runs and tokens. */
  readonly targets: readonly CancellationToken[];
}

export class KeyNode {
  readonly parent: KeyNode | undefined;
  readonly #segment: string;
  children: Map<string, KeyNode> | undefined = undefined;
  #token: CancellationToken | undefined = undefined;
  /** By their times: a cancel may cover only the older ones. */
  given: Map<number, GivenTokens> | undefined = undefined;
  /** One run, or several. */
  runs: Run | Set<Run> | undefined = undefined;

  constructor(parent: KeyNode | undefined, segment: string, token?: CancellationToken) {
    this.parent = parent;
    this.#segment = segment;
    this.#token = token;
  }

  /** The whole key. */
  get key(): string {
    const { parent } = this;
    return parent?.parent === undefined ? this.#segment : `${parent.key}/${this.#segment}`;
  }

  /** Returns the token, and makes it when needed. */
  needToken(): CancellationToken {
    this.#token ??= (this.parent as KeyNode).needToken().childToken();
    return this.#token;
  }

  /** Removes and returns the token, if there is one. */
  takeToken(): CancellationToken | undefined {
    const token = this.#token;
    this.#token = undefined;
    return token;
  }

  /** Removes tokens of `fleet.token`. */
  forget(given: GivenTokens): void {
    if (this.given?.get(given.since) !== given) return;
    this.given.delete(given.since);
    if (this.given.size > 0) return;
    this.given = undefined;
    this.prune();
  }

  get isUnused(): boolean {
    return this.runs === undefined && this.given === undefined && this.children === undefined;
  }

  /** Removes this node when it is unused, and then each unused node above it. */
  prune(): void {
    if (!this.isUnused || this.parent === undefined) return;
    const siblings = this.parent.children as Map<string, KeyNode>;
    siblings.delete(this.#segment);
    if (siblings.size > 0) return;
    this.parent.children = undefined;
    this.parent.prune();
  }
}

/** A platform without `FinalizationRegistry` keeps all tokens. */
const Registry = globalThis.FinalizationRegistry as typeof FinalizationRegistry | undefined;

export class KeyTree {
  readonly #root: KeyNode;
  readonly #forgotten: FinalizationRegistry<GivenTokens> | undefined =
    Registry &&
    new Registry((given) => {
      given.count--;
      if (given.count === 0) given.node.forget(given);
    });
  #runCount = 0;

  /** @param root the token above all others */
  constructor(root: CancellationToken) {
    this.#root = new KeyNode(undefined, '', root);
  }

  /** How many runs have not ended. */
  get runCount(): number {
    return this.#runCount;
  }

  /** @param limit a token that also cancels the run */
  addRun(key: string, since: number, limit: CancellationToken | undefined): Run {
    const node = this.#need(key);
    const above = node.needToken();
    const token = limit === undefined ? above.childToken() : CancellationToken.any([above, limit]);
    const run: Run = { node, token, since, observers: undefined };
    if (node.runs === undefined) node.runs = run;
    else if (node.runs instanceof Set) node.runs.add(run);
    else node.runs = new Set([node.runs, run]);
    this.#runCount++;
    return run;
  }

  removeRun(run: Run): void {
    const { node } = run;
    if (!(node.runs instanceof Set)) node.runs = undefined;
    else if (node.runs.delete(run) && node.runs.size === 0) node.runs = undefined;
    this.#runCount--;
    // Callbacks that the work left on its token would keep the nodes above alive.
    run.token.dispose();
    node.prune();
    for (const observer of run.observers ?? []) {
      observer.runs.delete(run);
      observer.onRunEnded();
    }
  }

  addToken(key: string, since: number): CancellationToken {
    const node = this.#need(key);
    node.given ??= new Map();
    let given = node.given.get(since);
    if (given === undefined) {
      given = { node, token: node.needToken().childToken(), since, count: 0 };
      node.given.set(since, given);
    }
    const token = given.token.childToken();
    given.count++;
    this.#forgotten?.register(token, given);
    return token;
  }

  /**
   * Prepares the cancellation of a key and of all keys below it. The caller then cancels the targets, which runs callbacks of users.
   * The tree is complete by then.
   *
   * @param before covers only runs and tokens from before this time; `undefined` covers all of them
   */
  take(key: string, before?: number): Found {
    const top = this.#find(key);
    const found = { tokenCount: 0, runs: new Set<Run>(), targets: [] as CancellationToken[] };
    if (top === undefined) return found;
    const token = before === undefined ? top.takeToken() : undefined;
    if (token !== undefined) found.targets.push(token);
    const todo = [top];
    for (let node = todo.pop(); node !== undefined; node = todo.pop()) {
      if (before === undefined) node.takeToken();
      for (const run of runsOf(node)) {
        if (before !== undefined && run.since >= before) continue;
        found.runs.add(run);
        if (before !== undefined) found.targets.push(run.token);
      }
      for (const given of [...(node.given?.values() ?? [])]) {
        if (before !== undefined && given.since >= before) continue;
        found.tokenCount += given.count;
        if (before !== undefined) found.targets.push(given.token);
        node.given?.delete(given.since);
      }
      if (node.given?.size === 0) node.given = undefined;
      if (node.children === undefined) node.prune();
      else todo.push(...node.children.values());
    }
    return found;
  }

  /** Iterates over the runs that have not ended. */
  *allRuns(): Iterable<Run> {
    const todo = [this.#root];
    for (let node = todo.pop(); node !== undefined; node = todo.pop()) {
      yield* runsOf(node);
      todo.push(...(node.children?.values() ?? []));
    }
  }

  #find(key: string): KeyNode | undefined {
    let node: KeyNode | undefined = this.#root;
    for (let start = 0; start <= key.length && node !== undefined; ) {
      const end = endOfSegment(key, start);
      node = node.children?.get(key.slice(start, end));
      start = end + 1;
    }
    return node;
  }

  #need(key: string): KeyNode {
    let node = this.#root;
    for (let start = 0; start <= key.length; ) {
      const end = endOfSegment(key, start);
      const segment = key.slice(start, end);
      node.children ??= new Map();
      let child = node.children.get(segment);
      if (child === undefined) {
        child = new KeyNode(node, segment);
        node.children.set(segment, child);
      }
      node = child;
      start = end + 1;
    }
    return node;
  }
}

function runsOf({ runs }: KeyNode): Iterable<Run> {
  if (runs === undefined) return [];
  return runs instanceof Set ? runs : [runs];
}

function endOfSegment(key: string, start: number): number {
  const slash = key.indexOf('/', start);
  return slash === -1 ? key.length : slash;
}
