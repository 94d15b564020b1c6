/**
 * The cancels of this node that wait for a confirmation or for answers.
 *
 * Invariant: the list of members and the answers of a cancel are only read while it waits.
 */

import type { CancellationToken, Clock, Registration } from '@quiesce/cancellation-token';
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

/** What one cancel waits for, and when it gives up. */
interface Wait {
  readonly until: CancelUntil;
  /** What the cancel has found in this process. */
  readonly found: Found;
  readonly timeout: number;
  readonly limit: CancellationToken | undefined;
  /** Called when the timeout ends the wait. */
  onTimeout(): void;
}

interface Parts {
  readonly clock: Clock;
  readonly id: string;
  readonly isMember: boolean;
  readonly reread: number;
  readonly link: Link;
  readonly members: Members;
}

export class SentCancels {
  readonly #parts: Parts;
  readonly #waiting: Map<string, PendingCancel> = new Map();
  #isPolling = false;
  readonly #pause: Pause = new Pause();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Answers count only after the list of members has arrived. Until then they stay in the inbox. */
  get isInboxAwaited(): boolean {
    for (const { isListed } of this.#waiting.values()) if (isListed) return true;
    return false;
  }

  /** Waits for the state in `until`. Must be called before the record is sent (`PendingCancel`, invariant 1). */
  wait({ id, key }: LiveCancel, { until, found, timeout, limit, onTimeout }: Wait): Promise<CancelReceipt> {
    const { clock, isMember, id: self, members } = this.#parts;
    const isAnswered = until !== 'recorded';
    return new Promise<CancelReceipt>((resolve, reject) => {
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
      const timer = clock.setTimer(timeout, giveUp, { ref: true });
      // When the signal is already cancelled, `onCancelled` calls back before it returns.
      let registration: Registration | undefined;
      registration = limit?.onCancelled((why) => pending.fail(why));
      if (isAnswered && !isMember) void this.#pollInbox();
    });
  }

  /** The engine has confirmed the record. */
  recorded(id: string): void {
    const { link } = this.#parts;
    this.#waiting.get(id)?.recorded(link.heartbeatCount);
    // If this call fails, the list arrives with the next heartbeat that succeeds.
    if (this.#waiting.has(id)) link.meet().catch(() => {});
  }

  /** A list of members has arrived. */
  listed(isComplete: boolean, heartbeat: number): void {
    for (const pending of [...this.#waiting.values()]) isComplete ? pending.listed(heartbeat) : pending.check();
    if (isComplete) this.#parts.link.readHintedInbox();
  }

  answered(records: readonly StoredRecord[]): void {
    for (const { body } of records) {
      const answer = decodeAnswer(body);
      if (answer !== undefined) this.#waiting.get(answer.cancel)?.answered(answer);
    }
  }

  /** Gets a list of members for the cancels that wait, and the answers that may have arrived without a hint. */
  async askAgain(): Promise<void> {
    if (this.#waiting.size === 0) return;
    const { link } = this.#parts;
    try {
      await link.meet();
      if (this.isInboxAwaited) await link.readInbox();
    } catch {
      // The next heartbeat brings the list.
    }
  }

  /** Ends all waits. */
  close(error: unknown): void {
    for (const pending of [...this.#waiting.values()]) pending.fail(error);
    this.#pause.end();
  }

  /** Polls for answers while a cancel waits, because a caller has no subscription. */
  async #pollInbox(): Promise<void> {
    if (this.#isPolling) return;
    this.#isPolling = true;
    const { clock, reread, link } = this.#parts;
    let listedAt = clock.now();
    for (let pause = SHORTEST_PAUSE; this.#waiting.size > 0; pause = Math.min(2 * pause, LONGEST_PAUSE)) {
      await this.#pause.wait(clock, pause);
      if (this.#waiting.size === 0) break;
      await link.readInbox().catch(() => {});
      if (clock.now() - listedAt < reread) continue;
      listedAt = clock.now();
      await link.meet().catch(() => {});
    }
    this.#isPolling = false;
  }

  #timeoutError(pending: PendingCancel, timeout: number): Error {
    const receipt = pending.receipt();
    const key = JSON.stringify(receipt.key);
    if (receipt.state === 'unrecorded') {
      return new EngineUnavailableError(
        `cancel: ${key} was not recorded within ${timeout} ms; trying again is safe. Runs of this process are cancelled`,
        { cause: this.#parts.link.state.borrow().error, receipt },
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
    const { clock, members } = this.#parts;
    return members.isComplete(clock.now())
      ? 'the list of members has not arrived'
      : 'the engine was away or has lost data, and members may not have returned yet; trying again is safe';
  }
}

function namesOf(keys: readonly string[], count: number): string {
  const names = keys.map((key) => JSON.stringify(key)).join(', ');
  return count > keys.length ? `${names} and ${count - keys.length} more` : names;
}
