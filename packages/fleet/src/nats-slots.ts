import type { SlotAnswer, SlotRequest } from './engine.ts';
import { encodeKey, isConflict, type NatsBucket, type NatsEntry } from './nats-client.ts';

/** One permit in the bucket. */
interface Permit {
  readonly holder: string;
  readonly ttl: number;
  /** `undefined` before the first renewal: the fence is then the revision. */
  readonly fence?: number | undefined;
}

/** A permit of this connection. */
interface HeldPermit {
  readonly key: string;
  /** The last known revision. 0: the server may have lost its data, and counts from the beginning. */
  readonly revision: number;
  readonly fence: number;
}

/** A permit as it was found. */
interface Found {
  readonly key: string;
  /** 0: the key has no entry. */
  readonly revision: number;
  /** `undefined`: free. */
  readonly permit: Required<Permit> | undefined;
  readonly left: number;
}

/**
 * The permits of slots. Each permit is one key, and each write names the revision that it replaces. When several processes write,
 * one succeeds. A renewal makes the writes of the others fail.
 */
export class NatsSlots {
  readonly #bucket: () => Promise<NatsBucket>;
  readonly #now: () => Promise<number>;
  readonly #limit: number;
  /** The permits that this connection holds, by slot and holder. */
  readonly #held: Map<string, HeldPermit> = new Map();
  /** Requests of one holder for one slot run one after another, so that it gets one permit. */
  readonly #running: Map<string, Promise<unknown>> = new Map();
  /** The reason why earlier requests must not write any more. Each request keeps the object that was current at its start. */
  #interruption: { error?: unknown } = {};

  constructor(bucket: () => Promise<NatsBucket>, now: () => Promise<number>, limit: number) {
    this.#bucket = bucket;
    this.#now = now;
    this.#limit = limit;
  }

  /** Stops requests whose answers may be lost, so that they do not continue beside new ones. */
  interrupt(error: unknown): void {
    this.#interruption.error = error;
    this.#interruption = {};
    this.#running.clear();
    for (const [owner, held] of this.#held) this.#held.set(owner, { ...held, revision: 0 });
  }

  async hold(slot: SlotRequest): Promise<SlotAnswer> {
    const owner = ownerOf(slot);
    const running = (this.#running.get(owner) ?? Promise.resolve()).then(() => this.#hold(slot, owner));
    const settled = running.then(
      () => {},
      () => {},
    );
    this.#running.set(owner, settled);
    try {
      return await running;
    } finally {
      if (this.#running.get(owner) === settled) this.#running.delete(owner);
    }
  }

  /** Returns whether a permit was given back. */
  async release(slot: { readonly name: string; readonly holder: string; readonly fence: number }): Promise<boolean> {
    const owner = ownerOf(slot);
    await this.#running.get(owner);
    const held = this.#held.get(owner);
    if (held?.fence !== slot.fence) return false;
    const bucket = await this.#bucket();
    const remove = async (previousSeq: number): Promise<boolean> => {
      try {
        await bucket.delete(held.key, { previousSeq });
        return true;
      } catch (error) {
        if (isConflict(error)) return false;
        throw error;
      }
    };
    if (held.revision === 0 || !(await remove(held.revision))) {
      // An earlier attempt may have been stored although its answer was lost.
      const found = await this.#find(bucket, held.key);
      if (found.permit?.holder === slot.holder && found.permit.fence === slot.fence) await remove(found.revision);
    }
    this.#held.delete(owner);
    return true;
  }

  async #hold(slot: SlotRequest, owner: string): Promise<SlotAnswer> {
    const { name, holder, fence, permits } = slot;
    const interruption = this.#interruption;
    const bucket = await this.#bucket();
    const held = this.#held.get(owner);
    if (fence !== undefined && held?.fence === fence && held.revision !== 0) {
      const renewed = await this.#write(bucket, held.key, held.revision, slot, fence);
      if (renewed !== undefined) return renewed;
    }
    const prefix = encodeKey(name);
    for (;;) {
      const keys = Array.from({ length: permits }, (_, i) => `${prefix}.${i}`);
      const all = await Promise.all(keys.map((key) => this.#find(bucket, key)));
      if (interruption.error !== undefined) throw interruption.error;
      const own = all.find(({ permit }) => permit?.holder === holder && (fence ?? permit.fence) === permit.fence);
      if (own === undefined && fence !== undefined) {
        this.#held.delete(owner);
        return { lost: true };
      }
      const free = own ?? all.find(({ permit }) => permit === undefined);
      if (free === undefined) return { wait: Math.max(1, Math.min(...all.map(({ left }) => left))) };
      const answer = await this.#write(bucket, free.key, free.revision, slot, own?.permit?.fence);
      if (answer !== undefined) return answer;
    }
  }

  async #find(bucket: NatsBucket, key: string): Promise<Found> {
    const entry = await bucket.get(key);
    const revision = entry?.revision ?? 0;
    if (entry === null || entry.operation !== 'PUT') return { key, revision, permit: undefined, left: 0 };
    const { holder, ttl, fence = revision } = JSON.parse(entry.string()) as Permit;
    const left = Math.min(ttl, await this.#leftOf(entry, ttl));
    return { key, revision, permit: left > 0 ? { holder, ttl, fence } : undefined, left };
  }

  async #leftOf({ created }: NatsEntry, ttl: number): Promise<number> {
    // Times are truncated to ms: only the next ms is certainly past the end.
    return created.getTime() + ttl + 1 - (await this.#now());
  }

  /** Returns `undefined` when another write came first. */
  async #write(
    bucket: NatsBucket,
    key: string,
    previousSeq: number,
    slot: SlotRequest,
    fence: number | undefined,
  ): Promise<SlotAnswer | undefined> {
    const permit: Permit = { holder: slot.holder, ttl: slot.ttl, fence };
    try {
      const revision = await bucket.put(key, JSON.stringify(permit), { previousSeq, timeout: this.#limit });
      this.#held.set(ownerOf(slot), { key, revision, fence: fence ?? revision });
      return { fence: fence ?? revision };
    } catch (error) {
      if (isConflict(error)) return undefined;
      throw error;
    }
  }
}

function ownerOf({ name, holder }: { readonly name: string; readonly holder: string }): string {
  return JSON.stringify([name, holder]);
}
