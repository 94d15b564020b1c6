/**
 * The members of the fleet that this node knows.
 *
 * Invariants
 *  1. Absence proves nothing. A member that is missing in the engine's list is live until its `memberTtl` is over, counted from the
 *     last list that had it. An engine that has lost its data lists no members, but their work continues.
 *  2. Time alone changes no state: without an answer of the engine, no member becomes lost.
 *  3. While the engine is away, no member can renew its membership. After this node has reached the engine again, live members
 *     therefore have some time to return before one of them is lost.
 *  4. An engine that has lost its data lists the members that have returned, and this node may not know the others. Its list therefore
 *     proves nothing for the same time. A live member that is no longer in the list shows such a loss.
 */

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

export class Members {
  readonly #known: Map<string, Known> = new Map();
  readonly #keep: number;
  #believesLostFrom = Number.NEGATIVE_INFINITY;
  #completeFrom = Number.NEGATIVE_INFINITY;
  #listCount = 0;

  /** @param keep ms for which a member is remembered after it was last listed */
  constructor(keep: number) {
    this.#keep = keep;
  }

  /**
   * Applies the engine's list, which arrived at this time.
   *
   * @returns whether a live member of the list before is missing: see invariant 4
   */
  update(list: readonly MemberRecord[], now: number): boolean {
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
      isMissing ||= wasListed && known.seenAt + this.#keep > now;
      if (known.state === 'live' && known.aliveUntil <= now && isLostNow) known.state = 'lost';
      if (known.state !== 'live' && known.seenAt + this.#keep <= now) this.#known.delete(id);
    }
    return isMissing;
  }

  /** See invariant 3. No live member becomes lost before the time that is passed to `believeLostFrom`. */
  believeNoneLost(): void {
    this.#believesLostFrom = Number.POSITIVE_INFINITY;
  }

  believeLostFrom(time: number): void {
    if (this.#believesLostFrom === Number.POSITIVE_INFINITY) this.#believesLostFrom = time;
  }

  /** See invariant 4. Until this time, lists of the engine may lack live members. */
  expectCompleteFrom(time: number): void {
    this.#completeFrom = Math.max(this.#completeFrom, time);
  }

  /** Whether a list that was asked for at this time has all live members. */
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
