/**
 * The cancels in force that this node knows.
 *
 * Invariants
 *  1. A cancel is kept as long as the engine keeps it, so that it is applied once, by id.
 *  2. It covers new runs until `coversUntil`, which is earlier when it has a `ttl`.
 *  3. `recordedAt` is set when this node knows that the engine has the cancel. Only such a cancel is recorded again. A cancel that
 *     the engine never had must not appear after its `cancel` has rejected.
 */

import { visitPrefixes } from './key.ts';
import { decodeCancelReason } from './wire.ts';

/** A cancel in force. Times are in ms on the clock of the fleet. */
export interface LiveCancel {
  readonly id: string;
  readonly key: string;
  readonly body: string;
  readonly coversUntil: number;
  keptUntil: number;
  recordedAt: number | undefined;
  /** Decoded when first needed, because most nodes have no work below the key. */
  reason: { readonly value: unknown } | undefined;
}

export class LiveCancels {
  readonly #byId: Map<string, LiveCancel> = new Map();
  readonly #byKey: Map<string, LiveCancel[]> = new Map();

  get size(): number {
    return this.#byId.size;
  }

  get(id: string): LiveCancel | undefined {
    return this.#byId.get(id);
  }

  add(cancel: LiveCancel): void {
    this.#byId.set(cancel.id, cancel);
    const same = this.#byKey.get(cancel.key);
    if (same === undefined) this.#byKey.set(cancel.key, [cancel]);
    else same.push(cancel);
  }

  delete(cancel: LiveCancel): void {
    this.#byId.delete(cancel.id);
    const same = (this.#byKey.get(cancel.key) ?? []).filter((other) => other !== cancel);
    if (same.length > 0) this.#byKey.set(cancel.key, same);
    else this.#byKey.delete(cancel.key);
  }

  /** Returns the first cancel that covers a run with this key that starts now. */
  covering(key: string, now: number): LiveCancel | undefined {
    let found: LiveCancel | undefined;
    visitPrefixes(key, (prefix) => {
      found ??= this.#byKey.get(prefix)?.find(({ coversUntil }) => coversUntil > now);
    });
    return found;
  }

  /** Forgets the cancels that the engine has forgotten. */
  sweep(now: number): void {
    // The oldest come first. One that is out of order is forgotten a little later.
    for (const cancel of this.#byId.values()) {
      if (cancel.keptUntil > now) return;
      this.delete(cancel);
    }
  }

  /** Returns the cancels that the engine once had, and has no longer. */
  absentFrom(present: ReadonlySet<string>, now: number): LiveCancel[] {
    const isAbsent = ({ id, recordedAt, keptUntil }: LiveCancel): boolean =>
      recordedAt !== undefined && keptUntil > now && !present.has(id);
    return [...this.#byId.values()].filter(isAbsent);
  }
}

/** Returns the reason of a cancel: one object on this node. */
export function reasonOf(cancel: LiveCancel): unknown {
  cancel.reason ??= { value: decodeCancelReason(cancel.body) };
  return cancel.reason.value;
}
