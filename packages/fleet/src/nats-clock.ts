import { systemClock } from '@quiesce/cancellation-token';
import type { NatsEntry } from './nats-client.ts';

/** How long a known time of the server is used, in ms. In that time, two clocks drift apart by far less than 1 ms. */
const FRESH = 30_000;

/**
 * A lower bound of the server's clock. The server states the time only in entries: when it stored them.
 *
 * Invariant: the time is never ahead of the server's. It is the time in an entry, plus the time that has passed here since the
 * entry arrived. Only durations of one clock are compared, so nothing expires too early.
 */
export class NatsClock {
  /** The server's time minus the local time, and when it was determined. */
  #known: { readonly offset: number; readonly at: number } | undefined;

  note({ created }: NatsEntry): void {
    const at = systemClock.now();
    const offset = created.getTime() - at;
    if (!this.#isFresh || offset >= (this.#known?.offset ?? offset)) this.#known = { offset, at };
  }

  /** The server's time, in ms, or `undefined` when no entry has arrived for a long time. */
  get now(): number | undefined {
    return this.#isFresh && this.#known !== undefined ? this.#known.offset + systemClock.now() : undefined;
  }

  get #isFresh(): boolean {
    return this.#known !== undefined && systemClock.now() - this.#known.at < FRESH;
  }
}
