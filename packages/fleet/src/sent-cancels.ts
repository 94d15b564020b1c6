/**
 * The cancels of this node that wait for a confirmation or for answers.
 *
 * Invariant: without a waiting cancel, no inbox is read, and no list of members is requested on its behalf.
 */

import type { CancellationToken, Clock, Registration } from '@quiesce/cancellation-token';
import { ignore } from '@quiesce/internal';
import type { StoredRecord } from './engine.ts';
import { CancelIncompleteError, EngineUnavailableError } from './errors.ts';
import type { Found } from './key-tree.ts';
import { Pause } from './limit.ts';
import type { Link } from './link.ts';
import type { LiveCancel } from './live-cancels.ts';
import type { Members } from './members.ts';
import { type CancelUntil, OwnAnswer, PendingCancel } from './pending-cancel.ts';
import type { CancelReceipt } from './receipt.ts';
import { decodeAnswer } from './wire.ts';

/** The pauses of a caller between two looks at its inbox, in ms. */
const SHORTEST_PAUSE = 20;
const LONGEST_PAUSE = 500;

/** The options of one wait. */
interface Wait {
  readonly until: CancelUntil;
  readonly timeout: number;
  /** Also ends the wait. */
  readonly limit: CancellationToken | undefined;
  /** Finds the runs and tokens of this process that the cancel covers. */
  find(): Found;
  /** Applies and records the cancel. When it throws, the call rejects with that error. */
  begin(found: Found): void;
  /** Called when the timeout ends the wait. */
  onTimeout(): void;
}

interface SentCancelsOptions {
  readonly clock: Clock;
  readonly id: string;
  readonly isMember: boolean;
  readonly reread: number;
  readonly link: Link;
  readonly members: Members;
}

export class SentCancels {
  readonly #options: SentCancelsOptions;
  readonly #waiting: Map<string, PendingCancel> = new Map();
  #isPolling = false;
  readonly #pause: Pause = new Pause();

  constructor(options: SentCancelsOptions) {
    this.#options = options;
  }

  /**
   * Whether an answer could end a wait: the members that must answer are known. A member leaves its inbox unread until then; a
   * caller polls.
   */
  get isInboxAwaited(): boolean {
    for (const { isListed } of this.#waiting.values()) if (isListed) return true;
    return false;
  }

  /** Begins a cancel, and waits for the state in `until`. */
  wait({ id, key }: LiveCancel, { until, timeout, limit, find, begin, onTimeout }: Wait): Promise<CancelReceipt> {
    const { clock, isMember, id: self, members } = this.#options;
    const isAnswered = until !== 'recorded';
    return new Promise<CancelReceipt>((resolve, reject) => {
      // First: when a clock sets no timer, nothing has begun.
      const timer = clock.setTimer(timeout, () => giveUp(), { ref: true });
      // A local of this function, which no closure captures: the wait must not retain runs that have ended.
      const found = find();
      const own = isAnswered && isMember ? new OwnAnswer(id, self, found, () => pending.check()) : undefined;
      const settle = (receipt: CancelReceipt | undefined, error?: unknown): void => {
        if (!this.#waiting.delete(id)) return;
        clock.clearTimer(timer);
        registration?.dispose();
        if (receipt === undefined) reject(error);
        else resolve(receipt);
      };
      const pending = new PendingCancel({ id, key, until }, self, members, own, settle);
      this.#waiting.set(id, pending);
      const giveUp = (): void => {
        onTimeout();
        pending.fail(this.#timeoutError(pending, timeout));
      };
      // When the signal is already cancelled, `onCancelled` calls back before it returns.
      let registration: Registration | undefined;
      registration = limit?.onCancelled((why) => pending.fail(why));
      try {
        // After the wait exists (`PendingCancel`, invariant 1).
        begin(found);
      } catch (error) {
        pending.fail(error);
      }
      if (isAnswered && !isMember) void this.#pollInbox();
    });
  }

  /** The engine has confirmed the record. */
  recorded(id: string): void {
    const { link } = this.#options;
    this.#waiting.get(id)?.recorded(link.heartbeatCount);
    // If this call fails, the list arrives with the next heartbeat that succeeds.
    if (this.#waiting.has(id)) link.meet().catch(ignore);
  }

  /** A list of members has arrived. One that may lack members changes only the states of those that are known. */
  listed(isComplete: boolean, heartbeat: number): void {
    for (const pending of [...this.#waiting.values()]) isComplete ? pending.listed(heartbeat) : pending.check();
    if (isComplete) this.#options.link.readHintedInbox();
  }

  answered(records: readonly StoredRecord[]): void {
    for (const { body } of records) {
      const answer = decodeAnswer(body);
      if (answer !== undefined) this.#waiting.get(answer.cancel)?.answered(answer);
    }
  }

  /** Gets a list of members for the cancels that wait, and the answers that may have arrived without a hint. */
  async requestAnswers(): Promise<void> {
    if (this.#waiting.size === 0) return;
    const { link } = this.#options;
    try {
      await link.meet();
      if (this.isInboxAwaited) await link.readInbox();
    } catch {
      // The next heartbeat brings the list.
    }
  }

  /** Ends all waits, each with an error of its own. */
  close(makeError: () => unknown): void {
    for (const pending of [...this.#waiting.values()]) pending.fail(makeError());
    this.#pause.end();
  }

  /** Polls for answers while a cancel waits, because a caller has no subscription. */
  async #pollInbox(): Promise<void> {
    if (this.#isPolling) return;
    this.#isPolling = true;
    const { clock, reread, link } = this.#options;
    let listedAt = clock.now();
    for (let pause = SHORTEST_PAUSE; this.#waiting.size > 0; pause = Math.min(2 * pause, LONGEST_PAUSE)) {
      await this.#pause.wait(clock, pause);
      if (this.#waiting.size === 0) break;
      await link.readInbox().catch(ignore);
      if (clock.now() - listedAt < reread) continue;
      listedAt = clock.now();
      await link.meet().catch(ignore);
    }
    this.#isPolling = false;
  }

  #timeoutError(pending: PendingCancel, timeout: number): Error {
    const receipt = pending.receipt();
    const key = JSON.stringify(receipt.key);
    if (receipt.state === 'unrecorded') {
      return new EngineUnavailableError(
        `cancel: ${key} was not recorded within ${timeout} ms; trying again is safe. Runs of this process are cancelled`,
        { cause: this.#options.link.state.borrow().error, receipt },
      );
    }
    const parts = receipt.nodes.map(({ node, state, runningCount, unfinished }) => {
      if (state === 'silent') return `${node} is silent`;
      return state === 'stopping' ? `${node} still runs ${namesOf(unfinished, runningCount)}` : undefined;
    });
    const open = parts.filter((part) => part !== undefined);
    const what = open.length > 0 ? open.join('; ') : this.#whyUnlisted();
    return new CancelIncompleteError(
      `cancel: ${key} is recorded, but not ${pending.until} within ${timeout} ms: ${what}`,
      receipt,
    );
  }

  #whyUnlisted(): string {
    const { clock, members } = this.#options;
    return members.isComplete(clock.now())
      ? 'the list of members has not arrived'
      : 'the engine was unavailable or has lost data, and members may not have returned yet; trying again is safe';
  }
}

function namesOf(keys: readonly string[], count: number): string {
  const names = keys.map((key) => JSON.stringify(key)).join(', ');
  return count > keys.length ? `${names} and ${count - keys.length} more` : names;
}
