/**
 * The members of the fleet that this node knows.
 *
 * Invariants
 *  1. Absence proves nothing. A member that is missing in the engine's list is live until its `memberTtl` is over, counted from the
 *     last list that had it. An engine that has lost its data lists no members, but their work continues.
 *  2. Time alone changes no state: without an answer of the engine, no member becomes lost.
 *  3. While the engine is unavailable, no member can renew its membership. After this node has reached the engine again, live members
 *     therefore have some time to return before one of them is lost.
 *  4. An engine that has lost its data lists the members that have returned, and this node may not know the others. Its list therefore
 *     proves nothing for the same time. A live member that is no longer in the list shows such a loss. While the engine
 *     is unavailable, no member can return, so the time begins again when the link is up.
 */

import type { Clock, Timer } from '@quiesce/cancellation-token';
import type { MemberRecord } from './engine.ts';

/** A member of a fleet. */
export interface FleetMember {
  /** The name of the node and eight hex digits. */
  readonly id: string;
  /** `live`; `left`: it has closed its fleet; `lost`: it gave no sign of life for its `memberTtl`. */
  readonly state: 'live' | 'left' | 'lost';
}

/** A known member. Times are in ms on the clock of the fleet. */
interface Known {
  state: FleetMember['state'];
  /** When its `memberTtl` is over, unless it is seen again. */
  aliveUntil: number;
  /** When it was last in the list, and the number of that list. */
  seenAt: number;
  seenIn: number;
}

interface MembersOptions {
  readonly clock: Clock;
  /** How many ms a member is remembered after it was last listed. */
  readonly keep: number;
  /** How many ms live members take at most to return to the engine. */
  readonly returnTime: number;
  /** Whether a read shows a loss of data. A caller reads no cancels, so it expects a loss after each outage. */
  readonly noticesLoss: boolean;
  /** Called when lists that are requested from now on are complete: after a loss, or after an outage without one. */
  onComplete(): void;
}

export class Members {
  readonly #options: MembersOptions;
  readonly #known: Map<string, Known> = new Map();
  #believesLostFrom = Number.NEGATIVE_INFINITY;
  #completeFrom = Number.NEGATIVE_INFINITY;
  #listCount = 0;
  #isDown = false;
  /** Whether members have not had time to return after a loss of data. */
  #isPartial = false;
  /** Runs while members have not had the time to return. */
  #returnTimer: Timer | undefined;
  #isClosed = false;

  constructor(options: MembersOptions) {
    this.#options = options;
  }

  /** Whether the link is down: from `onDown` to `onUp`. The read between them shows whether data was lost. */
  get isDown(): boolean {
    return this.#isDown;
  }

  /**
   * Applies a list that has arrived from the engine.
   *
   * @param sent when it was requested
   * @returns whether it has all live members
   */
  update(list: readonly MemberRecord[], sent: number): boolean {
    const { clock, keep } = this.#options;
    const now = clock.now();
    const isLostNow = now >= this.#believesLostFrom;
    const count = ++this.#listCount;
    let isMissing = false;
    for (const { id, left, gone } of list) {
      const wasLive = this.#known.get(id)?.state === 'live';
      const state = gone ? 'left' : left > 0 || (wasLive && !isLostNow) ? 'live' : 'lost';
      this.#known.set(id, { state, aliveUntil: now + left, seenAt: now, seenIn: count });
    }
    for (const [id, known] of this.#known) {
      if (known.seenIn === count) continue;
      const wasListed = known.seenIn === count - 1 && known.state === 'live' && known.aliveUntil > now;
      // The engine keeps a member that has left for `keep`.
      isMissing ||= wasListed && known.seenAt + keep > now;
      if (known.state === 'live' && known.aliveUntil <= now && isLostNow) known.state = 'lost';
      if (known.state !== 'live' && known.seenAt + keep <= now) this.#known.delete(id);
    }
    if (isMissing) this.awaitReturn();
    return !this.#isDown && this.isComplete(sent);
  }

  /** The link is down. */
  onDown(): void {
    this.#believesLostFrom = Number.POSITIVE_INFINITY;
    this.#isDown = true;
  }

  /** The link is up, for the first time or again. */
  onUp(): void {
    const { clock, returnTime, noticesLoss, onComplete } = this.#options;
    if (this.#believesLostFrom === Number.POSITIVE_INFINITY) this.#believesLostFrom = clock.now() + returnTime;
    if (!this.#isDown) return;
    this.#isDown = false;
    if (this.#isPartial || !noticesLoss) this.awaitReturn();
    else onComplete();
  }

  /** The engine may have lost its data: its lists are incomplete until live members have had time to return. */
  awaitReturn(): void {
    const { clock, returnTime, onComplete } = this.#options;
    this.#isPartial = true;
    this.#completeFrom = Math.max(this.#completeFrom, clock.now() + returnTime);
    if (this.#returnTimer !== undefined) clock.clearTimer(this.#returnTimer);
    if (this.#isClosed) return;
    const onReturned = (): void => {
      if (this.#isDown) return;
      this.#isPartial = false;
      onComplete();
    };
    this.#returnTimer = clock.setTimer(returnTime, onReturned, { ref: false });
  }

  close(): void {
    this.#isClosed = true;
    if (this.#returnTimer !== undefined) this.#options.clock.clearTimer(this.#returnTimer);
  }

  /** Whether a list that was requested at this time has all live members. */
  isComplete(sent: number): boolean {
    return sent >= this.#completeFrom;
  }

  /** Returns the state of a member, or `undefined` when it was never listed, or not for a long time. */
  stateOf(id: string): FleetMember['state'] | undefined {
    return this.#known.get(id)?.state;
  }

  all(): FleetMember[] {
    return [...this.#known].map(([id, { state }]) => ({ id, state }));
  }
}
