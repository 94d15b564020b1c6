import { systemClock } from '@quiesce/cancellation-token';
import type { NatsEntry } from './nats-client.ts';

/** For how long a known time of the server is used, in ms. The drift between two clocks is far below 1 ms in it. */
const FRESH = 30_000;

/**
 * The server's clock, as far as it is known. The server tells the time only with entries: when it has stored them.
 *
 * Invariant: the time is never ahead of the server's. It is what an entry says, and what has passed here since that entry was
 * seen, so that only durations of one clock are compared. Nothing therefore counts as expired too early.
 */
export class NatsClock {
  /** The server's time less the local time, and when that was known. */
  #known: { readonly offset: number; readonly at: number } | undefined;

  note({ created }: NatsEntry): void {
    const at = systemClock.now();
    const offset = created.getTime() - at;
    if (!this.#isFresh || offset >= (this.#known?.offset ?? offset)) this.#known = { offset, at };
  }

  /** The server's time, in ms; `undefined` when no entry was seen for long. */
  get now(): number | undefined {
    return this.#isFresh && this.#known !== undefined ? this.#known.offset + systemClock.now() : undefined;
  }

  get #isFresh(): boolean {
    return this.#known !== undefined && systemClock.now() - this.#known.at < FRESH;
  }
}
