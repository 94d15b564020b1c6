/**
 * A cancel of this node that waits for answers.
 *
 * Invariants
 *  1. It exists before the record is sent: answers can arrive before the engine has confirmed the record.
 *  2. `awaited` is set from a complete list of members that was made after the record. A member that joins later reads the cancel
 *     before it starts a run.
 *  3. A receipt states the answers of members. The other members are silent, have left, or are lost.
 */

import type { RunObserver } from './key-tree.ts';
import type { Members } from './members.ts';
import type { CancelReceipt, NodeReceipt } from './receipt.ts';
import type { Answer } from './wire.ts';

/** The state that a `cancel` waits for. */
export type CancelUntil = 'recorded' | 'delivered' | 'ended';

/** The largest number of keys in an answer. */
const NAMED = 10;

/** Counts the runs on one node that a cancel covers and that have not ended. */
export class OwnAnswer implements RunObserver {
  readonly runs: RunObserver['runs'];
  readonly onRunEnded: () => void;
  readonly #base: Pick<Answer, 'cancel' | 'node' | 'tokenCount' | 'runCount'>;

  constructor(
    cancel: string,
    node: string,
    found: { readonly tokenCount: number; readonly runs: RunObserver['runs'] },
    onRunEnded: (answer: OwnAnswer) => void,
  ) {
    this.#base = { cancel, node, tokenCount: found.tokenCount, runCount: found.runs.size };
    this.runs = found.runs;
    this.onRunEnded = () => onRunEnded(this);
    for (const run of found.runs) run.observers = [...(run.observers ?? []), this];
  }

  /** The present state. */
  read(): Answer {
    const unfinished: string[] = [];
    for (const { node } of this.runs) {
      if (unfinished.push(node.key) === NAMED) break;
    }
    return { ...this.#base, runningCount: this.runs.size, unfinished };
  }
}

export class PendingCancel {
  readonly id: string;
  readonly key: string;
  readonly until: CancelUntil;
  readonly #self: string;
  readonly #members: Members;
  readonly #own: OwnAnswer | undefined;
  readonly #answers: Map<string, Answer> = new Map();
  /** See invariant 2. */
  #awaited: Set<string> | undefined;
  /** How many heartbeats had been sent when the cancel was recorded, or `undefined` before that. */
  #heartbeatsBefore: number | undefined;
  readonly #settle: (receipt: CancelReceipt | undefined, error?: unknown) => void;

  /**
   * @param own the answer of this node, or `undefined` for a caller, which has no runs
   * @param settle ends the wait with a receipt, or else with an error
   */
  constructor(
    { id, key, until }: { readonly id: string; readonly key: string; readonly until: CancelUntil },
    self: string,
    members: Members,
    own: OwnAnswer | undefined,
    settle: (receipt: CancelReceipt | undefined, error?: unknown) => void,
  ) {
    this.id = id;
    this.key = key;
    this.until = until;
    this.#self = self;
    this.#members = members;
    this.#own = own;
    this.#settle = settle;
  }

  /** @param heartbeats how many heartbeats were sent until now */
  recorded(heartbeats: number): void {
    this.#heartbeatsBefore = heartbeats;
    this.check();
  }

  /** Called after each complete list of members, with the number of its heartbeat. A list from before the record does not count. */
  listed(heartbeat: number): void {
    if (this.#heartbeatsBefore === undefined || heartbeat <= this.#heartbeatsBefore) return;
    this.#awaited ??= new Set();
    // A member that was lost and is back must answer again.
    for (const { id, state } of this.#members.all()) {
      if (state !== 'left' && id !== this.#self) this.#awaited.add(id);
    }
    this.check();
  }

  /** Whether the list of members that must answer is known. */
  get isListed(): boolean {
    return this.#awaited !== undefined;
  }

  answered(answer: Answer): void {
    const before = this.#answers.get(answer.node);
    // The answer "ended" may arrive before the answer "applied".
    if (before === undefined || answer.runningCount < before.runningCount) this.#answers.set(answer.node, answer);
    this.check();
  }

  /** Ends the wait when the state in `until` is confirmed. */
  check(): void {
    if (this.#heartbeatsBefore === undefined) return;
    const receipt = this.receipt();
    const { state } = receipt;
    const isReached = this.until === 'recorded' || state === 'ended' || state === 'nobody';
    if (isReached || (this.until === 'delivered' && state === 'delivered')) this.#settle(receipt);
  }

  /** Ends the wait with an error. */
  fail(error: unknown): void {
    this.#settle(undefined, error);
  }

  receipt(): CancelReceipt {
    const { id, key } = this;
    if (this.#heartbeatsBefore === undefined) return { id, key, state: 'unrecorded', nodes: [], lost: [] };
    if (this.until === 'recorded') return { id, key, state: 'recorded', nodes: [], lost: [] };
    const ids = new Set([...(this.#awaited ?? []), ...this.#answers.keys()]);
    const nodes = [...ids].map((node) => this.#nodeReceipt(node));
    if (this.#own !== undefined) nodes.unshift(receiptOf(this.#own.read()));
    const lost = nodes.filter(({ state }) => state === 'lost').map(({ node }) => node);
    return { id, key, state: this.#awaited === undefined ? 'recorded' : stateOf(nodes), nodes, lost };
  }

  #nodeReceipt(node: string): NodeReceipt {
    const answer = this.#answers.get(node);
    if (answer?.runningCount === 0) return receiptOf(answer);
    const state = this.#members.stateOf(node);
    const known = answer === undefined ? nothing(node) : receiptOf(answer);
    // A member leaves after its last run has ended.
    if (state === 'left') return { ...known, state, runningCount: 0, unfinished: [] };
    return state === 'lost' ? { ...known, state } : known;
  }
}

function nothing(node: string): NodeReceipt {
  return { node, state: 'silent', tokenCount: 0, runCount: 0, runningCount: 0, unfinished: [] };
}

function receiptOf({ node, tokenCount, runCount, runningCount, unfinished }: Answer): NodeReceipt {
  const state = runningCount === 0 ? 'ended' : 'stopping';
  return { node, state, tokenCount, runCount, runningCount, unfinished };
}

function stateOf(nodes: readonly NodeReceipt[]): CancelReceipt['state'] {
  if (nodes.some(({ state }) => state === 'silent')) return 'recorded';
  if (nodes.some(({ state }) => state === 'stopping')) return 'delivered';
  const isNobody = nodes.every(
    ({ state, tokenCount, runCount }) => tokenCount === 0 && runCount === 0 && state !== 'left',
  );
  return isNobody ? 'nobody' : 'ended';
}
